"""Tasks of jobs, jobs on others' compute, and pipelines: what existed, and how it changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from emulator.account.jobs import TASK_KEYS, Job, jobs_of
from emulator.account.plan import ACCOUNT, Entity, Plan

Row = dict[str, Any]

CREATED_AT, CHANGED_AT, DELETED_AT = 0.25, 9.5, 18.75
_HOURS = {"created": CREATED_AT, "changed": CHANGED_AT, "deleted": DELETED_AT}


def changes_on(entity: Entity, day: int) -> Iterator[tuple[int, str]]:
    """(day, what) of the versions that are exported on ``day``; the first day brings the past."""
    events = [(entity.created, "created"), *((change, "changed") for change in entity.changes)]
    if entity.deleted is not None:
        events.append((entity.deleted, "deleted"))
    for on, what in events:
        if max(on, 0) == day:
            yield on, what


def moment_of(plan: Plan, change: tuple[int, str]) -> datetime:
    """When a version began; a deletion keeps the day's usage: its last day is the one before."""
    on, what = change
    return plan.parameters.moment(on - (what == "deleted"), _HOURS[what])


def job_row(job: Job, version: int, created: datetime) -> Row:
    """A version of a job, without the columns that all versions of anything have."""
    entity = job.entity
    cron = f"0 {entity.number % 60} {entity.hours[0]} * * ?"
    schedule = {"schedule": {"quartz_cron_expression": cron, "timezone_id": "UTC"}}
    return {
        "job_id": job.job_id,
        "name": job.name if version == 0 else f"{job.name}-v{version + 1}",
        "creator_id": entity.owner,
        "run_as": entity.owner,
        "trigger": schedule,
        "trigger_type": "SCHEDULE",
        "run_as_user_name": entity.owner,
        "creator_user_name": entity.owner,
        "paused": False,
        "timeout_seconds": 0 if version == 0 else 7200,
        "health_rules": [],
        "create_time": created,
    }


def guest_jobs(plan: Plan, day: int) -> Iterator[Row]:
    """The jobs on others' compute; they come and go with it, and never change."""
    for job in jobs_of(plan):
        if not job.is_guest:
            continue
        created = plan.parameters.moment(job.entity.created, CREATED_AT)
        for change in changes_on(job.entity, day):
            if change[1] != "changed":
                versioned = versioned_columns(job.entity, moment_of(plan, change), change[1])
                yield {**versioned, **job_row(job, 0, created)}


def job_tasks(plan: Plan, day: int) -> Iterator[Row]:
    """Each task follows the one before; a change of the job changes its first task's timeout."""
    for job in jobs_of(plan):
        if job.is_submitted:
            continue
        for on, what in changes_on(job.entity, day):
            changed = what == "changed"
            if changed and job.is_guest:
                continue
            versioned = versioned_columns(job.entity, moment_of(plan, (on, what)), what)
            del versioned["tags"]
            for place, key in enumerate(TASK_KEYS[: 1 if changed else job.tasks]):
                yield {
                    **versioned,
                    "job_id": job.job_id,
                    "task_key": key,
                    "depends_on_keys": list(TASK_KEYS[place - 1 : place]) if place else [],
                    "timeout_seconds": 3600 if changed else 0,
                    "health_rules": [],
                }


def pipelines(plan: Plan, day: int) -> Iterator[Row]:
    """The versions of pipelines."""
    for entity in plan.entities:
        if entity.product.entity != "pipeline":
            continue
        for on, what in changes_on(entity, day):
            version = entity.version_on(on)
            yield {
                **versioned_columns(entity, moment_of(plan, (on, what)), what),
                "pipeline_id": entity.entity_id,
                "pipeline_type": "ETL_PIPELINE",
                "name": entity.name if version == 0 else f"{entity.name}-v{version + 1}",
                "created_by": entity.owner,
                "run_as": entity.owner,
                "settings": {
                    "photon": bool(entity.product.features["is_photon"]),
                    "development": entity.number % 7 == 3,
                    "continuous": is_continuous(entity),
                    "serverless": False,
                    "edition": "ADVANCED",
                    "channel": "CURRENT" if version == 0 else "PREVIEW",
                },
                "configuration": [("pipelines.trigger.interval", "5 minutes")],
                "create_time": plan.parameters.moment(entity.created, CREATED_AT),
            }


def is_continuous(pipeline: Entity) -> bool:
    """Whether the pipeline runs all day, or only as long as it takes."""
    return pipeline.number % 2 == 0


def versioned_columns(entity: Entity, moment: datetime, what: str) -> Row:
    """The columns that every version of anything has."""
    return {
        "account_id": ACCOUNT,
        "workspace_id": entity.workspace_id,
        "tags": None if entity.tags is None else list(entity.tags),
        "change_time": moment,
        "delete_time": moment if what == "deleted" else None,
    }
