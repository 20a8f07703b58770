"""When the writers of tables write, and which of the lakehouse's flows run on a day."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from emulator.account.activity import activity_on
from emulator.account.columns import HOUR, Bools, Ints, midnight
from emulator.account.happenings import happenings_on
from emulator.account.job_runs import JOB_RUN, runs_on
from emulator.account.jobs import jobs_of
from emulator.account.lakehouse import LakeTable, lakehouse_of
from emulator.account.meters import pipeline_update_id
from emulator.account.plan import Entity, Plan

_MINUTE = HOUR // 60
_UPDATE_WRITES_AFTER, _UPDATE_WRITES_WITHIN = 25, 8  # minutes, when failed updates are over


@dataclass(frozen=True, eq=False)
class Flows:
    """What each writer moves: a target, and a source table (-1: none) or a path."""

    target: Ints
    source: Ints
    path: tuple[str | None, ...]
    from_day: Ints
    until_day: Ints


@dataclass(frozen=True)
class WriterRun:
    """The run of a job, or the update of a pipeline, that writes on a day."""

    run_id: str
    start: int
    end: int

    def writes_at(self, table: LakeTable) -> int:
        """Microseconds since 1970 at which it comes to this table."""
        share = 10 + table.number * 7 % 30
        return self.start + (self.end - self.start) * share // 100


@functools.lru_cache(maxsize=4)
def flows_of(plan: Plan) -> Flows:
    """All flows of the account; a table without any source is written from values."""
    found: list[tuple[int, int, str | None, int, int]] = []
    for table in lakehouse_of(plan).tables:
        writer = table.writer
        if writer is None:
            continue
        gone = table.dropped if writer.deleted is None else writer.deleted
        life = (max(table.created, writer.created), min(gone, table.dropped))
        for source in table.sources:
            found.append((table.number, source, None, *life))
        if not table.sources:
            found.append((table.number, -1, table.path, *life))
    return Flows(
        target=np.array([flow[0] for flow in found]),
        source=np.array([flow[1] for flow in found]),
        path=tuple(flow[2] for flow in found),
        from_day=np.array([flow[3] for flow in found]),
        until_day=np.array([flow[4] for flow in found]),
    )


def flows_on(plan: Plan, day: int) -> Ints:
    """The places of the flows that run on a day: not those into a stale table."""
    flows = flows_of(plan)
    runs: Bools = (flows.from_day <= day) & (day < flows.until_day)
    for happening in happenings_on(plan, day, "stale_table"):
        if happening.table is not None:
            runs &= flows.target != happening.table.number
    return np.flatnonzero(runs)


@functools.lru_cache(maxsize=8)
def writer_runs(plan: Plan, day: int) -> dict[Entity, WriterRun]:
    """The first run of each job, and the billed update of each pipeline, of a day."""
    found: dict[Entity, WriterRun] = {}
    runs, jobs = runs_on(plan, day), jobs_of(plan)
    for row in np.lexsort((runs.start, runs.job)):
        job = jobs[runs.job[row]]
        is_own = not job.is_guest and runs.type[row] == JOB_RUN and runs.end[row] > runs.start[row]
        if is_own and job.entity not in found:
            start, end = int(runs.start[row]), int(runs.end[row])
            # Before the pause of a run that was repaired.
            first_try = start + (end - start) // int(runs.attempts[row]) * 3 // 4
            found[job.entity] = WriterRun(str(runs.run_id[row]), start, first_try)
    activity = activity_on(plan, day)
    for place, meter in enumerate(activity.meters):
        if meter.entity.product.entity == "pipeline":
            hour = midnight(plan, day) + int(activity.is_on[place].argmax()) * HOUR
            start = hour + _UPDATE_WRITES_AFTER * _MINUTE
            end = start + _UPDATE_WRITES_WITHIN * _MINUTE
            found[meter.entity] = WriterRun(pipeline_update_id(meter.entity, day), start, end)
    return found


def written_at(plan: Plan, table: LakeTable, before: int, day: int) -> int | None:
    """The last write of a table before a moment of a day; NULL if that was before all days."""
    writer = table.writer
    if writer is None:
        return None
    last = day if writer.deleted is None else min(day, writer.deleted - 1)
    while last >= max(table.created, 0):
        stale = {happening.table for happening in happenings_on(plan, last, "stale_table")}
        if table not in stale:
            found = writer_runs(plan, last)[writer].writes_at(table)
            if found < before:
                return found
        last -= 1
    return None
