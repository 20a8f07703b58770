"""A Unity Catalog catalog."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cdktf_cdktf_provider_databricks.catalog import Catalog as DatabricksCatalog

from infra.constructs.base import address, keep


class Catalog:
    """The catalog of one environment, seen from the workspaces that are bound to it only."""

    def __init__(
        self,
        scope: Any,
        *,
        name: str,
        comment: str,
        owner: Any,
        properties: dict[str, str],
        prevent_destroy: bool,
        force_destroy: bool,
        after: Sequence[Any] = (),
    ) -> None:
        self._resource = DatabricksCatalog(
            scope,
            address(scope, "catalog", "health_monitor"),
            name=name,
            comment=comment,
            owner=owner,
            properties=properties,
            force_destroy=force_destroy,
            isolation_mode="ISOLATED",
            depends_on=list(after) or None,
            lifecycle=keep(prevent_destroy),
        )
        self.name: Any = self._resource.name
