"""An AI/BI dashboard."""

from __future__ import annotations

from typing import Any

from cdktf_cdktf_provider_databricks.dashboard import Dashboard as DatabricksDashboard

from infra.constructs.base import Reference, address, literal


class Dashboard:
    """Published for people, who read with their own rights."""

    def __init__(
        self,
        scope: Any,
        *,
        name: str,
        display_name: str,
        folder: str,
        warehouse: Reference,
        serialized: str,
    ) -> None:
        DatabricksDashboard(
            scope,
            address(scope, "dashboard", name),
            display_name=display_name,
            parent_path=folder,
            warehouse_id=warehouse.text,
            serialized_dashboard=literal(serialized),
            embed_credentials=False,
        )
