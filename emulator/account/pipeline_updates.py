"""pipeline_update_timeline: what pipelines did, cut into slices; failed updates come first."""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa

from emulator.account.activity import activity_on
from emulator.account.columns import (
    HOUR,
    DayRows,
    Ints,
    filled,
    lags,
    midnight,
    moments,
    pick,
    structs,
    where,
)
from emulator.account.lakeflow_definitions import is_continuous
from emulator.account.meters import pipeline_cluster_id, pipeline_update_id
from emulator.account.plan import ACCOUNT, Entity, Plan
from emulator.account.slices import cut
from emulator.account.troubles import is_troubled

NAME = "lakeflow.pipeline_update_timeline"
_STREAM_UPDATES = 45
_SECOND = 1_000_000
_STATES = ("COMPLETED", "FAILED", "CANCELED")
_COMPLETED, _FAILED, _CANCELED = range(len(_STATES))
_TYPES = ("REFRESH", "FULL_REFRESH", "VALIDATE")
_TRIGGERS = ("CRON", "CONTINUOUS", "RETRY_ON_FAILURE", "USER_ACTION")
_CRON, _CONTINUOUS, _RETRY, _USER = range(len(_TRIGGERS))
_FAILURE_SHARE, _CANCELED_SHARE, _VALIDATION_SHARE = 0.05, 0.03, 0.1
_TROUBLE_FAILURES = 5

# Pipeline, state, type, trigger, ordinal, start and end in seconds of the day.
_Update = tuple[int, int, int, int, int, int, int]


@functools.lru_cache(maxsize=4)
def update_slices(plan: Plan, day: int) -> DayRows:
    """The slices of a day's updates, and the days until each is in the table."""
    rng = plan.parameters.rng(_STREAM_UPDATES, day)
    updates = _all_updates(rng, plan, day)
    zero = midnight(plan, day)
    slices = cut(
        zero + updates[:, 5] * _SECOND, zero + updates[:, 6] * _SECOND, updates[:, 0] % 3 > 0
    )
    row = updates[slices.source]
    entities = plan.entities
    ids = [pipeline_update_id(entities[u[0]], day, int(u[4])) for u in updates]
    first_ids = [pipeline_update_id(entities[u[0]], day, 1) for u in updates]
    columns = {
        "account_id": ACCOUNT,
        "workspace_id": pick([entity.workspace_id for entity in entities], row[:, 0]),
        "pipeline_id": pick([entity.entity_id for entity in entities], row[:, 0]),
        "update_id": pick(ids, slices.source),
        "update_type": pick(_TYPES, row[:, 2]),
        "request_id": pick(first_ids, slices.source),
        "run_as_user_name": pick([entity.owner for entity in entities], row[:, 0]),
        "trigger_type": pick(_TRIGGERS, row[:, 3]),
        "result_state": where(slices.is_last, pick(_STATES, row[:, 1])),
        "compute": _compute(plan, row[:, 0]),
        "period_start_time": moments(slices.start),
        "period_end_time": moments(slices.end),
    }
    table = filled(NAME, len(row), columns)
    ended = np.maximum(slices.end - 1 - zero, 0) // (24 * HOUR)
    return DayRows(table, np.maximum(lags(rng, slices.end, zero), ended))


def _compute(plan: Plan, place: Ints) -> pa.Array:
    clusters = [pipeline_cluster_id(entity) for entity in plan.entities]
    return structs(
        filled(NAME, 0, {}).schema.field("compute").type,
        {"type": pa.repeat("CLASSIC", len(place)), "cluster_id": pick(clusters, place)},
        np.zeros(len(place), dtype=bool),
    )


def _all_updates(rng: np.random.Generator, plan: Plan, day: int) -> Ints:
    """Rows of ``_Update``."""
    activity = activity_on(plan, day)
    found: list[_Update] = []
    for place, meter in enumerate(activity.meters):
        if meter.entity.product.entity == "pipeline":
            hours = np.flatnonzero(activity.is_on[place])
            found += _updates(rng, plan, day, meter.place, (int(hours[0]), int(hours[-1])))
    return np.array(found, dtype=np.int64).reshape(-1, 7)


def _updates(
    rng: np.random.Generator, plan: Plan, day: int, place: int, hours: tuple[int, int]
) -> list[_Update]:
    """The day's billed update, after those that failed; a validation now and then."""
    entity = plan.entities[place]
    failures = _failures(rng, plan, day, entity)
    begin, found = hours[0] * 3600 + int(rng.integers(5, 60)), []
    for ordinal in range(1, failures + 1):
        lasts = int(rng.integers(40, 240))
        trigger = _CRON if ordinal == 1 else _RETRY
        found.append((place, _FAILED, 0, trigger, ordinal, begin, begin + lasts))
        begin += lasts + 20
    end = (hours[1] + 1) * 3600 - (0 if is_continuous(entity) else int(rng.integers(60, 1500)))
    state = _CANCELED if rng.random() < _CANCELED_SHARE else _COMPLETED
    trigger = _RETRY if failures else _CONTINUOUS if is_continuous(entity) else _CRON
    found.append((place, state, int(rng.random() < 0.02), trigger, 0, begin, end))
    if rng.random() < _VALIDATION_SHARE:
        at = int(rng.integers(hours[0] * 3600, end))
        found.append((place, _COMPLETED, 2, _USER, 9, at, at + int(rng.integers(5, 50))))
    return found


def _failures(rng: np.random.Generator, plan: Plan, day: int, entity: Entity) -> int:
    if is_troubled(plan, "pipeline_failures", entity, day):
        return _TROUBLE_FAILURES
    return int(rng.random() < _FAILURE_SHARE)
