"""What is metered on one day: each meter is an entity, its units, its hours and its labels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from emulator.account.incidents import incidents_on
from emulator.account.plan import ACCOUNT, CLOUD, METASTORE, Entity, Plan
from emulator.account.troubles import is_troubled, trouble_on

_STREAM_NOISE = 30
_NOISE = 0.07
_DAILY_GROWTH = 0.001
_MONTH_START_LOAD = 1.25
_RUN_ID_BASE = 10**14
# Run ids leave room for as many as four in an hour.
STORM_RUNS_AN_HOUR = 4


@dataclass(frozen=True)
class Meter:
    """Usage of one entity on one day; ``labels`` are the columns that all its rows share.

    ``place`` is that of its entity in the plan; 0 runs an hour means one run a day.
    """

    entity: Entity
    place: int
    units: float
    hours: tuple[int, ...]
    weight: float
    run_id: int | None
    runs_an_hour: int
    labels: dict[str, Any]


def meters_on(plan: Plan, day: int) -> list[Meter]:
    """All meters of a day, the incidents' own last."""
    noise = plan.parameters.rng(_STREAM_NOISE, day).lognormal(0, _NOISE, len(plan.entities))
    meters = []
    for place, (entity, factor) in enumerate(zip(plan.entities, noise, strict=True)):
        if entity.lives_on(day):
            units = entity.daily_units * _rhythm(plan, entity, day) * float(factor)
            hours = job_hours(plan, entity, day)
            meters.append(_meter(plan, place, day, units, hours, run=0))
    for number, incident in enumerate(incidents_on(plan, day), start=1):
        if incident.entity is not None:
            units = incident.extra_units(day)
            place = plan.entities.index(incident.entity)
            meters.append(_meter(plan, place, day, units, incident.hours, run=number))
    return meters


def job_hours(plan: Plan, entity: Entity, day: int) -> tuple[int, ...]:
    """The entity's hours; a job that slips takes half an hour longer from day to day."""
    slip = trouble_on(plan, "sla_slip", day)
    if slip is None or slip.entity is not entity:
        return entity.hours
    longer = (day - slip.first_day) // 2 + 1
    return tuple(range(entity.hours[0], min(entity.hours[-1] + 1 + longer, 24)))


def job_cluster_id(plan: Plan, entity: Entity, day: int) -> str:
    """The cluster that a classic job got for its run of that day."""
    moment = plan.parameters.day(day)
    return f"{moment:%m%d}-{entity.hours[0]:02}{entity.number % 60:02}00-{entity.number:05}{day:04}"


def submitted_job_id(entity: Entity, day: int) -> str:
    """A run that is submitted has a job id of its own, which no job has."""
    return f"{700_000 + entity.number}{day:05}"


def pipeline_cluster_id(entity: Entity) -> str:
    return f"0101-000000-{entity.entity_id[:8]}"


def _rhythm(plan: Plan, entity: Entity, day: int) -> float:
    when: date = plan.parameters.day(day)
    weekday = entity.product.weekend if when.weekday() >= 5 else 1.0 - 0.05 * (when.weekday() == 4)
    load = _MONTH_START_LOAD if when.day == 1 and entity.product.entity == "job" else 1.0
    growth = (1 + _DAILY_GROWTH) ** day
    return weekday * load * growth * (1 + 0.1 * entity.version_on(day))


def _meter(
    plan: Plan, place: int, day: int, units: float, hours: tuple[int, ...], run: int
) -> Meter:
    entity = plan.entities[place]
    weekend = plan.parameters.day(day).weekday() >= 5
    quiet = weekend and entity.product.hours == "office"
    has_runs = entity.product.entity in ("job", "submit")
    run_id = _RUN_ID_BASE + entity.number * 10**9 + (day + 1) * 1000 + run * 100
    return Meter(
        entity=entity,
        place=place,
        units=units,
        hours=hours,
        weight=len(hours) * (0.5 if quiet else 1.0),
        run_id=run_id if has_runs else None,
        runs_an_hour=_runs_an_hour(plan, entity, day),
        labels=_labels(plan, entity, day),
    )


def _runs_an_hour(plan: Plan, entity: Entity, day: int) -> int:
    if entity.product.entity != "job":
        return 0
    if is_troubled(plan, "retry_storm", entity, day):
        return STORM_RUNS_AN_HOUR
    return entity.number % 2


def _labels(plan: Plan, entity: Entity, day: int) -> dict[str, Any]:
    product = entity.product
    return {
        "account_id": ACCOUNT,
        "workspace_id": entity.workspace_id,
        "sku_name": product.sku,
        "cloud": CLOUD,
        "custom_tags": tags_on(plan, entity, day),
        "usage_unit": product.unit,
        "usage_metadata": _metadata(plan, entity, day),
        "identity_metadata": _identity(entity),
        "billing_origin_product": product.origin,
        "product_features": product.features,
        "usage_type": product.usage_type,
    }


def pipeline_update_id(entity: Entity, day: int, ordinal: int = 0) -> str:
    """The update that is billed on a day, and those that failed before it."""
    return f"{entity.entity_id[:-8]}{ordinal:02}{day:06}"


def tags_on(plan: Plan, entity: Entity, day: int) -> list[tuple[str, str]] | None:
    """The entity's tags, unless it has lost them."""
    if entity.tags is None or is_troubled(plan, "untagged_spender", entity, day):
        return None
    return list(entity.tags)


def _metadata(plan: Plan, entity: Entity, day: int) -> dict[str, Any]:
    kind, entity_id, name = entity.product.entity, entity.entity_id, entity.name
    instance = node_type(entity)
    if kind == "job" and entity.product.serverless:
        return {"job_id": entity_id, "job_name": name}
    if kind in ("job", "submit"):
        cluster_id = job_cluster_id(plan, entity, day)
        classic = {"job_id": entity_id, "cluster_id": cluster_id, "node_type": instance}
        if kind == "job":
            return classic
        return {**classic, "job_id": submitted_job_id(entity, day), "run_name": name}
    if kind == "pipeline":
        update_id = pipeline_update_id(entity, day)
        cluster_id = pipeline_cluster_id(entity)
        return {
            "dlt_pipeline_id": entity_id,
            "dlt_update_id": update_id,
            "cluster_id": cluster_id,
        }
    static: dict[str, dict[str, Any]] = {
        "cluster": {"cluster_id": entity_id, "node_type": instance},
        "warehouse": {"warehouse_id": entity_id},
        "endpoint": {"endpoint_id": entity_id, "endpoint_name": name},
        "notebook": {"notebook_id": entity_id, "notebook_path": f"/Shared/{name}"},
        "app": {"app_id": entity_id, "app_name": name},
        "network": {"source_region": "us-east-1", "destination_region": "eu-west-1"},
        "storage": {"metastore_id": METASTORE, "catalog_id": entity_id},
        "none": {},
    }
    return static[kind]


def _identity(entity: Entity) -> dict[str, Any]:
    kind = entity.product.entity
    if kind in ("job", "submit", "notebook", "pipeline"):
        return {"run_as": entity.owner}
    if kind == "warehouse":
        return {"owned_by": entity.owner}
    if kind in ("app", "endpoint"):
        return {"created_by": entity.owner}
    return {}


def node_type(entity: Entity) -> str:
    """The instance type of an entity's classic compute."""
    return ("m5d.xlarge", "m5d.2xlarge", "r5d.xlarge", "i3.2xlarge")[entity.number % 4]
