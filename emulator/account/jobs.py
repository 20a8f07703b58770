"""The jobs of the account: those with compute of their own, and the guests on others' compute.

A guest runs on an all-purpose cluster or a warehouse. The bill does not know it: the usage is the
cluster's or the warehouse's, and only the runs say what they ran on.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from emulator.account.meters import job_cluster_id, submitted_job_id
from emulator.account.plan import Entity, Plan

TASK_KEYS = ("ingest", "clean", "join", "aggregate", "publish")
_FIRST_GUEST_ID = 900_000
_RUN_ID_BASE = 10**14
_GUEST_NUMBERS = 100_000


@dataclass(frozen=True, eq=False)
class Job:
    """A job; its entity is itself or, for a guest, what it runs on (at this place in the plan)."""

    entity: Entity
    place: int
    number: int
    job_id: str
    name: str
    tasks: int
    is_guest: bool

    @property
    def is_submitted(self) -> bool:
        return self.entity.product.entity == "submit"

    @property
    def is_clock_aligned(self) -> bool:
        """Whether the slices of its runs end with the hour, or an hour after the run began."""
        return self.number // 2 % 2 == 0

    @property
    def compute_type(self) -> str:
        if self.is_guest:
            return "WAREHOUSE" if self.entity.product.entity == "warehouse" else "CLUSTER"
        return "SERVERLESS" if self.entity.product.serverless else "CLUSTER"

    def job_id_on(self, day: int) -> str:
        return submitted_job_id(self.entity, day) if self.is_submitted else self.job_id

    def compute_id_on(self, plan: Plan, day: int) -> str | None:
        if self.is_guest:
            return self.entity.entity_id
        return None if self.entity.product.serverless else job_cluster_id(plan, self.entity, day)

    def run_id_on(self, day: int) -> int:
        """The first of the hundred ids that its runs of a day may have."""
        return _RUN_ID_BASE + self.number * 10**9 + (day + 1) * 1000


@functools.lru_cache(maxsize=4)
def jobs_of(plan: Plan) -> tuple[Job, ...]:
    """All jobs that the account ever has, submitted ones too."""
    found = []
    for place, entity in enumerate(plan.entities):
        if entity.product.entity in ("job", "submit"):
            tasks = 1 + (entity.number + entity.number // 1000 * 2) % len(TASK_KEYS)
            job = Job(entity, place, entity.number, entity.entity_id, entity.name, tasks, False)
            found.append(job)
        found += [_guest(entity, place, ordinal) for ordinal in range(_guests(entity))]
    return tuple(found)


@functools.lru_cache(maxsize=4)
def job_places(plan: Plan) -> dict[int, int]:
    """Place of an entity with runs of its own -> place of its job."""
    return {job.place: n for n, job in enumerate(jobs_of(plan)) if not job.is_guest}


def own_job(plan: Plan, entity: Entity) -> Job:
    """The job that an entity is."""
    return jobs_of(plan)[job_places(plan)[plan.entities.index(entity)]]


def _guests(entity: Entity) -> int:
    """Every cluster has one to three, every other warehouse has one."""
    if entity.product.entity == "cluster":
        return 1 + entity.number % 3
    return int(entity.product.entity == "warehouse" and entity.number % 2 == 0)


def _guest(entity: Entity, place: int, ordinal: int) -> Job:
    number = _GUEST_NUMBERS + entity.number * 10 + ordinal
    return Job(
        entity=entity,
        place=place,
        number=number,
        job_id=str(_FIRST_GUEST_ID + entity.number * 10 + ordinal),
        name=f"{entity.name}-report-{ordinal + 1}",
        tasks=1 + number % 2,
        is_guest=True,
    )
