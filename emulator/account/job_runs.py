"""The job runs of one day: when, how they ended, how often they were tried."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from emulator.account.activity import SECONDS, Activity, activity_on
from emulator.account.columns import HOUR, Bools, Ints, midnight
from emulator.account.jobs import job_places, jobs_of
from emulator.account.meters import STORM_RUNS_AN_HOUR
from emulator.account.plan import Plan
from emulator.account.troubles import trouble_on

STATES = (
    "SUCCEEDED",
    "FAILED",
    "ERROR",
    "CANCELLED",
    "TIMED_OUT",
    "SKIPPED",
    "BLOCKED",
    "PARTIALLY_SUCCEEDED",  # none of the documented ones: new words appear
)
SUCCEEDED, FAILED, ERROR, CANCELLED, TIMED_OUT, SKIPPED, BLOCKED, UNKNOWN = range(len(STATES))
RUN_TYPES = ("JOB_RUN", "SUBMIT_RUN", "WORKFLOW_RUN")
JOB_RUN, SUBMIT_RUN, WORKFLOW_RUN = range(len(RUN_TYPES))
TRIGGERS = ("CRON", "ONETIME", "RETRY")
CRON, ONETIME, RETRY = range(len(TRIGGERS))
_SECOND = 1_000_000
_STREAM_RUNS = 43
_CHILD_JOB_IDS = 800_000_000
_LEAST_REPAIRED = 900 * _SECOND
# Shares of how runs end; what is left succeeds, the last share at the second attempt.
_ENDS = ((FAILED, 0.025), (CANCELLED, 0.01), (TIMED_OUT, 0.006), (ERROR, 0.004), (SUCCEEDED, 0.02))
# One run a day that is sure to end so, whatever the shares bring: a state and its attempts.
_SURE = (
    (SUCCEEDED, 2),
    (FAILED, 1),
    (UNKNOWN, 1),
    (CANCELLED, 1),
    (SUCCEEDED, 3),
    (TIMED_OUT, 1),
    (ERROR, 1),
    (FAILED, 2),
)


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs as columns; ``job`` is the place of the job, times are microseconds since 1970."""

    job: Ints
    job_id: Ints
    run_id: Ints
    parent: Ints
    start: Ints
    end: Ints
    state: Ints
    attempts: Ints
    type: Ints
    trigger: Ints
    lost_nodes: Ints

    def take(self, index: Ints, **changes: Any) -> Runs:
        taken = {field.name: getattr(self, field.name)[index] for field in fields(self)}
        return Runs(**{**taken, **changes})

    def __len__(self) -> int:
        return len(self.job)


@functools.lru_cache(maxsize=4)
def runs_on(plan: Plan, day: int) -> Runs:
    """All runs that begin on a day."""
    rng = plan.parameters.rng(_STREAM_RUNS, day)
    activity = activity_on(plan, day)
    job, run_id, start, end = _concatenate(
        [_daily(plan, day, activity), _hourly(plan, day, activity), _storm(plan, day, activity)]
    )
    guests = _guests(rng, plan, day, activity)
    job, run_id, start, end = _concatenate([(job, run_id, start, end), guests])
    runs = _ended(rng, plan, day, job, run_id, start, end)
    return _joined([runs, _never_started(rng, plan, runs), _children(rng, plan, runs)])


def _daily(plan: Plan, day: int, activity: Activity) -> tuple[Ints, ...]:
    """One run from the first hour to the last; submitted ones go on after midnight."""
    meters = _meters(activity, 0)
    hours = np.array([(m.hours[0], m.hours[-1]) for m in activity.meters])[meters]
    first, last = hours[:, 0], hours[:, 1]
    zero = midnight(plan, day)
    start = zero + first * HOUR + activity.begin[meters, first] * _SECOND
    end = zero + last * HOUR + activity.end[meters, last] * _SECOND
    kinds = np.array([activity.meters[m].entity.product.entity == "submit" for m in meters])
    after = np.where(kinds & (last == 23), zero + 24 * HOUR + start % (900 * _SECOND), end)
    return _jobs(plan, activity, meters), _bases(activity, meters), start, after


