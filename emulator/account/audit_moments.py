"""Moments that audit events share with other tables: a run's begin and end, a cluster's hours."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from emulator.account.activity import activity_on
from emulator.account.columns import HOUR, Bools, Ints, midnight
from emulator.account.job_runs import FAILED, JOB_RUN, SUCCEEDED, runs_on
from emulator.account.jobs import jobs_of
from emulator.account.plan import Entity, Plan

_STREAM_ORDER = 81
_SECOND = 1_000_000
_STARTS_WITHIN = 240 * _SECOND  # from asking for a cluster until it runs
_RUN_STATES = {"run_start": None, "run_succeeded": SUCCEEDED, "run_failed": FAILED}


@dataclass(frozen=True, eq=False)
class Occasions:
    """Moments in an order of chance: the thing by its place in its family, and its run if any."""

    family: str
    thing: Ints
    workspace: Ints
    micros: Ints
    run: Ints

    def __len__(self) -> int:
        return len(self.thing)


@functools.lru_cache(maxsize=16)
def occasions_of(plan: Plan, day: int, moment: str) -> Occasions:
    """All occasions of a day; those of one kind of thing come in the same order."""
    if moment in _RUN_STATES:
        return _of_runs(plan, day, moment)
    return _of_clusters(plan, day, moment)


def _of_runs(plan: Plan, day: int, moment: str) -> Occasions:
    """The runs of jobs with compute of their own, which end on the day that they began."""
    runs, jobs = runs_on(plan, day), jobs_of(plan)
    state = _RUN_STATES[moment]
    own = np.array([not job.is_guest and not job.is_submitted for job in jobs])[runs.job]
    fits: Bools = own & (runs.type == JOB_RUN) & (runs.end > runs.start)
    fits &= runs.end < midnight(plan, day + 1)
    if state is not None:
        fits &= runs.state == state
    order = plan.parameters.rng(_STREAM_ORDER, day).permutation(len(runs))
    chosen = order[fits[order]]
    places = np.array([job.place for job in jobs])[runs.job[chosen]]
    times = runs.start if state is None else runs.end
    return Occasions(
        "job", *_things(plan, "job", places), micros=times[chosen], run=runs.run_id[chosen]
    )


def _of_clusters(plan: Plan, day: int, moment: str) -> Occasions:
    """The first and the last moment at which a cluster that people made was on."""
    is_on, begin, end = activity_on(plan, day).of_entities(plan)
    kinds = np.array([entity.product.entity == "cluster" for entity in plan.entities])
    order = plan.parameters.rng(_STREAM_ORDER, day).permutation(len(plan.entities))
    places = order[(kinds & is_on.any(axis=1))[order]]
    first = is_on[places].argmax(axis=1)
    last = 23 - is_on[places][:, ::-1].argmax(axis=1)
    start = first * HOUR + begin[places, first] * _SECOND
    stop = last * HOUR + end[places, last] * _SECOND
    # What is on at midnight is neither started nor stopped.
    changes = stop < 24 * HOUR if moment == "cluster_stop" else start > 0
    places, start, stop = places[changes], start[changes], stop[changes]
    ahead = np.minimum(start, _STARTS_WITHIN if moment == "cluster_asked" else 0)
    micros = midnight(plan, day) + (stop if moment == "cluster_stop" else start - ahead)
    none = np.zeros(len(places), dtype=np.int64)
    return Occasions("cluster", *_things(plan, "cluster", places), micros=micros, run=none)


def _things(plan: Plan, kind: str, places: Ints) -> tuple[Ints, Ints]:
    """Places in the family, and workspaces, of entities at these places in the plan."""
    is_kind = np.array([_is_in_family(entity, kind) for entity in plan.entities])
    homes = np.array([e.workspace.index if e.workspace else -1 for e in plan.entities])
    return (np.cumsum(is_kind) - 1)[places], homes[places]


def _is_in_family(entity: Entity, kind: str) -> bool:
    return entity.product.entity == kind and entity.workspace is not None
