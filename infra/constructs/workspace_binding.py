"""Which workspace sees a catalog."""

from __future__ import annotations

from typing import Any

from cdktf_cdktf_provider_databricks.workspace_binding import (
    WorkspaceBinding as DatabricksWorkspaceBinding,
)

from infra.constructs.base import Reference, address


class WorkspaceBinding:
    """Reading and writing from one workspace; an isolated catalog is seen from no other."""

    def __init__(self, scope: Any, *, name: str, catalog: Any, workspace: Reference) -> None:
        DatabricksWorkspaceBinding(
            scope,
            address(scope, "binding", name),
            securable_name=catalog,
            securable_type="catalog",
            workspace_id=workspace.number,
            binding_type="BINDING_TYPE_READ_WRITE",
        )