def _hourly(plan: Plan, day: int, activity: Activity) -> tuple[Ints, ...]:
    meters = _meters(activity, 1)
    row, hour = np.nonzero(activity.is_on[meters])
    which = meters[row]
    zero = midnight(plan, day) + hour * HOUR
    start = zero + activity.begin[which, hour] * _SECOND
    end = zero + activity.end[which, hour] * _SECOND
    return _jobs(plan, activity, which), _bases(activity, which) + hour, start, end


def _storm(plan: Plan, day: int, activity: Activity) -> tuple[Ints, ...]:
    """Several short runs an hour, one after the other."""
    meters = _meters(activity, STORM_RUNS_AN_HOUR)
    row, hour = np.nonzero(activity.is_on[meters])
    which = np.repeat(meters[row], STORM_RUNS_AN_HOUR)
    hour = np.repeat(hour, STORM_RUNS_AN_HOUR)
    turn = np.arange(len(which)) % STORM_RUNS_AN_HOUR
    begin = activity.begin[which, hour]
    each = (activity.end[which, hour] - begin) // STORM_RUNS_AN_HOUR
    start = midnight(plan, day) + hour * HOUR + (begin + turn * each) * _SECOND
    run_id = _bases(activity, which) + hour + 24 * turn
    return _jobs(plan, activity, which), run_id, start, start + each * 4 // 5 * _SECOND


def _guests(rng: np.random.Generator, plan: Plan, day: int, activity: Activity) -> tuple[Ints, ...]:
    """Runs on clusters and warehouses, in every other hour that those are on, some longer."""
    jobs = jobs_of(plan)
    stuck = trouble_on(plan, "stuck_cluster", day)
    guests = np.array(
        [
            n
            for n, job in enumerate(jobs)
            if job.is_guest and job.entity is not (stuck and stuck.entity)
        ]
    )
    if not len(guests):
        return tuple(np.zeros(0, dtype=np.int64) for _ in range(4))
    hosts = np.array([jobs[n].place for n in guests])
    is_on, begin, end = (found[hosts] for found in activity.of_entities(plan))
    turn = (np.arange(24)[None, :] + guests[:, None]) % 2 == 0
    first = np.arange(24)[None, :] == is_on.argmax(axis=1)[:, None]
    row, hour = np.nonzero(is_on & (turn | first))
    zero = hour * SECONDS + begin[row, hour]
    # Into the next hour, if the host does not stop in between.
    later = np.minimum(hour + 1, 23)
    goes_on = (hour < 23) & is_on[row, later] & (begin[row, later] == 0)
    goes_on &= end[row, hour] == SECONDS
    limit = hour * SECONDS + end[row, hour] + np.where(goes_on, end[row, later], 0)
    start = zero + (rng.random(len(row)) * np.minimum(limit - zero, SECONDS) / 4).astype(np.int64)
    lasts = rng.lognormal(np.log(900 + guests[row] * 613 % 1500), 0.25).astype(np.int64)
    stop = np.minimum(start + lasts, limit - 30)
    bases = np.array([jobs[n].run_id_on(day) for n in guests])
    zero_us = midnight(plan, day)
    return guests[row], bases[row] + hour, zero_us + start * _SECOND, zero_us + stop * _SECOND


def _ended(
    rng: np.random.Generator, plan: Plan, day: int, job: Ints, run_id: Ints, start: Ints, end: Ints
) -> Runs:
    size = len(job)
    fate = rng.random(size)
    state = np.full(size, SUCCEEDED)
    attempts = np.ones(size, dtype=np.int64)
    passed = 0.0
    for ends, share in _ENDS:
        chosen = (fate >= passed) & (fate < passed + share)
        state[chosen] = ends
        attempts[chosen] = 2 if ends == SUCCEEDED else 1
        passed += share
    long = np.flatnonzero(end - start >= _LEAST_REPAIRED)
    if len(long):
        state_for_sure, attempts_for_sure = _SURE[day % len(_SURE)]
        chosen = rng.choice(long)
        state[chosen], attempts[chosen] = state_for_sure, attempts_for_sure
    lost = _troubled(plan, day, "spot_loss", job)
    storm = _troubled(plan, day, "retry_storm", job)
    state[lost | storm | _troubled(plan, day, "failing_job", job)] = FAILED
    state[_troubled(plan, day, "job_timeouts", job)] = TIMED_OUT
    attempts[(end - start < _LEAST_REPAIRED) | storm] = 1
    types = np.array([SUBMIT_RUN if j.is_submitted else JOB_RUN for j in jobs_of(plan)])[job]
    trigger = np.where(types == SUBMIT_RUN, ONETIME, np.where(fate > 0.97, ONETIME, CRON))
    ids = np.array([int(j.job_id_on(day)) for j in jobs_of(plan)])
    return Runs(
        job=job,
        job_id=ids[job],
        run_id=run_id,
        parent=np.full(size, -1),
        start=start,
        end=end,
        state=state,
        attempts=attempts,
        type=types,
        trigger=np.where(storm & (run_id % 100 >= 24), RETRY, trigger),
        lost_nodes=lost.astype(np.int64),
    )


