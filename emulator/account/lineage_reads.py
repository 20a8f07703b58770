"""The reads of a day: by statements of the query history, and by notebooks and other clients."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emulator.account.columns import (
    HOUR,
    Bools,
    Floats,
    Ints,
    midnight,
    moments,
    pick,
    uuids,
    where,
)
from emulator.account.lakehouse import lakehouse_of
from emulator.account.lineage_writes import event_metadata
from emulator.account.people import people_of
from emulator.account.plan import Plan
from emulator.account.queries import (
    DASHBOARD,
    EDITOR,
    FINISHED,
    NOTEBOOK,
    TOOL,
    queries_on,
    statements,
)
from emulator.account.query_history import recorded_on

_OF_STATEMENTS = 0.6
_NAMED_TABLE = re.compile(r"(?:FROM|JOIN)\s+(\w+\.\w+\.\w+)")
_ENTITY_TYPES = {EDITOR: "DBSQL_QUERY", DASHBOARD: "DASHBOARD_V3", NOTEBOOK: "NOTEBOOK"}
_POPULAR = {"bronze": 1.0, "silver": 2.0, "gold": 6.0}


@dataclass(frozen=True)
class Reads:
    """Events, and for each table that an event has read: its place, and whether it was named."""

    events: pa.Table
    event: Ints
    table: Ints
    is_direct: Bools


def reads_on(rng: np.random.Generator, plan: Plan, day: int, wanted: int) -> Reads:
    """About as many reads of tables as are wanted."""
    by_statements, (event, table) = _by_statements(rng, plan, day, round(wanted * _OF_STATEMENTS))
    others = max(wanted - len(event), 4)
    by_others, source = _by_others(rng, plan, day, others)
    direct_event = np.concatenate([event, len(by_statements) + np.arange(others)])
    direct = np.concatenate([table, source])
    # Whoever reads a view reads what is behind it, too.
    tables = lakehouse_of(plan).tables
    behind = np.array([t.sources[0] if t.is_view else -1 for t in tables])[direct]
    through = np.flatnonzero(behind >= 0)
    return Reads(
        events=pa.concat_tables([by_statements, by_others]),
        event=np.concatenate([direct_event, direct_event[through]]),
        table=np.concatenate([direct, behind[through]]),
        is_direct=np.arange(len(direct) + len(through)) < len(direct),
    )


def _by_statements(
    rng: np.random.Generator, plan: Plan, day: int, wanted: int
) -> tuple[pa.Table, tuple[Ints, Ints]]:
    """One event a statement, and the tables that its text names."""
    queries = queries_on(plan, day)
    named = _named_tables(plan)
    number = np.array([len(places) for places in named])
    known = np.isin(queries.source, [*_ENTITY_TYPES, TOOL]) & (number[queries.statement] > 0)
    eligible = np.flatnonzero(known & (queries.state == FINISHED) & ~queries.is_cached)
    chosen = np.sort(rng.choice(eligible, min(wanted, len(eligible)), replace=False))
    history = recorded_on(plan, day).table.take(pa.array(chosen)).combine_chunks()
    source = queries.source[chosen]
    types = [_ENTITY_TYPES.get(n) for n in range(max(TOOL, NOTEBOOK) + 1)]
    asked_by = history["query_source"].combine_chunks()
    query = where(source == EDITOR, pc.struct_field(asked_by, "sql_query_id"))
    dashboard, notebook = (pc.struct_field(asked_by, f"{n}_id") for n in ("dashboard", "notebook"))
    statement = history["statement_id"]
    events = pa.table(
        {
            "workspace_id": history["workspace_id"],
            "entity_type": pick(types, source),
            "entity_id": pc.coalesce(query, dashboard, notebook),
            "entity_run_id": where(source != TOOL, statement),
            "created_by": history["executed_by"],
            "event_time": history["start_time"],
            "event_id": uuids(rng, len(chosen)),
            "statement_id": statement,
            "entity_metadata": event_metadata(
                dashboard_id=dashboard, notebook_id=notebook, sql_query_id=query
            ),
        }
    )
    what = queries.statement[chosen]
    event = np.repeat(np.arange(len(chosen)), number[what])
    flat = np.array([place for places in named for place in places], dtype=np.int64)
    first = np.cumsum(number) - number
    within = np.arange(len(event)) - np.repeat(np.cumsum(number[what]) - number[what], number[what])
    return events, (event, flat[first[what][event] + within])


@functools.lru_cache(maxsize=4)
def _named_tables(plan: Plan) -> list[list[int]]:
    """The places of the tables that each statement reads."""
    numbers = {table.full_name: table.number for table in lakehouse_of(plan).tables}
    return [
        [numbers[name] for name in _NAMED_TABLE.findall(entry["text"]) if name in numbers]
        if entry["type"] == "SELECT"
        else []
        for entry in statements()["statements"]
    ]


def _by_others(rng: np.random.Generator, plan: Plan, day: int, rows: int) -> tuple[pa.Table, Ints]:
    """Notebooks on clusters, and clients of which no asset is known: no statement is recorded."""
    is_notebook = rng.random(rows) < 0.5
    # Each day has both, so that the smallest account has them.
    is_notebook[:2] = (True, False)
    people = people_of(plan)
    users = people.numbers("user")
    reader = rng.choice(users, rows, p=people.weights("user"))
    notebooks = [e for e in plan.living(day) if e.product.entity == "notebook"]
    notebook = np.where(is_notebook, rng.integers(0, len(notebooks), rows), -1)
    place = np.where(is_notebook, -1, rng.integers(0, len(plan.workspaces), rows))
    ids = pick([entity.entity_id for entity in notebooks], notebook)
    homes = pick([entity.workspace_id for entity in notebooks], notebook)
    names = pick([person.name for person in people.everyone], reader)
    hours: Floats = np.clip(rng.normal(12.5, 3.5, rows), 0, 23.99)
    events = pa.table(
        {
            "workspace_id": pc.coalesce(
                homes, pick([w.workspace_id for w in plan.workspaces], place)
            ),
            "entity_type": pick(["NOTEBOOK"], np.where(is_notebook, 0, -1)),
            "entity_id": ids,
            "entity_run_id": where(is_notebook, uuids(rng, rows)),
            "created_by": where(is_notebook | (rng.random(rows) < 0.7), names),
            "event_time": moments(midnight(plan, day) + (hours * HOUR).astype(np.int64)),
            "event_id": uuids(rng, rows),
            "statement_id": pa.nulls(rows, pa.string()),
            "entity_metadata": event_metadata(notebook_id=ids),
        }
    )
    lakehouse = lakehouse_of(plan)
    alive = [n for n in lakehouse.alive(day) if _is_read(plan, int(n))]
    weights = np.array([_POPULAR[lakehouse.tables[n].schema] for n in alive])
    return events, rng.choice(np.array(alive), rows, p=weights / weights.sum())


def _is_read(plan: Plan, number: int) -> bool:
    """Copies that nobody writes are read by nobody."""
    table = lakehouse_of(plan).tables[number]
    return table.is_view or table.writer is not None
