"""query.history: the statements of a day as rows, which are still revised for some days."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from emulator.account.columns import (
    HOUR,
    Bools,
    Ints,
    filled,
    lags,
    midnight,
    moments,
    pick,
    structs,
    texts,
    uuids,
    where,
)
from emulator.account.job_runs import runs_on
from emulator.account.people import people_of
from emulator.account.plan import ACCOUNT, Plan
from emulator.account.queries import (
    ALERT,
    CANCELED,
    DASHBOARD,
    EDITOR,
    FAILED,
    FINISHED,
    GENIE,
    JOB,
    LITERALS,
    NOTEBOOK,
    Queries,
    queries_on,
    statements,
)

NAME = "query.history"
# From this day on rows say how many bytes were pruned, and carry tags.
FIRST_DAY_OF_BYTES = 2
_STREAM_HISTORY = 48
_STATES = ("FINISHED", "FAILED", "CANCELED")
_CLIENTS = (
    "Databricks SQL Editor",
    "Databricks SQL Dashboard",
    "Databricks SQL Genie Space",
    "Databricks SQL Alert",
    "Tableau Desktop",
    "Databricks Jobs",
    "Databricks Notebooks",
)
_DRIVERS = (None, None, None, None, "Databricks ODBC Driver", None, None)
_REVISED_SHARE = 0.02
_DAY = 24 * HOUR
_FEW = 30  # dashboards, spaces, saved queries and alerts of a workspace


@dataclass(frozen=True, eq=False)
class Recorded:
    """The rows of a day as they end, the days until each is there, and until it is final."""

    table: pa.Table
    lag: Ints
    final: Ints


def history_as_of(plan: Plan, day: int, last_day: int) -> pa.Table:
    """The statements of a day as the table shows them at the end of ``last_day``."""
    recorded = recorded_on(plan, day)
    age = last_day - day
    is_first = recorded.final > age
    table = recorded.table
    for name, values in _first_values(table, is_first).items():
        table = table.set_column(table.schema.get_field_index(name), name, values)
    return table.filter(pa.array(recorded.lag <= age))


@functools.lru_cache(maxsize=2)
def recorded_on(plan: Plan, day: int) -> Recorded:
    """All statements that began on a day."""
    rng = plan.parameters.rng(_STREAM_HISTORY, day)
    queries = queries_on(plan, day)
    size = len(queries)
    zero = midnight(plan, day)
    lag = np.maximum(lags(rng, queries.end, zero), (queries.end - zero) // _DAY)
    revised = rng.random(size) < _REVISED_SHARE
    revised[rng.integers(size)] = True
    final = np.where(revised, np.maximum(lag + 1, rng.integers(1, 3, size)), lag)
    final = np.minimum(final, np.maximum(lag, 3))
    written = queries.end + rng.integers(50_000, 20_000_000, size)
    later = zero + final * _DAY + rng.integers(HOUR, 20 * HOUR, size)
    updated = np.where((final > lag) | (lag > 1), later, written)
    ids = statement_ids(plan, day)
    columns = {
        **_who(rng, plan, queries),
        **_durations(rng, queries),
        **_bytes(rng, queries, day),
        "account_id": ACCOUNT,
        "statement_id": ids,
        "execution_status": pick(_STATES, queries.state),
        "compute": _compute(plan, queries),
        "statement_text": _texts(queries),
        "statement_type": pick([s["type"] for s in statements()["statements"]], queries.statement),
        "error_message": _errors(queries),
        "client_application": pick(_CLIENTS, queries.source),
        "client_driver": pick(_DRIVERS, queries.source),
        "start_time": moments(queries.start),
        "end_time": moments(queries.end),
        "update_time": moments(updated),
        "from_result_cache": pa.array(queries.is_cached),
        "cache_origin_statement_id": _cache_origins(rng, queries, ids),
        "query_source": _sources(plan, day, queries),
        "query_tags": _tags(queries, day),
    }
    table = filled(NAME, size, columns)
    if day < FIRST_DAY_OF_BYTES:
        table = table.drop_columns(["pruned_files_bytes", "read_files_bytes", "query_tags"])
    return Recorded(table, lag, final)


def statement_ids(plan: Plan, day: int) -> pa.Array:
    """The identifiers of a day's statements."""
    return uuids(plan.parameters.rng(_STREAM_HISTORY, day, 1), len(queries_on(plan, day)))


