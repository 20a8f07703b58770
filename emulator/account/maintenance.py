"""predictive_optimization_operations_history: what keeps tables in shape, as it is billed."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from emulator.account.columns import (
    HOUR,
    DayRows,
    Ints,
    decimals,
    filled,
    lags,
    midnight,
    moments,
    pick,
    uuids,
)
from emulator.account.lakehouse import LakeTable, lakehouse_of
from emulator.account.plan import ACCOUNT, METASTORE, Plan
from emulator.account.usage import QUANTITY_SCALE, usage_of

NAME = "storage.predictive_optimization_operations_history"
_STREAM_OPERATIONS = 50
_SECOND = 1_000_000
_OPERATIONS = ("COMPACTION", "VACUUM", "ANALYZE", "CLUSTERING", "DATA_SKIPPING_COLUMN_SELECTION")
_STATUSES = ("SUCCESSFUL", "FAILED: INTERNAL_ERROR")
_FAILED_SHARE = 0.03
_METRICS = [
    [("number_of_compacted_files", "48"), ("amount_of_output_data_bytes", "1073741824")],
    [("number_of_deleted_files", "112"), ("amount_of_data_deleted_bytes", "536870912")],
    [("amount_of_scanned_bytes", "268435456"), ("number_of_scanned_files", "31")],
    [("number_of_clustered_files", "20"), ("amount_of_clustered_data_bytes", "805306368")],
    [("old_column_list", "id"), ("new_column_list", "id,date")],
]


@functools.lru_cache(maxsize=4)
def operations(plan: Plan, day: int) -> DayRows:
    """An operation for each billed row, and the days until it is in the table."""
    rng = plan.parameters.rng(_STREAM_OPERATIONS, day)
    rows = usage_of(plan, day).rows
    chosen = _billed(plan, day)
    size = len(chosen)
    lasts = rng.integers(5, 600, size) * _SECOND
    start = rows.start[chosen] + (rng.random(size) * (HOUR // 2)).astype(np.int64)
    end = np.minimum(start + lasts, rows.end[chosen])
    kind = rng.integers(0, len(_OPERATIONS), size)
    failed = rng.random(size) < _FAILED_SHARE
    estimate = np.rint(rows.quantity[chosen] * rng.uniform(0.95, 1.05, size)).astype(np.int64)
    metrics = filled(NAME, 0, {}).schema.field("operation_metrics").type
    columns = {
        **_what(rng, plan, day, chosen),
        "account_id": ACCOUNT,
        "start_time": moments(np.minimum(start, end - _SECOND)),
        "end_time": moments(end),
        "operation_type": pick(_OPERATIONS, kind),
        "operation_id": uuids(rng, size),
        "operation_status": pick(_STATUSES, failed.astype(np.int64)),
        "operation_metrics": pick(_METRICS, np.where(failed, -1, kind), metrics),
        "usage_unit": "ESTIMATED_DBU",
        "usage_quantity": decimals(np.where(failed, 0, estimate), QUANTITY_SCALE),
    }
    return DayRows(filled(NAME, size, columns), lags(rng, end, midnight(plan, day)))


def _billed(plan: Plan, day: int) -> Ints:
    """The rows of the bill that predictive optimization makes, without their corrections."""
    usage = usage_of(plan, day)
    meters = usage.activity.meters
    is_meant = np.array([m.entity.product.origin == "PREDICTIVE_OPTIMIZATION" for m in meters])
    is_first = usage.rows.origin == np.arange(len(usage.rows.origin))
    return np.flatnonzero(is_meant[usage.rows.source] & usage.is_true & is_first)


def _what(rng: np.random.Generator, plan: Plan, day: int, chosen: Ints) -> dict[str, Any]:
    """A table of the workspace for each operation, or any where that has none."""
    usage = usage_of(plan, day)
    homes = [m.entity.workspace.index if m.entity.workspace else -1 for m in usage.activity.meters]
    home = np.array(homes)[usage.rows.source[chosen]]
    lake = lakehouse_of(plan)
    alive = [n for n in lake.alive(day) if not lake.tables[n].is_view]
    table = np.zeros(len(home), dtype=np.int64)
    for index in np.unique(home):
        own = [n for n in alive if _is_of(plan, lake.tables[n], int(index))] or alive
        here = home == index
        table[here] = rng.choice(np.array(own), int(here.sum()))
    return {
        "workspace_id": pick([w.workspace_id for w in plan.workspaces], home),
        "metastore_name": "primary",
        "metastore_id": METASTORE,
        "catalog_name": pick([t.catalog for t in lake.tables], table),
        "schema_name": pick([t.schema for t in lake.tables], table),
        "table_name": pick([t.name for t in lake.tables], table),
        "table_id": pick([t.table_id for t in lake.tables], table),
    }


def _is_of(plan: Plan, table: LakeTable, workspace: int) -> bool:
    writer = table.writer
    return writer is not None and writer.workspace is plan.workspaces[workspace]
