"""clusters, jobs, warehouses and workspaces_latest: what existed, and how it changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from emulator.account.incidents import Incident, all_incidents
from emulator.account.meters import job_cluster_id, node_type, pipeline_cluster_id
from emulator.account.plan import ACCOUNT, Entity, Parameters, Plan

_CREATED_AT, _CHANGED_AT, _DELETED_AT, _INCIDENT_AT = 0.25, 9.5, 18.75, 0.1
_SIZES = ("2X-Small", "X-Small", "Small", "Medium", "Large", "X-Large", "2X-Large")
_TABLES = {"job": "lakeflow.jobs", "cluster": "compute.clusters", "warehouse": "compute.warehouses"}


def definition_versions(plan: Plan, day: int) -> dict[str, list[dict[str, Any]]]:
    """The rows that each version table gains on a day; the first day brings the past too."""
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in _TABLES.values()}
    for entity in plan.entities:
        table = _TABLES.get(entity.product.entity)
        for change in _changes(entity, day):
            if table is not None:
                rows[table].append(_version(plan, entity, change))
        rows["compute.clusters"] += _owned_clusters(plan, entity, day)
    for incident in all_incidents(plan):
        rows_of_incident = list(_incident_versions(plan, incident, day))
        if incident.entity is not None and rows_of_incident:
            rows[_TABLES[incident.entity.product.entity]] += rows_of_incident
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


def _changes(entity: Entity, day: int) -> Iterator[tuple[int, str]]:
    """(day, what) of the versions that are exported on ``day``."""
    events = [(entity.created, "created"), *((change, "changed") for change in entity.changes)]
    if entity.deleted is not None:
        events.append((entity.deleted, "deleted"))
    for on, what in events:
        if max(on, 0) == day:
            yield on, what


def _version(plan: Plan, entity: Entity, change: tuple[int, str]) -> dict[str, Any]:
    on, what = change
    hours = {"created": _CREATED_AT, "changed": _CHANGED_AT, "deleted": _DELETED_AT}[what]
    # A deletion keeps the day's usage: the entity's last day is the one before.
    moment = plan.parameters.moment(on - (what == "deleted"), hours)
    deleted = moment if what == "deleted" else None
    return _row(plan.parameters, entity, moment, entity.version_on(on), deleted)


def _incident_versions(plan: Plan, incident: Incident, day: int) -> Iterator[dict[str, Any]]:
    """The wrong setting that caused an incident, and its repair the day after the last."""
    entity = incident.entity
    if entity is None or incident.kind not in ("oversized_cluster", "idle_warehouse"):
        return
    version = entity.version_on(day - 1)
    moment = plan.parameters.moment(day, _INCIDENT_AT)
    row = _row(plan.parameters, entity, moment, version, None)
    if day == incident.first_day and incident.kind == "oversized_cluster":
        yield {**row, "worker_count": row["worker_count"] * max(2, round(1 + incident.factor))}
    elif day == incident.first_day:
        yield {**row, "auto_stop_minutes": 0}
    elif day == incident.last_day + 1:
        yield row


def _row(
    parameters: Parameters,
    entity: Entity,
    moment: datetime,
    version: int,
    deleted: datetime | None,
) -> dict[str, Any]:
    common = {
        "account_id": ACCOUNT,
        "workspace_id": entity.workspace_id,
        "tags": None if entity.tags is None else list(entity.tags),
        "change_time": moment,
        "delete_time": deleted,
    }
    created = parameters.moment(entity.created, _CREATED_AT)
    build = {"job": _job, "cluster": _cluster, "warehouse": _warehouse}
    return {**common, **build[entity.product.entity](entity, version, created, moment)}


def _job(entity: Entity, version: int, created: datetime, _: datetime) -> dict[str, Any]:
    cron = f"0 {entity.number % 60} {entity.hours[0]} * * ?"
    schedule = {"schedule": {"quartz_cron_expression": cron, "timezone_id": "UTC"}}
    return {
        "job_id": entity.entity_id,
        "name": entity.name if version == 0 else f"{entity.name}-v{version + 1}",
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


def _warehouse(entity: Entity, version: int, _: datetime, __: datetime) -> dict[str, Any]:
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
        made = plan.parameters.moment(entity.created, _CREATED_AT)
        yield _owned_cluster(entity, pipeline_cluster_id(entity), "PIPELINE", made, None)
    if kind == "job" and not entity.product.serverless and entity.lives_on(day):
        cluster_id = job_cluster_id(plan, entity, day)
        made = plan.parameters.moment(day, entity.hours[0])
        gone = made + timedelta(hours=len(entity.hours))
        yield _owned_cluster(entity, cluster_id, "JOB", made, None)
        yield _owned_cluster(entity, cluster_id, "JOB", made, gone)


def _owned_cluster(
    entity: Entity, cluster_id: str, source: str, made: datetime, gone: datetime | None
) -> dict[str, Any]:
    moment = gone or made
    owned = f"job-{entity.entity_id}" if source == "JOB" else f"dlt-{entity.entity_id}"
    return {
        **_cluster(entity, 0, made, moment),
        "account_id": ACCOUNT,
        "workspace_id": entity.workspace_id,
        "tags": None if entity.tags is None else list(entity.tags),
        "cluster_id": cluster_id,
        "cluster_name": f"{owned}-run",
        "cluster_source": source,
        "auto_termination_minutes": 0,
        "change_time": moment,
        "delete_time": gone,
    }
