"""serving.served_entities and serving.endpoint_usage: what answers, and each request to it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from emulator.account.columns import (
    HOUR,
    LONGEST_LAG_DAYS,
    Bools,
    DayRows,
    Floats,
    Ints,
    filled,
    is_weekend,
    lags,
    landed_on,
    midnight,
    moments,
    pick,
    share_out,
    uuid_of,
    uuids,
    where,
)
from emulator.account.happenings import Happening, happenings_on
from emulator.account.incidents import incidents_on
from emulator.account.people import people_of
from emulator.account.plan import ACCOUNT, Entity, Plan
from emulator.account.schemas import table_of

ENTITIES, USAGE = "serving.served_entities", "serving.endpoint_usage"
USAGE_SHARE = 0.1  # of the billing rows
_STREAM_ENTITY, _STREAM_REQUESTS = 72, 73
_CREATED_AT, _CHANGED_AT, _DELETED_AT = 0.25, 9.5, 18.75
_WEEKEND, _WEEKDAY = 0.7, 1.12
_LLM = ("FOUNDATION_MODEL", "EXTERNAL_MODEL")
_CLIENT_ERRORS = (400, 404, 429)


@dataclass(frozen=True, eq=False)
class ServedEntity:
    """One entity behind an endpoint; its id stays when its endpoint's configuration changes."""

    entity_id: str
    endpoint: Entity
    kind: str
    name: str
    model: str
    share: float


def serving_on(plan: Plan, day: int) -> dict[str, pa.Table]:
    """The versions and requests that become visible on a day."""
    requests = landed_on(plan, day, requests_of)
    return {ENTITIES: table_of(ENTITIES, list(_versions(plan, day))), USAGE: requests}


def model_name(endpoint: Entity) -> str:
    """The model that an endpoint serves."""
    return f"main.models.{endpoint.name.replace('-', '_')}"


@functools.lru_cache(maxsize=4)
def served_entities(plan: Plan) -> tuple[ServedEntity, ...]:
    """All entities of all endpoints that serve models."""
    return tuple(
        ServedEntity(
            uuid_of(plan.parameters.rng(_STREAM_ENTITY, place, slot)), endpoint, *description
        )
        for place, endpoint in enumerate(plan.entities)
        if endpoint.product.origin == "MODEL_SERVING"
        for slot, description in enumerate(_descriptions(endpoint))
    )


def _descriptions(endpoint: Entity) -> Iterator[tuple[str, str, str, float]]:
    """Kind, name, model and share of the requests."""
    if endpoint.product.name == "foundation_tokens":
        yield "FOUNDATION_MODEL", "llm", "databricks-meta-llama-3-3-70b-instruct", 0.7
        yield "EXTERNAL_MODEL", "fallback", "gpt-4o-mini", 0.3
        return
    yield "CUSTOM_MODEL", "champion", model_name(endpoint), 0.8
    if endpoint.number % 2:
        yield "FEATURE_SPEC", "features", f"main.features.{endpoint.name.replace('-', '_')}", 0.2
    else:
        yield "CUSTOM_MODEL", "challenger", model_name(endpoint), 0.2


def _versions(plan: Plan, day: int) -> Iterator[dict[str, Any]]:
    """The versions that are exported on a day; the first day brings the past too."""
    moment = plan.parameters.moment
    for served in served_entities(plan):
        endpoint = served.endpoint
        if max(endpoint.created, 0) == day:
            yield _version(served, endpoint.created, moment(endpoint.created, _CREATED_AT), None)
        if day in endpoint.changes:
            yield _version(served, day, moment(day, _CHANGED_AT), None)
        if endpoint.deleted == day:
            gone = moment(day - 1, _DELETED_AT)
            yield _version(served, day - 1, gone, gone)


def _version(
    served: ServedEntity, day: int, changed: datetime, deleted: datetime | None
) -> dict[str, Any]:
    endpoint = served.endpoint
    version = endpoint.version_on(day) + 1
    compute = {
        "min_concurrency": 0,
        "max_concurrency": 4 * endpoint.size,
        "compute_type": "CPU",
    }
    configs: dict[str, dict[str, Any]] = {
        "CUSTOM_MODEL": {"custom_model_config": compute},
        "FEATURE_SPEC": {"feature_spec_config": compute},
        "EXTERNAL_MODEL": {"external_model_config": {"provider": "openai"}},
        "FOUNDATION_MODEL": {
            "foundation_model_config": {
                "min_provisioned_throughput": 0,
                "max_provisioned_throughput": 9500,
            }
        },
    }
    is_custom = served.kind == "CUSTOM_MODEL"
    return {
        "served_entity_id": served.entity_id,
        "account_id": ACCOUNT,
        "workspace_id": endpoint.workspace_id,
        "created_by": endpoint.owner,
        "endpoint_name": endpoint.name,
        "endpoint_id": endpoint.entity_id,
        "served_entity_name": f"{served.name}-{version}",
        "entity_type": served.kind,
        "entity_name": served.model,
        "entity_version": str(version + (served.name == "challenger")) if is_custom else None,
        "endpoint_config_version": version,
        "task": "llm/v1/chat" if served.kind in _LLM else None,
        **configs[served.kind],
        "change_time": changed,
        "endpoint_delete_time": deleted,
    }


