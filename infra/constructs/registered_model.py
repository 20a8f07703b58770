"""A model in Unity Catalog."""

from __future__ import annotations

from typing import Any

from cdktf_cdktf_provider_databricks.registered_model import (
    RegisteredModel as DatabricksRegisteredModel,
)

from infra.constructs.base import address, keep


class RegisteredModel:
    """The place of a model's versions; training adds them and moves the alias."""

    def __init__(
        self,
        scope: Any,
        *,
        catalog: str,
        schema: str,
        name: str,
        comment: str,
        owner: Any,
        prevent_destroy: bool,
    ) -> None:
        DatabricksRegisteredModel(
            scope,
            address(scope, "model", name),
            catalog_name=catalog,
            schema_name=schema,
            name=name,
            comment=comment,
            owner=owner,
            lifecycle=keep(prevent_destroy, ["aliases"]),
        )
