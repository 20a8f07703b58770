"""What the constructs share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cdktf import TerraformResourceLifecycle, Token

from infra.naming import logical_id


def pin(resource: Any, kind: str, name: str) -> None:
    """Fix the resource's address, so that moving the construct never replaces it."""
    resource.override_logical_id(logical_id(kind, name))


def literal(text: str) -> str:
    """Text in which Terraform shall find no template."""
    return text.replace("${", "$${").replace("%{", "%%{")


def keep(prevent_destroy: bool, ignore_changes: Sequence[str] = ()) -> Any:
    """The lifecycle of something that holds data; None when there is nothing to say."""
    if not prevent_destroy and not ignore_changes:
        return None
    return TerraformResourceLifecycle(
        prevent_destroy=prevent_destroy or None, ignore_changes=list(ignore_changes) or None
    )


@dataclass(frozen=True)
class Reference:
    """A value that Terraform knows only after apply, such as the id of a job."""

    value: Any

    # Asked for once: each time is a question to the process that holds the constructs.
    @cached_property
    def number(self) -> Any:
        return Token.as_number(self.value)

    @cached_property
    def text(self) -> Any:
        return Token.as_string(self.value)
