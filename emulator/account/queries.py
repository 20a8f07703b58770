"""The statements of one day: where and when they ran, for whom, and how heavy they were."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from emulator.account.columns import HOUR, Bools, Floats, Ints, is_weekend, midnight, share_out
from emulator.account.job_runs import JOB_RUN, runs_on
from emulator.account.jobs import jobs_of
from emulator.account.people import people_of
from emulator.account.plan import Plan
from emulator.account.troubles import trouble_on
from emulator.account.warehouse_events import on_seconds

LITERALS = 40
SOURCES = ("editor", "dashboard", "genie", "alert", "tool", "job", "notebook")
EDITOR, DASHBOARD, GENIE, ALERT, TOOL, JOB, NOTEBOOK = range(len(SOURCES))
FINISHED, FAILED, CANCELED = range(3)
_FILE = Path(__file__).with_name("statements.yml")
_STREAM_QUERIES = 47
_SECOND = 1_000_000
_PER_USAGE_ROW, _WEEKDAY_SHARE, _WEEKEND_SHARE = 0.3, 1.1, 0.75
# Shares of the statements that come from jobs on warehouses, serverless jobs and notebooks.
_OF_GUESTS, _OF_JOBS, _OF_NOTEBOOKS = 0.12, 0.08, 0.06
_SOURCE_SHARES = (0.3, 0.4, 0.06, 0.04, 0.2)
_CACHED_SHARE, _QUEUED_SHARE, _SPILL_SHARE, _AS_OTHER_SHARE = 0.12, 0.05, 0.04, 0.06
_TROUBLED_SHARE, _QUEUEING_WEIGHT = 0.3, 3
_SPILLING, _SLOW = 3, 0  # places of the statements that go wrong


@dataclass(frozen=True, eq=False)
class Queries:
    """Statements as columns; ``place`` is the warehouse's (-1 on serverless compute), ``run`` that
    of the run in the day's runs, ``entity`` that of a notebook. Durations are milliseconds."""

    place: Ints
    workspace: Ints
    run: Ints
    entity: Ints
    source: Ints
    statement: Ints
    literal: Ints
    user: Ints
    as_user: Ints
    state: Ints
    is_cached: Bools
    start: Ints
    waits_for_compute: Ints
    waits_at_capacity: Ints
    compiles: Ints
    executes: Ints
    task_ms: Ints
    read_bytes: Ints
    spilled_bytes: Ints
    hidden_weight: Floats

    def __len__(self) -> int:
        return len(self.place)

    @property
    def total(self) -> Ints:
        waits = self.waits_for_compute + self.waits_at_capacity
        total: Ints = waits + self.compiles + self.executes
        return total

    @property
    def end(self) -> Ints:
        end: Ints = self.start + self.total * 1000
        return end


@dataclass(frozen=True)
class _Windows:
    """Where statements may run: on what (see ``Queries``), and from when to when."""

    place: Ints
    workspace: Ints
    run: Ints
    entity: Ints
    start: Ints
    end: Ints
    weight: Floats


@functools.cache
def statements() -> dict[str, Any]:
    """statements.yml."""
    document: dict[str, Any] = yaml.safe_load(_FILE.read_text())
    return document


@functools.lru_cache(maxsize=4)
def queries_on(plan: Plan, day: int) -> Queries:
    """All statements that begin on a day."""
    rng = plan.parameters.rng(_STREAM_QUERIES, day)
    windows, kinds = _chosen_windows(rng, plan, day)
    size = len(kinds)
    source, statement = _drawn(rng, kinds)
    spills, slow = _troubled(rng, plan, day, windows, statement)
    load = _load(rng, plan, day, windows, statement, slow)
    state = np.select([rng.random(size) < 0.03, rng.random(size) < 0.012], [FAILED, CANCELED], 0)
    is_cached = (rng.random(size) < _CACHED_SHARE) & (source < JOB) & (state == FINISHED) & ~spills
    executes = np.where(is_cached, 0, load["executes"])
    task_ms = np.where(is_cached, 0, load["executes"] * rng.lognormal(1.6, 0.7, size)).astype(int)
    read = np.where(is_cached, 0, load["read_bytes"])
    spilled = np.where(
        spills | (rng.random(size) < _SPILL_SHARE) & ~is_cached, read * 3 // 5 + 1, 0
    )
    total = executes + load["waits_for_compute"] + load["waits_at_capacity"] + load["compiles"]
    room = np.maximum(windows.end - windows.start - total * 1000, 0)
    user, as_user = _users(rng, plan, day, windows, source)
    where = {name: getattr(windows, name) for name in ("place", "workspace", "run", "entity")}
    return Queries(
        **where,
        source=source,
        statement=statement,
        literal=rng.integers(0, LITERALS, size),
        user=user,
        as_user=as_user,
        state=state,
        is_cached=is_cached,
        start=windows.start + (rng.random(size) * room).astype(np.int64) // 1000 * 1000,
        waits_for_compute=load["waits_for_compute"],
        waits_at_capacity=load["waits_at_capacity"],
        compiles=load["compiles"],
        executes=executes,
        task_ms=task_ms,
        read_bytes=read,
        spilled_bytes=spilled,
        hidden_weight=rng.lognormal(0, 0.3, size),
    )


