"""What writes which tables: a table more is a function more in one of these tuples.

Nothing may depend on the account's last day, except how far a table that changes has come: an
account of N+1 days is the account of N days and one day more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from emulator.account.audit import audit_on
from emulator.account.columns import DayRows, landed_on
from emulator.account.entity_tables import definition_versions, workspaces_latest
from emulator.account.experiments import experiments_latest, runs_of
from emulator.account.happenings import happening_labels
from emulator.account.incident_rows import incident_rows_on
from emulator.account.incidents import INCIDENT_DAYS, incident_day_rows, incident_rows
from emulator.account.infrastructure import infrastructure
from emulator.account.lakeflow_definitions import job_tasks, pipelines
from emulator.account.lineage import lineage_on
from emulator.account.maintenance import operations
from emulator.account.network import network_on
from emulator.account.node_timeline import node_rows, node_type_rows
from emulator.account.pipeline_updates import update_slices
from emulator.account.plan import Plan
from emulator.account.prices import account_prices, list_prices
from emulator.account.query_history import history_as_of
from emulator.account.schemas import table_of
from emulator.account.serving import serving_on
from emulator.account.table_checks import checks_on
from emulator.account.table_state import table_state
from emulator.account.timelines import run_slices, task_slices
from emulator.account.troubles import trouble_rows
from emulator.account.true_costs import idle_costs, query_costs, run_costs
from emulator.account.usage import awkward_visible_on, usage_visible_on
from emulator.account.warehouse_events import event_rows

Tables = dict[str, pa.Table]
OnDay = Callable[[Plan, int], Tables]
Now = Callable[[Plan], Tables]


def _usage(plan: Plan, day: int) -> Tables:
    return {"billing.usage": usage_visible_on(plan, day)}


def _definitions(plan: Plan, day: int) -> Tables:
    versions = {
        **definition_versions(plan, day),
        "lakeflow.job_tasks": list(job_tasks(plan, day)),
        "lakeflow.pipelines": list(pipelines(plan, day)),
    }
    return {name: table_of(name, rows) for name, rows in versions.items()}


def _happened(plan: Plan, day: int) -> Tables:
    return {name: landed_on(plan, day, rows_of) for name, rows_of in _HAPPENED.items()}


def _query_history(plan: Plan, day: int) -> Tables:
    return {"query.history": history_as_of(plan, day, plan.parameters.days - 1)}


def _node_types(_: Plan) -> Tables:
    return {"compute.node_types": table_of("compute.node_types", node_type_rows())}


def _prices(plan: Plan) -> Tables:
    return {
        "billing.list_prices": table_of("billing.list_prices", list_prices(plan.parameters)),
        "billing.account_prices": table_of(
            "billing.account_prices", account_prices(plan.parameters)
        ),
    }


def _workspaces(plan: Plan) -> Tables:
    name = "access.workspaces_latest"
    return {name: table_of(name, workspaces_latest(plan))}


def _awkward_rows(plan: Plan, day: int) -> Tables:
    return {"awkward_rows": awkward_visible_on(plan, day)}


def _incident_days(plan: Plan) -> Tables:
    rows = incident_day_rows(plan)
    return {"incident_days": pa.Table.from_pylist(rows, schema=INCIDENT_DAYS)}


# What happened on a day, of which a part lands later.
_HAPPENED: dict[str, Callable[[Plan, int], DayRows]] = {
    "billing.cloud_infra_cost": infrastructure,
    "lakeflow.job_run_timeline": run_slices,
    "lakeflow.job_task_run_timeline": task_slices,
    "lakeflow.pipeline_update_timeline": update_slices,
    "compute.node_timeline": node_rows,
    "compute.warehouse_events": event_rows,
    "storage.predictive_optimization_operations_history": operations,
}

# The rows of append-only tables that become visible on a day.
DAILY: tuple[OnDay, ...] = (
    _usage,
    _definitions,
    _happened,
    audit_on,
    network_on,
    lineage_on,
    serving_on,
    checks_on,
)

# The rows of a day in tables whose rows change, as they stand at the end of the plan's last day.
# After REVISED_FOR_DAYS more days they stand for good.
REVISED: tuple[OnDay, ...] = (runs_of, _query_history)
REVISED_FOR_DAYS = 3

# The whole content of tables whose rows change, as it stands at the end of the plan's last day.
CURRENT: tuple[Now, ...] = (_prices, _workspaces, _node_types, table_state, experiments_latest)

# What really happened, out of the platform's sight: a day's rows, and what is known by the end.
TRUTH: tuple[OnDay, ...] = (
    _awkward_rows,
    incident_rows_on,
    run_costs,
    query_costs,
    idle_costs,
)
CURRENT_TRUTH: tuple[Now, ...] = (_incident_days,)

# The labels of everything that went wrong and has begun by the plan's last day.
INCIDENT_SOURCES: tuple[Callable[[Plan], list[dict[str, Any]]], ...] = (
    incident_rows,
    trouble_rows,
    happening_labels,
)
