"""access.table_lineage and access.column_lineage: what wrote which table, and who read it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emulator.account.columns import (
    LONGEST_LAG_DAYS,
    Bools,
    DayRows,
    Ints,
    filled,
    is_weekend,
    lags,
    landed_on,
    midnight,
    pick,
    uuids,
)
from emulator.account.happenings import happenings_until
from emulator.account.lakehouse import lakehouse_of, vocabulary
from emulator.account.lineage_reads import reads_on
from emulator.account.lineage_writes import events_of_writes
from emulator.account.plan import ACCOUNT, METASTORE, Plan
from emulator.account.writers import flows_of, flows_on

TABLES, COLUMNS = "access.table_lineage", "access.column_lineage"
LINEAGE_SHARE = 0.1  # of the billing rows
DIRECT_ACCESS_FROM_DAY = 6
_STREAM_ROWS = 74
_COLUMNS_A_FLOW = 3
_LEAST_READS = 12
_WEEKEND, _WEEKDAY = 0.4, 1.24
_NEW_COLUMNS = ("schema_change", "unclassified_sensitive_column")


@dataclass(frozen=True)
class _Rows:
    """Which event moves what: tables by place, -1 is none."""

    event: Ints
    source: Ints
    target: Ints
    path: pa.Array
    is_direct: Bools


def lineage_on(plan: Plan, day: int) -> dict[str, pa.Table]:
    """The rows that become visible on a day; direct_access has come only after some time."""
    tables = {
        TABLES: landed_on(plan, day, lambda p, d: lineage_of(p, d)[0]),
        COLUMNS: landed_on(plan, day, lambda p, d: lineage_of(p, d)[1]),
    }
    if day >= DIRECT_ACCESS_FROM_DAY:
        return tables
    return {name: table.drop_columns(["direct_access"]) for name, table in tables.items()}


@functools.lru_cache(maxsize=LONGEST_LAG_DAYS + 2)
def lineage_of(plan: Plan, day: int) -> tuple[DayRows, DayRows]:
    """The table and the column lineage of one day; all rows of an event land together."""
    rng = plan.parameters.rng(_STREAM_ROWS, day)
    targets, writes = _writes(plan, day)
    found = reads_on(rng, plan, day, _reads_wanted(plan, day, len(writes.event)))
    reads = _Rows(
        event=len(targets) + found.event,
        source=found.table,
        target=np.full(len(found.event), -1, dtype=np.int64),
        path=pa.nulls(len(found.event), pa.string()),
        is_direct=found.is_direct,
    )
    events = pa.concat_tables([events_of_writes(rng, plan, day, targets), found.events])
    events = events.combine_chunks()
    rows = _Rows(
        np.concatenate([writes.event, reads.event]),
        np.concatenate([writes.source, reads.source]),
        np.concatenate([writes.target, reads.target]),
        pa.concat_arrays([writes.path, reads.path]),
        np.concatenate([writes.is_direct, reads.is_direct]),
    )
    micros = events["event_time"].cast(pa.int64()).to_numpy()
    event_lag = lags(rng, micros, midnight(plan, day))
    table = _table(rng, plan, day, TABLES, events, rows, {})
    chosen, names = _columns(rng, plan, day, rows)
    flows = _Rows(
        rows.event[chosen],
        rows.source[chosen],
        rows.target[chosen],
        pa.nulls(len(chosen), pa.string()),
        rows.is_direct[chosen],
    )
    source, target = names
    written = np.where(flows.target >= 0, target, -1)
    known = pa.array(_column_names(plan))
    more = {"source_column_name": pick(known, source), "target_column_name": pick(known, written)}
    column = _table(rng, plan, day, COLUMNS, events, flows, more)
    return DayRows(table, event_lag[rows.event]), DayRows(column, event_lag[flows.event])


def _writes(plan: Plan, day: int) -> tuple[Ints, _Rows]:
    """The targets, one event each, and a row for each of their sources."""
    flows = flows_of(plan)
    running = flows_on(plan, day)
    target = flows.target[running]
    targets, event = np.unique(target, return_inverse=True)
    path = pa.array([flows.path[flow] for flow in running], pa.string())
    always = np.ones(len(running), dtype=np.bool_)
    return targets, _Rows(event, flows.source[running], target, path, always)


def _reads_wanted(plan: Plan, day: int, written: int) -> int:
    share = LINEAGE_SHARE * (_WEEKEND if is_weekend(plan, day) else _WEEKDAY)
    return max(_LEAST_READS, round(plan.parameters.rows_per_day * share) - written)


def _columns(
    rng: np.random.Generator, plan: Plan, day: int, rows: _Rows
) -> tuple[Ints, tuple[Ints, Ints]]:
    """The rows that columns are known of, some of them several times, and the column's names."""
    first, count = _columns_of_tables(plan)
    has_source = np.flatnonzero(
        (rows.source >= 0) & ((rows.target >= 0) | (rng.random(len(rows.event)) < 0.5))
    )
    number = np.where(rows.target[has_source] >= 0, _COLUMNS_A_FLOW, 1)
    number = np.minimum(number, count[rows.source[has_source]])
    chosen = np.repeat(has_source, number)
    within = np.arange(len(chosen)) - np.repeat(np.cumsum(number) - number, number)
    shift = np.where(rows.target[chosen] >= 0, 0, rng.integers(0, 10**6, len(chosen)))
    table = rows.source[chosen]
    name = first[table] + (within + shift) % count[table]
    added, added_names = _added(plan, day, rows)
    return np.concatenate([chosen, added]), (
        np.concatenate([name, first[rows.source[added]]]),
        np.concatenate([name, added_names]),
    )