def _drawn(rng: np.random.Generator, kinds: Ints) -> tuple[Ints, Ints]:
    """Where each statement came from, and which one it is."""
    size = len(kinds)
    source = np.where(kinds == 0, rng.choice(len(_SOURCE_SHARES), size, p=_SOURCE_SHARES), JOB)
    source[kinds == 3] = NOTEBOOK
    shares = np.array([entry["share"] for entry in statements()["statements"]], dtype=np.float64)
    return source, rng.choice(len(shares), size, p=shares / shares.sum())


def _chosen_windows(rng: np.random.Generator, plan: Plan, day: int) -> tuple[_Windows, Ints]:
    """One window a statement, and which of the four kinds it is of."""
    share = _WEEKEND_SHARE if is_weekend(plan, day) else _WEEKDAY_SHARE
    wanted = max(12, round(plan.parameters.rows_per_day * _PER_USAGE_ROW * share))
    groups = [
        _warehouse_windows(plan, day),
        _run_windows(plan, day, "WAREHOUSE"),
        _run_windows(plan, day, "SERVERLESS"),
        _notebook_windows(plan, day),
    ]
    shares = [1 - _OF_GUESTS - _OF_JOBS - _OF_NOTEBOOKS, _OF_GUESTS, _OF_JOBS, _OF_NOTEBOOKS]
    weights = np.array(
        [share if len(group.place) else 0.0 for share, group in zip(shares, groups, strict=True)]
    )
    counts = np.maximum(share_out(wanted, weights), (weights > 0).astype(np.int64))
    parts = []
    for group, count in zip(groups, counts, strict=True):
        index = np.zeros(0, dtype=np.int64)
        if count:
            index = np.sort(
                rng.choice(len(group.place), count, p=group.weight / group.weight.sum())
            )
        parts.append({name: column[index] for name, column in vars(group).items()})
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return _Windows(**joined), np.repeat(np.arange(len(groups)), counts)


def _warehouse_windows(plan: Plan, day: int) -> _Windows:
    is_on, begin, end = on_seconds(plan, day)
    kinds = np.array([entity.product.entity == "warehouse" for entity in plan.entities])
    place, hour = np.nonzero(is_on & kinds[:, None])
    zero = midnight(plan, day) + hour * HOUR
    queueing = trouble_on(plan, "warehouse_queueing", day)
    crowded = np.array([queueing is not None and queueing.entity is e for e in plan.entities])
    crowds = np.where(crowded[place], _QUEUEING_WEIGHT, 1.0)
    return _windows(
        plan,
        place,
        zero + begin[place, hour] * _SECOND,
        zero + end[place, hour] * _SECOND,
        weight=((1 + place % 5) * crowds).astype(np.float64),
    )


def _run_windows(plan: Plan, day: int, compute_type: str) -> _Windows:
    runs = runs_on(plan, day)
    jobs = jobs_of(plan)
    fits = np.array([job.compute_type == compute_type for job in jobs])[runs.job]
    chosen = np.flatnonzero(fits & (runs.end > runs.start) & (runs.type == JOB_RUN))
    place = np.array([job.place for job in jobs])[runs.job[chosen]]
    start = runs.start[chosen]
    # Before the pause of a run that was repaired, and on its first day.
    ends = start + (runs.end - runs.start)[chosen] // runs.attempts[chosen] * 3 // 4
    found = _windows(plan, place, start, ends, run=chosen)
    if compute_type == "SERVERLESS":
        return _Windows(**{**vars(found), "place": np.full(len(place), -1)})
    return found


