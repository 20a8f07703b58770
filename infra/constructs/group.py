"""A group, where nobody else makes it."""

from __future__ import annotations

from typing import Any

from cdktf_cdktf_provider_databricks.group import Group as DatabricksGroup

from infra.constructs.base import address


class Group:
    """An empty group; who is in it is not said here."""

    def __init__(self, scope: Any, *, name: str, group: str) -> None:
        self.resource = DatabricksGroup(scope, address(scope, "group", name), display_name=group)
