"""job_run_timeline and job_task_run_timeline: the runs of a day, cut into slices."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pyarrow as pa

from emulator.account.columns import (
    Bools,
    DayRows,
    Ints,
    filled,
    lags,
    midnight,
    moments,
    pick,
    repeated,
    structs,
    texts,
    where,
)
from emulator.account.job_runs import (
    FAILED,
    RUN_TYPES,
    STATES,
    SUCCEEDED,
    TRIGGERS,
    Runs,
    runs_on,
)
from emulator.account.jobs import TASK_KEYS, jobs_of
from emulator.account.plan import ACCOUNT, Plan
from emulator.account.slices import Attempts, attempts, cut

_STREAM_TIMELINE = 44
_SECOND = 1_000_000
# The service reports durations, and names who started a run, only from these days on.
FIRST_DAY_OF_DURATIONS, FIRST_DAY_OF_ORIGINS = 3, 2
_OF_TASKS = ("setup", "cleanup", "execution")
_OF_RUNS = (*_OF_TASKS, "queue", "run")
_COMPUTE_TYPES = ("CLUSTER", "WAREHOUSE", "SERVERLESS")
_CODES = (
    "SUCCESS",
    "RUN_EXECUTION_ERROR",
    "INTERNAL_ERROR",
    "USER_CANCELED",
    "CANCELED",
    "MAX_CONCURRENT_RUNS_EXCEEDED",
    "MAX_JOB_QUEUE_SIZE_EXCEEDED",
    "SUCCESS_WITH_FAILURES",
    "CLOUD_FAILURE",
)
_LOST_NODES = len(_CODES) - 1
_TYPES = {
    "SUCCESS": "SUCCESS",
    "SUCCESS_WITH_FAILURES": "SUCCESS",
    "INTERNAL_ERROR": "INTERNAL_ERROR",
    "CLOUD_FAILURE": "CLOUD_FAILURE",
}
_PARAMETERS: list[Any] = [
    [("date", [("default", "2026-01-01"), ("value", "2026-11-20")])],
    [("mode", [("default", "incremental"), ("value", "full")]), ("customer", [("value", "c-17")])],
]


@functools.lru_cache(maxsize=4)
def run_slices(plan: Plan, day: int) -> DayRows:
    """The slices of all runs that began on a day, and the days until each is in the table."""
    rng = plan.parameters.rng(_STREAM_TIMELINE, day, 0)
    runs = runs_on(plan, day)
    tries = attempts(runs.start, runs.end, runs.attempts)
    slices = cut(tries.start, tries.end, _aligned(plan, runs)[tries.source])
    attempt = slices.source
    run = tries.source[attempt]
    state = _state(runs, tries)[attempt]
    columns = {
        **_common(plan, day, runs, run),
        **_ending(state, runs.lost_nodes[run] == 1, slices.is_last),
        "job_id": texts(runs.job_id[run]),
        "run_id": texts(runs.run_id[run]),
        "period_start_time": moments(slices.start),
        "period_end_time": moments(slices.end),
        "trigger_type": pick(TRIGGERS, runs.trigger[run]),
        "run_type": pick(RUN_TYPES, runs.type[run]),
        "run_name": _run_names(plan, runs, run),
        "job_parameters": _parameters("job_parameters", runs.run_id[run]),
    }
    if day >= FIRST_DAY_OF_ORIGINS:
        parents = texts(runs.parent[run] * 10, runs.parent[run] >= 0)
        columns |= {"source_task_run_id": parents, "root_task_run_id": parents}
    if day >= FIRST_DAY_OF_DURATIONS:
        lasts = (tries.end - tries.start)[attempt] // _SECOND
        columns |= _durations(runs.run_id[run], lasts, slices.is_last, _OF_RUNS)
    table = filled("lakeflow.job_run_timeline", len(run), columns)
    if day < FIRST_DAY_OF_ORIGINS:
        table = table.drop_columns(["source_task_run_id", "root_task_run_id"])
    return DayRows(table, _lags(rng, plan, day, slices.end))


@functools.lru_cache(maxsize=4)
def task_slices(plan: Plan, day: int) -> DayRows:
    """The same of their tasks; a run that never started has none, a repair repeats the last."""
    rng = plan.parameters.rng(_STREAM_TIMELINE, day, 1)
    every = runs_on(plan, day)
    runs = every.take(np.flatnonzero(every.end > every.start))
    tries = attempts(runs.start, runs.end, runs.attempts)
    tasks = np.array([job.tasks for job in jobs_of(plan)])[runs.job][tries.source]
    counts = np.where(tries.number == 0, tasks, 1)
    attempt, within = repeated(counts)
    each = ((tries.end - tries.start) // counts)[attempt]
    is_final = within == counts[attempt] - 1
    start = tries.start[attempt] + within * each
    end = np.where(is_final, tries.end[attempt], start + each)
    run = tries.source[attempt]
    repair = tries.number[attempt]
    key = np.where(repair > 0, tasks[attempt] - 1, within)
    state = np.where(is_final, _state(runs, tries)[attempt], SUCCEEDED)
    # Room for five tasks and two repairs.
    task_run_id = runs.run_id[run] * 10 + np.where(repair > 0, len(TASK_KEYS) - 1 + repair, within)
    slices = cut(start, end, _aligned(plan, runs)[run])
    task, run = slices.source, run[slices.source]
    columns = {
        **_common(plan, day, runs, run),
        **_ending(state[task], (runs.lost_nodes[run] == 1) & is_final[task], slices.is_last),
        "job_id": texts(runs.job_id[run]),
        "run_id": texts(task_run_id[task]),
        "job_run_id": texts(runs.run_id[run]),
        "parent_run_id": texts(runs.run_id[run]),
        "period_start_time": moments(slices.start),
        "period_end_time": moments(slices.end),
        "task_key": pick(TASK_KEYS, key[task]),
        "task_parameters": _parameters("task_parameters", runs.run_id[run] + 3, task=True),
    }
    if day >= FIRST_DAY_OF_DURATIONS:
        lasts = (end - start)[task] // _SECOND
        columns |= _durations(task_run_id[task], lasts, slices.is_last, _OF_TASKS)
    table = filled("lakeflow.job_task_run_timeline", len(run), columns)
    return DayRows(table, _lags(rng, plan, day, slices.end))


def _aligned(plan: Plan, runs: Runs) -> Bools:
    found: Bools = np.array([job.is_clock_aligned for job in jobs_of(plan)])[runs.job]
    return found


def _state(runs: Runs, tries: Attempts) -> Ints:
    """How each attempt ended: all before the last one failed."""
    return np.where(tries.is_last, runs.state[tries.source], FAILED)


def _common(plan: Plan, day: int, runs: Runs, run: Ints) -> dict[str, Any]:
    """The columns that both tables have and that the job says."""
    jobs = jobs_of(plan)
    workspaces = [job.entity.workspace_id for job in jobs]
    ids = [job.compute_id_on(plan, day) for job in jobs]
    kinds = np.array([_COMPUTE_TYPES.index(job.compute_type) for job in jobs])
    job = runs.job[run]
    # A run that never started had no compute.
    has_compute = (runs.end > runs.start)[run]
    has_id = np.array([found is not None for found in ids])[job] & has_compute
    compute_ids = pick(ids, job)
    kind = kinds[job]
    item = pa.struct([(n, pa.string()) for n in ("type", "cluster_id", "warehouse_id")])
    compute = structs(
        item,
        {
            "type": pick(_COMPUTE_TYPES, kind),
            "cluster_id": where(kind == 0, compute_ids),
            "warehouse_id": where(kind == 1, compute_ids),
        },
        np.zeros(len(run), dtype=bool),
    )
    return {
        "account_id": ACCOUNT,
        "workspace_id": pick(workspaces, job),
        "compute_ids": _lists(compute_ids, has_id),
        "compute": _lists(compute, has_compute),
    }


def _lists(values: pa.Array, is_given: Bools) -> pa.Array:
    """Lists of one value, or of none."""
    offsets = np.concatenate([[0], np.cumsum(is_given)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values.filter(pa.array(is_given)))


def _ending(state: Ints, has_lost_nodes: Bools, is_last: Bools) -> dict[str, Any]:
    """State and code stand on the slice that ends an attempt only."""
    code = np.where(has_lost_nodes, _LOST_NODES, state)
    types = [_TYPES.get(code, "CLIENT_ERROR") for code in _CODES]
    return {
        "result_state": pick(STATES, np.where(is_last, state, -1)),
        "termination_code": pick(_CODES, np.where(is_last, code, -1)),
        "termination_type": pick(types, np.where(is_last, code, -1)),
    }


def _durations(
    seed: Ints, lasts: Ints, is_last: Bools, names: tuple[str, ...]
) -> dict[str, pa.Array]:
    """Reported on the slice that ends an attempt; now and then as 0, which says nothing."""
    setup = np.minimum(seed % 211, lasts // 4)
    cleanup = np.minimum(seed % 13, lasts // 8)
    found = {
        "setup": setup,
        "queue": np.where(seed % 17 == 0, seed % 97, 0),
        "run": np.where(seed % 29 == 0, 0, lasts),
        "cleanup": cleanup,
        "execution": lasts - setup - cleanup,
    }
    return {f"{name}_duration_seconds": pa.array(found[name], mask=~is_last) for name in names}


def _run_names(plan: Plan, runs: Runs, run: Ints) -> pa.Array:
    """Submitted runs and workflows have names of their own."""
    names = [job.name for job in jobs_of(plan)]
    return where(runs.type[run] > 0, pick(names, runs.job[run]))


def _parameters(column: str, run_id: Ints, *, task: bool = False) -> pa.Array:
    """Every fifth run has some."""
    table = "lakeflow.job_task_run_timeline" if task else "lakeflow.job_run_timeline"
    type_ = filled(table, 0, {}).schema.field(column).type
    return pick(_PARAMETERS, np.where(run_id % 5 == 0, run_id // 5 % 2, -1), type_)


def _lags(rng: np.random.Generator, plan: Plan, day: int, end: Ints) -> Ints:
    """No slice is in the table before it has ended."""
    zero = midnight(plan, day)
    ended = np.maximum(end - 1 - zero, 0) // (24 * 3600 * _SECOND)
    landed: Ints = np.maximum(lags(rng, end, zero), ended)
    return landed