def _notebook_windows(plan: Plan, day: int) -> _Windows:
    is_on, begin, end = on_seconds(plan, day)
    kinds = np.array([entity.product.entity == "notebook" for entity in plan.entities])
    place, hour = np.nonzero(is_on & kinds[:, None])
    zero = midnight(plan, day) + hour * HOUR
    start, stop = zero + begin[place, hour] * _SECOND, zero + end[place, hour] * _SECOND
    found = _windows(plan, place, start, stop)
    return _Windows(**{**vars(found), "place": np.full(len(place), -1), "entity": place})


def _windows(
    plan: Plan,
    place: Ints,
    start: Ints,
    end: Ints,
    *,
    run: Ints | None = None,
    weight: Floats | None = None,
) -> _Windows:
    homes = np.array([e.workspace.index if e.workspace else -1 for e in plan.entities])
    none = np.full(len(place), -1)
    return _Windows(
        place=place,
        workspace=homes[place],
        run=none if run is None else run,
        entity=none,
        start=start,
        end=end,
        weight=np.ones(len(place)) if weight is None else weight,
    )


def _troubled(
    rng: np.random.Generator, plan: Plan, day: int, windows: _Windows, statement: Ints
) -> tuple[Bools, Bools]:
    """Which statements spill, and which are slow, for something went wrong; makes some of them."""
    marks = []
    for kind, which in (("spilling_query", _SPILLING), ("slow_query", _SLOW)):
        trouble = trouble_on(plan, kind, day)
        found = np.array([trouble is not None and trouble.entity is e for e in plan.entities])
        there = (windows.place >= 0) & found[windows.place]
        statement[there & (rng.random(len(statement)) < _TROUBLED_SHARE)] = which
        marks.append(there & (statement == which))
    return marks[0], marks[1]


def _load(
    rng: np.random.Generator,
    plan: Plan,
    day: int,
    windows: _Windows,
    statement: Ints,
    slow: Bools,
) -> dict[str, Ints]:
    """Durations and bytes; together they take at most half of the window."""
    entries = statements()["statements"]
    size = len(statement)
    usual = np.array([entry["milliseconds"] for entry in entries], dtype=np.float64)[statement]
    read = np.array([entry["megabytes"] for entry in entries], dtype=np.float64)[statement]
    executes = usual * rng.lognormal(0, 0.5, size) * np.where(slow, 9, 1)
    queueing = trouble_on(plan, "warehouse_queueing", day)
    crowded = np.array([queueing is not None and queueing.entity is e for e in plan.entities])
    waits_long = (windows.place >= 0) & crowded[windows.place] & (rng.random(size) < 0.7)
    queued = rng.random(size) < _QUEUED_SHARE
    at_capacity = np.where(queued, rng.integers(500, 20_000, size), 0)
    at_capacity = np.where(waits_long, rng.integers(30_000, 120_000, size), at_capacity)
    for_compute = np.where(rng.random(size) < 0.02, rng.integers(1000, 6000, size), 0)
    room = (windows.end - windows.start) // 2000
    return {
        "executes": np.maximum(np.minimum(executes, room // 2), 1).astype(np.int64),
        "waits_at_capacity": np.minimum(np.where(windows.place < 0, 0, at_capacity), room // 4),
        "waits_for_compute": np.minimum(for_compute, room // 8),
        "compiles": np.minimum(rng.integers(15, 900, size), room // 8),
        "read_bytes": (read * 1_000_000 * rng.lognormal(0, 0.4, size)).astype(np.int64),
    }


def _users(
    rng: np.random.Generator, plan: Plan, day: int, windows: _Windows, source: Ints
) -> tuple[Ints, Ints]:
    """Who asked, and with whose rights: a job's owner runs its statements."""
    people = people_of(plan)
    users = people.numbers("user")
    size = len(source)
    user = rng.choice(users, size, p=people.weights("user"))
    owners = [people.number_of[job.entity.owner] for job in jobs_of(plan)]
    runs = runs_on(plan, day)
    of_run = np.array(owners)[runs.job[windows.run]]
    user = np.where(source == JOB, of_run, user)
    other = (source == DASHBOARD) & (rng.random(size) < _AS_OTHER_SHARE * 2.5)
    return user, np.where(other, rng.choice(users, size), user)