def _never_started(rng: np.random.Generator, plan: Plan, runs: Runs) -> Runs:
    """Runs that came while another one of their job went on; they use nothing."""
    own = ~np.array([job.is_guest for job in jobs_of(plan)])[runs.job]
    _, first = np.unique(np.where(own, runs.job, -1), return_index=True)
    candidates = first[own[first]]
    count = max(1, int(rng.binomial(len(candidates), 0.05)))
    chosen = np.sort(rng.choice(candidates, min(count, len(candidates)), replace=False))
    moment = (runs.start[chosen] + runs.end[chosen]) // 2
    state = np.where(rng.random(len(chosen)) < 0.35, BLOCKED, SKIPPED)
    ones = np.ones(len(chosen), dtype=np.int64)
    base = runs.run_id[chosen] // 1000 * 1000
    return runs.take(
        chosen, run_id=base + 996, start=moment, end=moment, state=state, attempts=ones
    )


def _children(rng: np.random.Generator, plan: Plan, runs: Runs) -> Runs:
    """Notebook workflows: runs within a run, on its compute and at its cost."""
    candidates = np.flatnonzero((runs.state == SUCCEEDED) & (runs.type == JOB_RUN))
    count = max(1, int(rng.binomial(len(candidates), 0.03)))
    chosen = np.sort(rng.choice(candidates, min(count, len(candidates)), replace=False))
    lasts = (runs.end - runs.start)[chosen]
    start = runs.start[chosen] + lasts // 10
    return runs.take(
        chosen,
        job_id=_CHILD_JOB_IDS + runs.job_id[chosen],
        run_id=runs.run_id[chosen] * 10 + 9,
        parent=runs.run_id[chosen],
        start=start,
        end=start + lasts // 2,
        type=np.full(len(chosen), WORKFLOW_RUN),
        trigger=np.full(len(chosen), ONETIME),
        attempts=np.ones(len(chosen), dtype=np.int64),
    )


def _troubled(plan: Plan, day: int, kind: str, job: Ints) -> Bools:
    """Marks the runs of the jobs (and of the guests of the clusters) to which this happens."""
    trouble = trouble_on(plan, kind, day)
    found = [trouble is not None and j.entity is trouble.entity for j in jobs_of(plan)]
    return np.array(found, dtype=bool)[job]


def _meters(activity: Activity, runs_an_hour: int) -> Ints:
    found = [
        place
        for place, meter in enumerate(activity.meters)
        if meter.run_id is not None and meter.runs_an_hour == runs_an_hour
    ]
    return np.array(found, dtype=np.int64)


def _jobs(plan: Plan, activity: Activity, meters: Ints) -> Ints:
    places = job_places(plan)
    of_meters = [places.get(meter.place, -1) for meter in activity.meters]
    return np.array(of_meters, dtype=np.int64)[meters]


def _bases(activity: Activity, meters: Ints) -> Ints:
    return np.array([meter.run_id or 0 for meter in activity.meters], dtype=np.int64)[meters]


def _concatenate(parts: list[tuple[Ints, ...]]) -> tuple[Ints, ...]:
    return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))


def _joined(parts: list[Runs]) -> Runs:
    names = [field.name for field in fields(Runs)]
    return Runs(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})
