"""A managed volume."""

from __future__ import annotations

from typing import Any

from cdktf_cdktf_provider_databricks.volume import Volume as DatabricksVolume

from infra.constructs.base import address, keep


class Volume:
    """Files beside the tables of a schema."""

    def __init__(
        self,
        scope: Any,
        *,
        catalog: Any,
        schema: Any,
        name: str,
        comment: str,
        owner: Any,
        prevent_destroy: bool,
    ) -> None:
        self._resource = DatabricksVolume(
            scope,
            address(scope, "volume", name),
            catalog_name=catalog,
            schema_name=schema,
            name=name,
            volume_type="MANAGED",
            comment=comment,
            owner=owner,
            lifecycle=keep(prevent_destroy),
        )
        self.full_name: Any = self._resource.id

    @property
    def resource(self) -> Any:
        return self._resource
