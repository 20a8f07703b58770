"""warehouse_events: the points at which warehouses start, scale and stop, as they are billed."""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa

from emulator.account.activity import SECONDS, activity_on
from emulator.account.columns import (
    HOUR,
    Bools,
    DayRows,
    Ints,
    filled,
    lags,
    midnight,
    moments,
    pick,
)
from emulator.account.plan import ACCOUNT, Entity, Plan
from emulator.account.troubles import is_troubled

# From this day on the table has a column that nobody declared: such things happen.
FIRST_DAY_OF_REASONS = 5
_REASONS = ("statements are queued", "clusters are idle")
_STREAM_EVENTS = 46
_SECOND = 1_000_000
_DAY = 24 * HOUR
_TYPES = ("STARTING", "RUNNING", "SCALED_UP", "SCALED_DOWN", "STOPPING", "STOPPED")
_STARTING, _RUNNING, _SCALED_UP, _SCALED_DOWN, _STOPPING, _STOPPED = range(len(_TYPES))
_CLUSTERS = np.array([0, 1, 2, 1, 1, 0])
_SCALES_SHARE = 0.12


def has_events(plan: Plan, entity: Entity) -> bool:
    """All but one: the events of that warehouse never reach the table."""
    return entity is not _silent(plan)


@functools.lru_cache(maxsize=4)
def _silent(plan: Plan) -> Entity:
    """A warehouse of the last workspace that stays for ever, if there is one."""
    found = [entity for entity in plan.entities if entity.product.entity == "warehouse"]
    return max(
        found, key=lambda entity: (entity.created < 0 and entity.deleted is None, _home(entity))
    )


def _home(entity: Entity) -> int:
    return entity.workspace.index if entity.workspace else -1


@functools.lru_cache(maxsize=6)
def on_seconds(plan: Plan, day: int) -> tuple[Bools, Ints, Ints]:
    """By place of the entity and by hour: whether it is on, and its begin and end in the hour."""
    return activity_on(plan, day).of_entities(plan)


@functools.lru_cache(maxsize=4)
def event_rows(plan: Plan, day: int) -> DayRows:
    """The events of a day, and the days until each is in the table."""
    rng = plan.parameters.rng(_STREAM_EVENTS, day)
    loud = [
        place
        for place, entity in enumerate(plan.entities)
        if entity.product.entity == "warehouse" and has_events(plan, entity)
    ]
    warehouses = np.array(loud)
    starts, stops, full = _edges(plan, day, warehouses)
    scales = [not is_troubled(plan, "warehouse_queueing", plan.entities[p], day) for p in loud]
    up = full & np.array(scales)[:, None] & (rng.random(full.shape) < _SCALES_SHARE)
    size = full.shape
    parts = [
        _points(starts, -rng.integers(5, 60, size), _STARTING),
        _points(starts, np.zeros(size, dtype=np.int64), _RUNNING),
        _points(_at(up), rng.integers(300, 1500, size), _SCALED_UP),
        _points(_at(up), rng.integers(2000, 3300, size), _SCALED_DOWN),
        _points(stops, np.zeros(size, dtype=np.int64), _STOPPING),
        _points(stops, rng.integers(5, 60, size), _STOPPED),
    ]
    row, second, kind = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    zero = midnight(plan, day)
    moment = zero + second * _SECOND
    order = np.lexsort((kind, moment, row))
    row, moment, kind = row[order], moment[order], kind[order]
    entities = [plan.entities[place] for place in loud]
    columns = {
        "account_id": ACCOUNT,
        "workspace_id": pick([entity.workspace_id for entity in entities], row),
        "warehouse_id": pick([entity.entity_id for entity in entities], row),
        "event_type": pick(_TYPES, kind),
        "cluster_count": pa.array(_CLUSTERS[kind], pa.int32()),
        "event_time": moments(moment),
    }
    table = filled("compute.warehouse_events", len(row), columns)
    if day >= FIRST_DAY_OF_REASONS:
        reason = np.select([kind == _SCALED_UP, kind == _SCALED_DOWN], [0, 1], -1)
        table = table.append_column("scaling_reason", pick(_REASONS, reason))
    after = (moment >= zero + _DAY).astype(np.int64)
    return DayRows(table, np.maximum(lags(rng, moment, zero), after))


def _edges(plan: Plan, day: int, warehouses: Ints) -> tuple[Ints, Ints, Bools]:
    """Seconds of the day at which each hour starts or stops the warehouse, -1 where it does not.

    A warehouse that was on at the end of the hour before, or of the day before, goes on.
    """
    is_on, begin, end = (found[warehouses] for found in on_seconds(plan, day))
    after_on, after_begin, _ = (found[warehouses, :1] for found in on_seconds(plan, day + 1))
    if day > 0:
        before_on, _, before_end = (found[warehouses, 23:] for found in on_seconds(plan, day - 1))
        was_on = before_on & (before_end == SECONDS)
    else:
        was_on = np.zeros((len(warehouses), 1), dtype=bool)
    was_on = np.hstack([was_on, (is_on & (end == SECONDS))[:, :-1]])
    goes_on = np.hstack([(is_on & (begin == 0))[:, 1:], after_on & (after_begin == 0)])
    hours = np.arange(24)[None, :] * SECONDS
    starts = np.where(is_on & ~(was_on & (begin == 0)), hours + begin, -1)
    stops = np.where(is_on & ~(goes_on & (end == SECONDS)), hours + end, -1)
    return starts, stops, is_on & (begin == 0) & (end == SECONDS)


def _at(hours: Bools) -> Ints:
    return np.where(hours, np.arange(24)[None, :] * SECONDS, -1)


def _points(seconds: Ints, shift: Ints, kind: int) -> tuple[Ints, Ints, Ints]:
    row, hour = np.nonzero(seconds >= 0)
    moment = seconds[row, hour] + shift[row, hour]
    return row, moment, np.full(len(row), kind)
