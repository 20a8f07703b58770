"""What the constructs share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cdktf import TerraformResourceLifecycle, TerraformStack, Token

from infra.naming import logical_id

ADDRESS = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,254}")


def address(scope: Any, kind: str, name: str) -> str:
    """The id of a resource that stands in its stack itself: cdktf makes it the address, as it is.

    To fix an address afterwards is a question to Node for each resource.
    """
    if not isinstance(scope, TerraformStack):
        raise TypeError(f"{kind} {name} stands in {type(scope).__name__}, which is no stack")
    found = logical_id(kind, name)
    if not ADDRESS.fullmatch(found):
        raise ValueError(f"{found!r} is no Terraform name: letters, digits, _ and - only")
    return found


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
