"""The events behind lineage: which job, pipeline, notebook, dashboard or query, and whose."""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emulator.account.activity import activity_on
from emulator.account.columns import (
    Bools,
    Ints,
    midnight,
    moments,
    pick,
    structs,
    uuid_of,
    uuids,
    where,
)
from emulator.account.lakehouse import lakehouse_of
from emulator.account.people import people_of
from emulator.account.plan import Entity, Plan
from emulator.account.schemas import system_tables
from emulator.account.writers import moment_of_writing

_STREAM_DASHBOARDS = 75
_DASHBOARDS = 12
_READERS = ("DBSQL_QUERY", "DASHBOARD_V3", "NOTEBOOK", None)
_READER_SHARES = (0.4, 0.25, 0.2, 0.15)


def events_of_writes(rng: np.random.Generator, plan: Plan, day: int, targets: Ints) -> pa.Table:
    """One event for each table that is written."""
    tables = [lakehouse_of(plan).tables[number] for number in targets]
    writers = [(table, table.writer) for table in tables if table.writer is not None]
    runs = _runs(plan, day)
    kinds = ["PIPELINE" if w.product.entity == "pipeline" else "JOB" for _, w in writers]
    micros = [midnight(plan, day) + moment_of_writing(w, t) for t, w in writers]
    is_job = np.array([kind == "JOB" for kind in kinds])
    ids = pa.array([w.entity_id for _, w in writers], pa.string())
    run_ids = pa.array([runs[w] for _, w in writers], pa.string())
    return _events(
        workspace_id=pa.array([w.workspace_id for _, w in writers], pa.string()),
        entity_type=pa.array(kinds, pa.string()),
        entity_id=ids,
        entity_run_id=run_ids,
        created_by=pa.array([w.owner for _, w in writers], pa.string()),
        event_time=moments(np.array(micros, dtype=np.int64)),
        event_id=uuids(rng, len(writers)),
        statement_id=pa.nulls(len(writers), pa.string()),
        entity_metadata=_metadata(
            job_info=(is_job, {"job_id": ids, "job_run_id": run_ids}),
            dlt_pipeline_info=(~is_job, {"dlt_pipeline_id": ids, "dlt_update_id": run_ids}),
        ),
    )


def events_of_reads(rng: np.random.Generator, plan: Plan, day: int, micros: Ints) -> pa.Table:
    """One event for each read, by people and, where no asset is known, by other clients."""
    rows = len(micros)
    kind = rng.choice(len(_READERS), rows, p=_READER_SHARES)
    # Each day has one of each kind, so that the smallest account has them.
    kind[: len(_READERS)] = np.arange(len(_READERS))
    people = people_of(plan)
    users = people.numbers("user")
    reader = rng.choice(users, rows, p=people.weights("user"))
    notebooks = [e for e in plan.living(day) if e.product.entity == "notebook"]
    notebook = np.where(kind == 2, rng.integers(0, len(notebooks), rows), -1)
    workspace = np.where(kind == 2, 0, rng.integers(0, len(plan.workspaces), rows))
    homes = pick([n.workspace_id for n in notebooks], notebook)
    places = pick([w.workspace_id for w in plan.workspaces], np.where(kind == 2, -1, workspace))
    dashboards = pick(
        _dashboards(plan), np.where(kind == 1, rng.integers(0, _DASHBOARDS, rows), -1)
    )
    queries = where(kind == 0, uuids(rng, rows))
    notebook_ids = pick([n.entity_id for n in notebooks], notebook)
    statements = where(kind < 2, uuids(rng, rows))
    sessions = where(kind == 2, uuids(rng, rows))
    names = pick([person.name for person in people.everyone], reader)
    return _events(
        workspace_id=pc.coalesce(homes, places),
        entity_type=pick(_READERS, kind),
        entity_id=pc.coalesce(queries, dashboards, notebook_ids),
        entity_run_id=pc.coalesce(statements, sessions),
        created_by=where((kind < 3) | (rng.random(rows) < 0.7), names),
        event_time=moments(micros),
        event_id=uuids(rng, rows),
        statement_id=statements,
        entity_metadata=_metadata(
            dashboard_id=dashboards, notebook_id=notebook_ids, sql_query_id=queries
        ),
    )


def _events(**columns: pa.Array) -> pa.Table:
    return pa.table(columns)


def _metadata(**known: pa.Array | tuple[Bools, dict[str, pa.Array]]) -> pa.StructArray:
    """entity_metadata of the ids that are known; a struct comes with the rows that have it."""
    type_ = system_tables()["access.table_lineage"].arrow.field("entity_metadata").type
    children = {
        name: structs(type_.field(name).type, value[1], ~value[0])
        if isinstance(value, tuple)
        else value
        for name, value in known.items()
    }
    rows = len(next(iter(children.values())))
    return structs(type_, children, np.zeros(rows, dtype=np.bool_))


@functools.lru_cache(maxsize=4)
def _dashboards(plan: Plan) -> list[str]:
    rng = plan.parameters.rng(_STREAM_DASHBOARDS)
    return [uuid_of(rng).replace("-", "") for _ in range(_DASHBOARDS)]


@functools.lru_cache(maxsize=6)
def _runs(plan: Plan, day: int) -> dict[Entity, str]:
    """The run of each job, and the update of each pipeline, that writes on a day."""
    found: dict[Entity, str] = {}
    activity = activity_on(plan, day)
    for place, meter in enumerate(activity.meters):
        entity = meter.entity
        if entity in found:
            continue
        if meter.run_id is not None:
            first = int(activity.is_on[place].argmax()) if meter.runs_an_hour else 0
            found[entity] = str(meter.run_id + first)
        elif entity.product.entity == "pipeline":
            found[entity] = str(meter.labels["usage_metadata"]["dlt_update_id"])
    return found
