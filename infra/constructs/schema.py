"""A schema of the catalog."""

from __future__ import annotations

from typing import Any

from cdktf_cdktf_provider_databricks.schema import Schema as DatabricksSchema

from infra.constructs.base import address, keep


class Schema:
    """One layer's tables; they are compacted and vacuumed without being asked."""

    def __init__(
        self,
        scope: Any,
        *,
        catalog: Any,
        name: str,
        comment: str,
        owner: Any,
        properties: dict[str, str],
        prevent_destroy: bool,
        force_destroy: bool,
    ) -> None:
        self._resource = DatabricksSchema(
            scope,
            address(scope, "schema", name),
            catalog_name=catalog,
            name=name,
            comment=comment,
            owner=owner,
            properties=properties,
            force_destroy=force_destroy,
            enable_predictive_optimization="ENABLE",
            lifecycle=keep(prevent_destroy),
        )
        self.name: Any = self._resource.name
        self.full_name: Any = self._resource.id
