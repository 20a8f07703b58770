"""clusters, jobs, warehouses and workspaces_latest: what existed, and how it changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from emulator.account.incidents import Incident, all_incidents, incidents_on
from emulator.account.jobs import own_job
from emulator.account.lakeflow_definitions import (
    CREATED_AT,
    changes_on,
    guest_jobs,
    job_row,
    moment_of,
    versioned_columns,
)
from emulator.account.meters import (
    job_cluster_id,
    job_hours,
    node_type,
    pipeline_cluster_id,
    tags_on,
)
from emulator.account.plan import ACCOUNT, Entity, Plan
from emulator.account.troubles import Trouble, troubles_until

_INCIDENT_AT, _TROUBLE_AT = 0.1, 0.15
# The change of a setting that makes this go wrong.
_WRONG_SETTINGS: dict[str, dict[str, Any]] = {
    "stuck_cluster": {"auto_termination_minutes": 0},
    "warehouse_queueing": {"max_clusters": 1},
    "untagged_spender": {"tags": None},
}
_SIZES = ("2X-Small", "X-Small", "Small", "Medium", "Large", "X-Large", "2X-Large")
_TABLES = {"job": "lakeflow.jobs", "cluster": "compute.clusters", "warehouse": "compute.warehouses"}


def definition_versions(plan: Plan, day: int) -> dict[str, list[dict[str, Any]]]:
    """The rows that each version table gains on a day; the first day brings the past too."""
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in _TABLES.values()}
    for entity in plan.entities:
        table = _TABLES.get(entity.product.entity)
        if table is not None:
            rows[table] += [_version(plan, entity, change) for change in changes_on(entity, day)]
        rows["compute.clusters"] += _owned_clusters(plan, entity, day)
    for incident in all_incidents(plan):
        rows_of_incident = list(_incident_versions(plan, incident, day))
        if incident.entity is not None and rows_of_incident:
            rows[_TABLES[incident.entity.product.entity]] += rows_of_incident
    for trouble in troubles_until(plan, day):
        for row in _troubled_versions(plan, trouble, day):
            rows[_TABLES[trouble.entity.product.entity]].append(row)
    rows["lakeflow.jobs"] += guest_jobs(plan, day)
    return rows


def workspaces_latest(plan: Plan) -> list[dict[str, Any]]:
    """The workspaces as they are at the end of the last day."""
    parameters = plan.parameters
    return [
        {
            "account_id": ACCOUNT,
            "workspace_id": workspace.workspace_id,
            "workspace_name": (
                workspace.new_name
                if workspace.renamed_on is not None and workspace.renamed_on < parameters.days
                else workspace.name
            ),
            "workspace_url": f"https://dbc-{workspace.workspace_id}.cloud.databricks.com",
            "create_time": parameters.moment(-500 + workspace.index * 10, 10),
            "status": "RUNNING",
        }
        for workspace in plan.workspaces
    ]


def _version(plan: Plan, entity: Entity, change: tuple[int, str]) -> dict[str, Any]:
    moment = moment_of(plan, change)
    return _row(plan, entity, moment, entity.version_on(change[0]), change[1])


def _incident_versions(plan: Plan, incident: Incident, day: int) -> Iterator[dict[str, Any]]:
    """The wrong setting that caused an incident, and its repair the day after the last."""
    entity = incident.entity
    if entity is None or incident.kind not in ("oversized_cluster", "idle_warehouse"):
        return
    version = entity.version_on(day - 1)
    row = _row(plan, entity, plan.parameters.moment(day, _INCIDENT_AT), version, "changed")
    if day == incident.first_day and incident.kind == "oversized_cluster":
        yield {**row, "worker_count": row["worker_count"] * max(2, round(1 + incident.factor))}
    elif day == incident.first_day:
        yield {**row, "auto_stop_minutes": 0}
    elif day == incident.last_day + 1:
        yield row


def _troubled_versions(plan: Plan, trouble: Trouble, day: int) -> Iterator[dict[str, Any]]:
    """The change that made something go wrong, and the one that ended it."""
    changed = _WRONG_SETTINGS.get(trouble.kind)
    if changed is None or day not in (trouble.first_day, trouble.last_day + 1):
        return
    moment = plan.parameters.moment(day, _TROUBLE_AT)
    version = trouble.entity.version_on(day - 1)
    row = _row(plan, trouble.entity, moment, version, "changed")
    yield {**row, **changed} if day == trouble.first_day else row


def _row(plan: Plan, entity: Entity, moment: datetime, version: int, what: str) -> dict[str, Any]:
    created = plan.parameters.moment(entity.created, CREATED_AT)
    versioned = versioned_columns(entity, moment, what)
    kind = entity.product.entity
    if kind == "job":
        return {**versioned, **job_row(own_job(plan, entity), version, created)}
    if kind == "cluster":
        return {**versioned, **_cluster(entity, version, created, moment)}
    return {**versioned, **_warehouse(entity, version)}


def _cluster(entity: Entity, version: int, created: datetime, moment: datetime) -> dict[str, Any]:
    return {
        "cluster_id": entity.entity_id,
        "cluster_name": entity.name,
        "owned_by": entity.owner,
        "create_time": created,
        "driver_node_type": node_type(entity),
        "worker_node_type": node_type(entity),
        "worker_count": entity.size + 2 * version,
        "auto_termination_minutes": 60 if entity.number % 3 else 0,
        "enable_elastic_disk": True,
        "cluster_source": "UI",
        "init_scripts": [],
        "aws_attributes": {"first_on_demand": 1, "availability": "SPOT_WITH_FALLBACK"},
        "dbr_version": f"{15 + version}.4.x-scala2.12",
        "change_date": moment.date(),
        "data_security_mode": "USER_ISOLATION" if entity.number % 2 else "SINGLE_USER",
    }


def _warehouse(entity: Entity, version: int) -> dict[str, Any]:
    serverless = bool(entity.product.features["is_serverless"])
    return {
        "warehouse_id": entity.entity_id,
        "warehouse_name": entity.name,
        "warehouse_type": "SERVERLESS" if serverless else "PRO",
        "warehouse_channel": "CURRENT",
        "warehouse_size": _SIZES[(entity.size + version) % len(_SIZES)],
        "min_clusters": 1,
        "max_clusters": 1 + entity.size // 2,
        "auto_stop_minutes": 10 if serverless else 45,
        "created_by": entity.owner,
    }


def _owned_clusters(plan: Plan, entity: Entity, day: int) -> Iterator[dict[str, Any]]:
    """Clusters that a classic job or a pipeline makes for itself."""
    kind = entity.product.entity
    if kind == "pipeline" and max(entity.created, 0) == day:
        made = plan.parameters.moment(entity.created, CREATED_AT)
        yield _owned_cluster(entity, pipeline_cluster_id(entity), "PIPELINE", made, None)
    if kind in ("job", "submit") and not entity.product.serverless and entity.lives_on(day):
        cluster_id = job_cluster_id(plan, entity, day)
        hours = _all_hours(plan, entity, day)
        made = plan.parameters.moment(day, min(hours))
        gone = plan.parameters.moment(day, max(hours) + 1)
        tags = {"tags": tags_on(plan, entity, day)}
        yield {**_owned_cluster(entity, cluster_id, "JOB", made, None), **tags}
        yield {**_owned_cluster(entity, cluster_id, "JOB", made, gone), **tags}


def _all_hours(plan: Plan, entity: Entity, day: int) -> tuple[int, ...]:
    """A job's hours, and those in which it runs away."""
    wild = [i.hours for i in incidents_on(plan, day) if i.entity is entity]
    return sum(wild, job_hours(plan, entity, day))


def _owned_cluster(
    entity: Entity, cluster_id: str, source: str, made: datetime, gone: datetime | None
) -> dict[str, Any]:
    moment = gone or made
    owned = f"job-{entity.entity_id}" if source == "JOB" else f"dlt-{entity.entity_id}"
    return {
        **versioned_columns(entity, moment, "deleted" if gone else "created"),
        **_cluster(entity, 0, made, moment),
        "cluster_id": cluster_id,
        "cluster_name": f"{owned}-run",
        "cluster_source": source,
        "auto_termination_minutes": 0,
    }
