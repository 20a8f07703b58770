"""What runs behind: predictive optimization of tables, and what the cloud charges for machines."""

from __future__ import annotations

import functools

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
    structs,
    uuids,
    where,
)
from emulator.account.lakehouse import LakeTable, lakehouse_of
from emulator.account.node_timeline import cluster_ids
from emulator.account.plan import ACCOUNT, CLOUD, METASTORE, Plan
from emulator.account.usage import QUANTITY_SCALE, usage_of
from emulator.account.warehouse_events import on_seconds

_STREAM_OPERATIONS, _STREAM_INFRASTRUCTURE = 50, 51
_SECOND = 1_000_000
_OPERATIONS = ("COMPACTION", "VACUUM", "ANALYZE", "CLUSTERING", "DATA_SKIPPING_COLUMN_SELECTION")
_STATUSES = ("SUCCESSFUL", "FAILED: INTERNAL_ERROR")
_METRICS = [
    [("number_of_compacted_files", "48"), ("amount_of_output_data_bytes", "1073741824")],
    [("number_of_deleted_files", "112"), ("amount_of_data_deleted_bytes", "536870912")],
    [("amount_of_scanned_bytes", "268435456"), ("number_of_scanned_files", "31")],
    [("number_of_clustered_files", "20"), ("amount_of_clustered_data_bytes", "805306368")],
    [("old_column_list", "id"), ("new_column_list", "id,date")],
]
_MICRODOLLARS_A_SECOND = 62  # of one node
_INFRASTRUCTURE_KINDS = ("job", "submit", "cluster", "pipeline")


@functools.lru_cache(maxsize=4)
def operations(plan: Plan, day: int) -> DayRows:
    """An operation for each billed row, and the days until it is in the table."""
    rng = plan.parameters.rng(_STREAM_OPERATIONS, day)
    usage = usage_of(plan, day)
    meters = usage.activity.meters
    is_meter = np.array([m.entity.product.origin == "PREDICTIVE_OPTIMIZATION" for m in meters])
    rows = usage.rows
    chosen = np.flatnonzero(
        is_meter[rows.source] & usage.is_true & (rows.origin == np.arange(len(rows.origin)))
    )
    homes = [m.entity.workspace.index if m.entity.workspace else -1 for m in meters]
    home = np.array(homes)[rows.source[chosen]]
    table = _tables(rng, plan, day, home)
    size = len(chosen)
    lasts = rng.integers(5, 600, size) * _SECOND
    start = rows.start[chosen] + (rng.random(size) * (HOUR // 2)).astype(np.int64)
    end = np.minimum(start + lasts, rows.end[chosen])
    start = np.minimum(start, end - _SECOND)
    kind = rng.integers(0, len(_OPERATIONS), size)
    failed = rng.random(size) < 0.03
    estimate = np.rint(rows.quantity[chosen] * rng.uniform(0.95, 1.05, size)).astype(np.int64)
    lake = lakehouse_of(plan).tables
    name = "storage.predictive_optimization_operations_history"
    metrics = filled(name, 0, {}).schema.field("operation_metrics").type
    found = filled(
        name,
        size,
        {
            "account_id": ACCOUNT,
            "workspace_id": pick([w.workspace_id for w in plan.workspaces], home),
            "start_time": moments(start),
            "end_time": moments(end),
            "metastore_name": "primary",
            "metastore_id": METASTORE,
            "catalog_name": pick([t.catalog for t in lake], table),
            "schema_name": pick([t.schema for t in lake], table),
            "table_name": pick([t.name for t in lake], table),
            "table_id": pick([t.table_id for t in lake], table),
            "operation_type": pick(_OPERATIONS, kind),
            "operation_id": uuids(rng, size),
            "operation_status": pick(_STATUSES, failed.astype(np.int64)),
            "operation_metrics": pick(_METRICS, np.where(failed, -1, kind), metrics),
            "usage_unit": "ESTIMATED_DBU",
            "usage_quantity": decimals(np.where(failed, 0, estimate), QUANTITY_SCALE),
        },
    )
    return DayRows(found, lags(rng, end, midnight(plan, day)))


def _tables(rng: np.random.Generator, plan: Plan, day: int, home: Ints) -> Ints:
    """A managed table of the workspace for each operation, or any where it has none."""
    lake = lakehouse_of(plan)
    alive = [n for n in lake.alive(day) if not lake.tables[n].is_view]
    found = np.zeros(len(home), dtype=np.int64)
    for index in np.unique(home):
        own = [n for n in alive if _is_of(plan, lake.tables[n], int(index))] or alive
        here = home == index
        found[here] = rng.choice(np.array(own), int(here.sum()))
    return found


def _is_of(plan: Plan, table: LakeTable, workspace: int) -> bool:
    writer = table.writer
    return writer is not None and writer.workspace is plan.workspaces[workspace]


@functools.lru_cache(maxsize=4)
def infrastructure(plan: Plan, day: int) -> DayRows:
    """A cost for each classic cluster and warehouse that was on, known a day or two later."""
    rng = plan.parameters.rng(_STREAM_INFRASTRUCTURE, day)
    is_on, begin, end = on_seconds(plan, day)
    classic = np.array(
        [
            entity.product.entity in _INFRASTRUCTURE_KINDS
            or (
                entity.product.entity == "warehouse"
                and not entity.product.features["is_serverless"]
            )
            for entity in plan.entities
        ]
    ) & ~np.array([entity.product.serverless for entity in plan.entities])
    place = np.flatnonzero(classic & is_on.any(axis=1))
    seconds = np.where(is_on, end - begin, 0)[place].sum(axis=1)
    first = is_on[place].argmax(axis=1)
    last = 23 - is_on[place, ::-1].argmax(axis=1)
    zero = midnight(plan, day)
    start = zero + first * HOUR + begin[place, first] * _SECOND
    stop = zero + last * HOUR + end[place, last] * _SECOND
    sizes = np.array([1 + entity.size for entity in plan.entities])[place]
    cost = (
        seconds
        * sizes
        * rng.integers(_MICRODOLLARS_A_SECOND, 2 * _MICRODOLLARS_A_SECOND, len(place))
    )
    warehouses = np.array([entity.product.entity == "warehouse" for entity in plan.entities])[place]
    name = "billing.cloud_infra_cost"
    metadata = structs(
        filled(name, 0, {}).schema.field("usage_metadata").type,
        {
            "cluster_id": where(~warehouses, pick(cluster_ids(plan, day), place)),
            "warehouse_id": where(warehouses, pick([e.entity_id for e in plan.entities], place)),
        },
        np.zeros(len(place), dtype=bool),
    )
    table = filled(
        name,
        len(place),
        {
            "cloud": CLOUD,
            "record_id": uuids(rng, len(place)),
            "account_id": ACCOUNT,
            "cloud_account_id": "123456789012",
            "workspace_id": pick([e.workspace_id for e in plan.entities], place),
            "usage_start_time": moments(start),
            "usage_end_time": moments(stop),
            "usage_date": plan.parameters.day(day),
            "cost": decimals(cost, 6),
            "currency_code": "USD",
            "usage_metadata": metadata,
        },
    )
    return DayRows(table, rng.integers(1, 3, len(place)))