def _added(plan: Plan, day: int, rows: _Rows) -> tuple[Ints, Ints]:
    """The rows into tables that have gained a column on a day before, and that column's place."""
    known = _column_names(plan)
    chosen: list[int] = []
    names: list[int] = []
    for happening in happenings_until(plan, day - 1, *_NEW_COLUMNS):
        if happening.table is not None:
            own = np.flatnonzero((rows.target == happening.table.number) & (rows.source >= 0))
            chosen += [int(row) for row in own[:1]]
            names += [known.index(added_column(happening.kind, happening.seed[0]))] * len(own[:1])
    return np.array(chosen, dtype=np.int64), np.array(names, dtype=np.int64)


def added_column(kind: str, period: int) -> str:
    """The name of the column that a table gains by such an incident."""
    words = vocabulary()
    names = list(
        words["added_columns"] if kind == "schema_change" else words["added_sensitive_columns"]
    )
    return str(names[period % len(names)])


@functools.lru_cache(maxsize=4)
def _columns_of_tables(plan: Plan) -> tuple[Ints, Ints]:
    """Where the columns of each table begin in the list of names, and how many they are."""
    counts = np.array([len(table.columns) for table in lakehouse_of(plan).tables])
    return np.cumsum(counts) - counts, counts


@functools.lru_cache(maxsize=4)
def _column_names(plan: Plan) -> list[str]:
    words = vocabulary()
    tables = lakehouse_of(plan).tables
    return [
        *(column for table in tables for column in table.columns),
        *words["added_columns"],
        *words["added_sensitive_columns"],
    ]


def _table(
    rng: np.random.Generator,
    plan: Plan,
    day: int,
    name: str,
    events: pa.Table,
    rows: _Rows,
    more: dict[str, pa.Array],
) -> pa.Table:
    taken = events.take(pa.array(rows.event))
    columns = {field: taken[field] for field in taken.column_names}
    for side, place in (("source", rows.source), ("target", rows.target)):
        columns |= _side(plan, side, place)
    of_path = pick(["PATH"], np.where(rows.path.is_valid().to_numpy(zero_copy_only=False), 0, -1))
    columns |= {
        "source_path": rows.path,
        "source_type": pc.coalesce(columns["source_type"], of_path),
        "account_id": ACCOUNT,
        "metastore_id": METASTORE,
        "event_date": plan.parameters.day(day),
        "record_id": uuids(rng, len(rows.event)),
        "direct_access": pa.array(rows.is_direct),
        **more,
    }
    return filled(name, len(rows.event), columns)


def _side(plan: Plan, side: str, place: Ints) -> dict[str, pa.Array]:
    tables = lakehouse_of(plan).tables
    kinds = {"MANAGED": "TABLE", "EXTERNAL": "TABLE"}
    return {
        f"{side}_table_full_name": pick([t.full_name for t in tables], place),
        f"{side}_table_catalog": pick([t.catalog for t in tables], place),
        f"{side}_table_schema": pick([t.schema for t in tables], place),
        f"{side}_table_name": pick([t.name for t in tables], place),
        f"{side}_type": pick([kinds.get(t.kind, t.kind) for t in tables], place),
    }
