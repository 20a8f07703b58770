"""What people ask: functions, metric views, dashboards."""

from __future__ import annotations

import copy
import json
from typing import Any

from health_monitor.spec import Dashboard as DashboardDefinition
from health_monitor.spec import qualify

from infra.constructs.dashboard import Dashboard
from infra.stacks.base import Platform, imports, new_stack, upload_definitions
from infra.stacks.pipelines import WAREHOUSE_ID


class SemanticStack:
    """What a bad change costs: wrong answers. A job creates the functions and metric views."""

    def __init__(self, app: Any, platform: Platform) -> None:
        self.stack = new_stack(app, platform, "semantic")
        warehouse = imports(self.stack, platform, "pipelines").reference(WAREHOUSE_ID)
        naming = platform.naming
        for kind in ("functions", "metric_views"):
            upload_definitions(self.stack, platform, kind)
        for dashboard in platform.definitions.dashboards.values():
            Dashboard(
                self.stack,
                name=dashboard.name,
                display_name=naming.title(dashboard.name.replace("_", " ").capitalize()),
                folder=f"{naming.folder}/dashboards",
                warehouse=warehouse,
                serialized=serialized(dashboard, platform.environment.catalog),
            )


def serialized(dashboard: DashboardDefinition, catalog: str) -> str:
    """The dashboard with the environment's catalog in every query, one line a line of it."""
    content = copy.deepcopy(dashboard.content)
    for dataset in content.get("datasets", []):
        if "queryLines" in dataset:
            query = qualify("".join(dataset["queryLines"]), catalog)
            dataset["queryLines"] = query.splitlines(keepends=True)
        elif "query" in dataset:
            dataset["query"] = qualify(dataset["query"], catalog)
        if "asset_name" in dataset:
            dataset["asset_name"] = f"{catalog}.{dataset['asset_name']}"
    return json.dumps(content, indent=2, ensure_ascii=False)