@functools.lru_cache(maxsize=LONGEST_LAG_DAYS + 2)
def requests_of(plan: Plan, day: int) -> DayRows:
    """The requests of one day, those of incidents last."""
    rng = plan.parameters.rng(_STREAM_REQUESTS, day)
    served = served_entities(plan)
    weights = _weights(plan, day)
    pace = _WEEKEND if is_weekend(plan, day) else _WEEKDAY
    rows = round(plan.parameters.rows_per_day * USAGE_SHARE * pace)
    counts = np.maximum(share_out(rows, weights), weights > 0)
    entity = np.repeat(np.arange(len(served)), counts)
    micros = midnight(plan, day) + _seconds(rng, served, entity)
    requester = _requesters(rng, plan, len(entity))
    status = _statuses(rng, len(entity))
    found = happenings_on(plan, day, "serving_errors", "serving_request_flood")
    incident = np.full(len(entity), -1, dtype=np.int64)
    for number, happening in enumerate(found):
        more = _trouble(rng, plan, day, happening, counts)
        entity = np.concatenate([entity, more[0]])
        micros = np.concatenate([micros, more[1]])
        requester = np.concatenate([requester, more[2]])
        status = np.concatenate([status, more[3]])
        incident = np.concatenate([incident, np.full(len(more[0]), number)])
    table = _table(rng, plan, entity, micros, requester, status)
    lag = lags(rng, micros, midnight(plan, day))
    return DayRows(table, lag, tuple(h.incident_id for h in found), incident)


def _weights(plan: Plan, day: int) -> Floats:
    """Requests follow the bill: more of them where an incident makes an endpoint cost more."""
    extra = {
        incident.entity: incident.extra_units(day) / incident.entity.daily_units
        for incident in incidents_on(plan, day)
        if incident.entity is not None
    }
    weights: Floats = np.array(
        [
            served.share * (1 + extra.get(served.endpoint, 0)) * served.endpoint.size
            if served.endpoint.lives_on(day)
            else 0.0
            for served in served_entities(plan)
        ]
    )
    return weights


def _seconds(rng: np.random.Generator, served: tuple[ServedEntity, ...], entity: Ints) -> Ints:
    """Moments within the hours in which an endpoint works."""
    first = np.array([s.endpoint.hours[0] for s in served])[entity]
    length = np.array([len(s.endpoint.hours) for s in served])[entity]
    moment: Ints = ((first + rng.random(len(entity)) * length) * HOUR).astype(np.int64)
    return moment


def _requesters(rng: np.random.Generator, plan: Plan, rows: int) -> Ints:
    """People ask now and then, machines all the time."""
    people = people_of(plan)
    users, machines = people.numbers("user"), people.numbers("service_principal")
    if not len(machines):
        machines = users
    by_user = rng.random(rows) < 0.4
    asked: Ints = np.where(by_user, rng.choice(users, rows), rng.choice(machines, rows))
    return asked


def _statuses(rng: np.random.Generator, rows: int) -> Ints:
    """A few requests are wrong, very few are answered wrongly."""
    fate = rng.random(rows)
    wrong = np.array(_CLIENT_ERRORS)[rng.integers(0, len(_CLIENT_ERRORS), rows)]
    status: Ints = np.where(fate < 0.02, wrong, np.where(fate < 0.025, 500, 200))
    return status


def _trouble(
    rng: np.random.Generator, plan: Plan, day: int, happening: Happening, counts: Ints
) -> tuple[Ints, Ints, Ints, Ints]:
    """Entity, moment, requester and status of the requests that an incident adds."""
    served = served_entities(plan)
    own = np.array([n for n, s in enumerate(served) if s.endpoint is happening.endpoint])
    normal = int(counts[own].sum())
    start, end = happening.window(plan, day)
    if happening.kind == "serving_errors":
        rows = max(20, normal) + round(20 * happening.factor)
        requester = _requesters(rng, plan, rows)
        status = np.array([500, 503])[rng.integers(0, 2, rows)]
    else:
        rows = max(80, 4 * normal) + round(100 * happening.factor)
        users = people_of(plan).numbers("user")
        requester = np.full(rows, users[happening.seed[0] % len(users)])
        status = np.where(np.arange(rows) % 2 == 0, 429, 200)
    return own[np.zeros(rows, dtype=np.int64)], rng.integers(start, end, rows), requester, status


def _table(
    rng: np.random.Generator, plan: Plan, entity: Ints, micros: Ints, requester: Ints, status: Ints
) -> pa.Table:
    rows = len(entity)
    served = served_entities(plan)
    is_llm: Bools = np.array([s.kind in _LLM for s in served])[entity]
    tokens_in = rng.lognormal(6, 0.8, rows).astype(np.int64)
    tokens_out = np.where(status == 200, rng.lognormal(5, 0.8, rows), 0).astype(np.int64)
    workspaces = [s.endpoint.workspace_id for s in served]
    columns = {
        "workspace_id": pick(workspaces, entity),
        "account_id": ACCOUNT,
        "client_request_id": where(rng.random(rows) < 0.3, uuids(rng, rows)),
        "databricks_request_id": uuids(rng, rows),
        "requester": pick([p.name for p in people_of(plan).everyone], requester),
        "status_code": pa.array(status),
        "request_time": moments(micros),
        "input_token_count": pa.array(tokens_in, mask=~is_llm),
        "output_token_count": pa.array(tokens_out, mask=~is_llm),
        "input_character_count": pa.array(tokens_in * 4, mask=~is_llm),
        "output_character_count": pa.array(tokens_out * 4, mask=~is_llm),
        "usage_context": _contexts(rng, rows),
        "request_streaming": pa.array(is_llm & (rng.random(rows) < 0.4)),
        "served_entity_id": pick([s.entity_id for s in served], entity),
    }
    return filled(USAGE, rows, columns)


def _contexts(rng: np.random.Generator, rows: int) -> pa.Array:
    """What the caller says about himself: mostly nothing, sometimes an empty map."""
    choices = pa.array(
        [None, [], [("project", "churn")], [("project", "search"), ("end_user", "u-17")]],
        pa.map_(pa.string(), pa.string()),
    )
    return choices.take(pa.array(rng.choice(4, rows, p=[0.6, 0.15, 0.15, 0.1])))