def _first_values(table: pa.Table, is_first: Bools) -> dict[str, pa.Array]:
    """What the first version of a row said: less work, nothing fetched, and its own time."""
    end = np.asarray(table["end_time"].cast(pa.int64()))
    updated = np.asarray(table["update_time"].cast(pa.int64()))
    task_ms = np.asarray(table["total_task_duration_ms"])
    fetched = table["result_fetch_duration_ms"].combine_chunks()
    return {
        "update_time": moments(np.where(is_first, end + 1_000_000, updated)),
        "total_task_duration_ms": pa.array(np.where(is_first, task_ms * 9 // 10, task_ms)),
        "result_fetch_duration_ms": where(~is_first, fetched),
    }


def _who(rng: np.random.Generator, plan: Plan, queries: Queries) -> dict[str, Any]:
    everyone = people_of(plan).everyone
    names = [principal.name for principal in everyone]
    sessions = uuids(rng, max(len(queries) // 6, 1))
    workspaces = [workspace.workspace_id for workspace in plan.workspaces]
    return {
        "workspace_id": pick(workspaces, queries.workspace),
        "executed_by": pick(names, queries.user),
        "executed_by_user_id": texts(10**15 + queries.user),
        "executed_as": pick(names, queries.as_user),
        "executed_as_user_id": texts(10**15 + queries.as_user),
        "session_id": sessions.take(pa.array(rng.integers(0, len(sessions), len(queries)))),
    }


def _durations(rng: np.random.Generator, queries: Queries) -> dict[str, pa.Array]:
    fetches = np.where(queries.state == FINISHED, rng.integers(2, 900, len(queries)), 0)
    return {
        "total_duration_ms": pa.array(queries.total),
        "waiting_for_compute_duration_ms": pa.array(queries.waits_for_compute),
        "waiting_at_capacity_duration_ms": pa.array(queries.waits_at_capacity),
        "execution_duration_ms": pa.array(queries.executes),
        "compilation_duration_ms": pa.array(queries.compiles),
        "total_task_duration_ms": pa.array(queries.task_ms),
        "result_fetch_duration_ms": pa.array(fetches),
    }


def _bytes(rng: np.random.Generator, queries: Queries, day: int) -> dict[str, pa.Array]:
    read = queries.read_bytes
    files = read // 64_000_000 + (read > 0)
    writes = np.array(
        [s["type"] in ("MERGE", "INSERT", "COPY") for s in statements()["statements"]]
    )
    written = np.where(writes[queries.statement] & (queries.state == FINISHED), read // 4, 0)
    pruned = files * (queries.literal % 7)
    rows = read // 160
    found = {
        "read_bytes": pa.array(read),
        "read_rows": pa.array(rows),
        "read_files": pa.array(files),
        "read_partitions": pa.array(files // 8),
        "pruned_files": pa.array(pruned),
        "produced_rows": pa.array(np.where(written > 0, 0, np.minimum(rows, 1 + rows % 9973))),
        "read_io_cache_percent": pa.array(rng.integers(0, 101, len(queries)), pa.int8()),
        "spilled_local_bytes": pa.array(queries.spilled_bytes),
        "shuffle_read_bytes": pa.array(read // 6),
        "written_bytes": pa.array(written),
        "written_rows": pa.array(written // 200),
        "written_files": pa.array(written // 128_000_000 + (written > 0)),
    }
    if day >= FIRST_DAY_OF_BYTES:
        found["pruned_files_bytes"] = pa.array(pruned * 64_000_000)
        found["read_files_bytes"] = pa.array(read)
    return found


def _compute(plan: Plan, queries: Queries) -> pa.Array:
    on_warehouse = queries.place >= 0
    ids = [entity.entity_id for entity in plan.entities]
    return structs(
        _type("compute"),
        {
            "type": pick(["SERVERLESS_COMPUTE", "WAREHOUSE"], on_warehouse.astype(np.int64)),
            "warehouse_id": pick(ids, queries.place),
        },
        np.zeros(len(queries), dtype=bool),
    )


def _texts(queries: Queries) -> pa.Array:
    entries = statements()["statements"]
    numbers = range(LITERALS)
    known = [entry["text"].replace("{n}", str(3 + 17 * n)) for entry in entries for n in numbers]
    return pick(known, queries.statement * LITERALS + queries.literal)


def _errors(queries: Queries) -> pa.Array:
    errors = statements()["errors"]
    failed = np.where(queries.state == FAILED, queries.literal % len(errors), -1)
    return pick(
        [*errors, "The query was cancelled."],
        np.where(queries.state == CANCELED, len(errors), failed),
    )


def _cache_origins(rng: np.random.Generator, queries: Queries, ids: pa.Array) -> pa.Array:
    """A cached answer names a statement of the day that was answered in earnest."""
    earnest = np.flatnonzero(~queries.is_cached)
    own = np.arange(len(queries))
    if not len(earnest):
        return ids
    origin = earnest[rng.integers(0, len(earnest), len(queries))]
    return ids.take(pa.array(np.where(queries.is_cached, origin, own)))


def _sources(plan: Plan, day: int, queries: Queries) -> pa.Array:
    runs = runs_on(plan, day)
    run = np.maximum(queries.run, 0)
    of_job = queries.run >= 0
    type_ = _type("query_source")
    job_info = structs(
        type_.field("job_info").type,
        {
            "job_id": texts(runs.job_id[run]),
            "job_run_id": texts(runs.run_id[run]),
            "job_task_run_id": texts(runs.run_id[run] * 10),
        },
        ~of_job,
    )
    thing = queries.workspace * _FEW + queries.literal % _FEW
    notebooks = [entity.entity_id for entity in plan.entities]
    return structs(
        type_,
        {
            "job_info": job_info,
            "dashboard_id": _thing("da", thing, queries.source == DASHBOARD),
            "genie_space_id": _thing("9e", thing, queries.source == GENIE),
            "alert_id": _thing("a1", thing, queries.source == ALERT),
            "sql_query_id": _thing("59", thing, np.isin(queries.source, [EDITOR, ALERT])),
            "notebook_id": pick(
                notebooks, np.where(queries.source == NOTEBOOK, queries.entity, -1)
            ),
        },
        np.zeros(len(queries), dtype=bool),
    )


def _thing(prefix: str, number: Ints, is_given: Bools) -> pa.Array:
    """The id of a dashboard and the like: 32 hexadecimal digits."""
    known = [f"{prefix}{n:030x}" for n in range(int(number.max()) + 1)]
    return pick(known, np.where(is_given, number, -1))


def _tags(queries: Queries, day: int) -> pa.Array | None:
    if day < FIRST_DAY_OF_BYTES:
        return None
    known = [[("team", "finance")], [("team", "marketing"), ("purpose", "report")], []]
    chosen = np.where(queries.source == JOB, 2, queries.literal % 11)
    return pick(known, np.where(chosen < len(known), chosen, -1), _type("query_tags"))


def _type(column: str) -> Any:
    return filled(NAME, 0, {}).schema.field(column).type
