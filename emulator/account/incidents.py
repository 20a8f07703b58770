"""Labelled incidents: cost spikes of differing size, slow leaks, and price changes.

Spikes stand one in a block of days, placed by the seed; kinds and sizes are dealt like cards, so
that any six blocks hold all sizes, from one that anybody sees to one that hides in the noise.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from emulator.account.plan import Entity, Parameters, Plan
from emulator.account.prices import effective_usd, price_changes

QUIET_DAYS = 14
BLOCK_DAYS = 6
LEAK_PERIOD_DAYS = 60
LEAK_FIRST_DAY, LEAK_DAYS = 18, 30
SPIKE_FACTORS = (8.0, 0.5, 2.5, 1.2, 4.0, 0.8)
_STREAM_KINDS, _STREAM_SIZES, _STREAM_SPIKE, _STREAM_LEAK = 20, 21, 22, 23
# kind -> what it happens to, and for endpoints which product
_SPIKES = {
    "runaway_job": "job",
    "oversized_cluster": "cluster",
    "idle_warehouse": "warehouse",
    "serving_traffic": "endpoint",
}
_ID_COLUMNS = ("job", "cluster", "warehouse", "endpoint")

INCIDENTS = pa.schema(
    [
        ("incident_id", pa.string()),
        ("kind", pa.string()),
        ("is_cost_spike", pa.bool_()),
        ("workspace_id", pa.string()),
        ("sku_name", pa.string()),
        ("job_id", pa.string()),
        ("cluster_id", pa.string()),
        ("warehouse_id", pa.string()),
        ("endpoint_id", pa.string()),
        ("entity_name", pa.string()),
        ("start_time", pa.timestamp("us", "UTC")),
        ("end_time", pa.timestamp("us", "UTC")),
        ("first_date", pa.date32()),
        ("last_date", pa.date32()),
        ("factor", pa.float64()),
        ("expected_extra_cost_usd", pa.decimal128(38, 6)),
        ("category", pa.string()),
        ("entity_kind", pa.string()),
        ("entity_id", pa.string()),
        ("table_full_name", pa.string()),
        ("principal", pa.string()),
        ("detail", pa.string()),
    ]
)
CATEGORIES = ("cost", "security", "performance", "reliability", "quality", "mlops")
INCIDENT_DAYS = pa.schema(
    [
        ("incident_id", pa.string()),
        ("usage_date", pa.date32()),
        ("expected_extra_units", pa.float64()),
        ("expected_extra_cost_usd", pa.decimal128(38, 6)),
    ]
)


@dataclass(frozen=True)
class Incident:
    """Something that happened; ``factor`` is its size in normal days of its workspace and SKU."""

    incident_id: str
    kind: str
    sku: str
    entity: Entity | None
    first_day: int
    last_day: int
    factor: float
    normal_units: float
    hours: tuple[int, ...]

    @property
    def is_cost_spike(self) -> bool:
        return self.kind in _SPIKES

    def is_on(self, day: int) -> bool:
        return self.first_day <= day <= self.last_day

    def extra_units(self, day: int) -> float:
        """Units that this incident adds on a day, before the day's own noise."""
        if not self.is_on(day) or self.kind == "price_change":
            return 0.0
        if self.kind == "slow_leak":
            return self.normal_units * self.factor * (day - self.first_day + 1) / LEAK_DAYS
        return self.normal_units * self.factor

    def extra_usd(self, parameters: Parameters, day: int) -> Decimal:
        """Money at effective list price that this incident adds on a day."""
        price = effective_usd(parameters, self.sku, day)
        if price is None or not self.is_on(day):
            return Decimal(0)
        if self.kind == "price_change":
            before = effective_usd(parameters, self.sku, self.first_day - 1)
            return Decimal(str(self.normal_units)) * (price - (before or price))
        return Decimal(str(self.extra_units(day))) * price


def incidents_on(plan: Plan, day: int) -> list[Incident]:
    """The spikes and leaks that add usage on a day."""
    if day < QUIET_DAYS:
        return []
    found = []
    spike = _spike(plan, (day - QUIET_DAYS) // BLOCK_DAYS)
    leak = _leak(plan, day // LEAK_PERIOD_DAYS)
    for incident in (spike, leak):
        if incident.is_on(day):
            found.append(incident)
    return found


def all_incidents(plan: Plan) -> Iterator[Incident]:
    """Every incident that has begun by the account's last day."""
    days = plan.parameters.days
    for block in range(max(0, -(-(days - QUIET_DAYS) // BLOCK_DAYS))):
        spike = _spike(plan, block)
        if spike.first_day < days:
            yield spike
    for period in range(-(-days // LEAK_PERIOD_DAYS)):
        leak = _leak(plan, period)
        if leak.first_day < days:
            yield leak
    yield from _price_changes(plan)


def incident_rows(plan: Plan) -> list[dict[str, Any]]:
    """The rows of truth/incidents.parquet."""
    return [_row(plan.parameters, incident) for incident in all_incidents(plan)]


def incident_day_rows(plan: Plan) -> list[dict[str, Any]]:
    """The rows of truth/incident_days.parquet: one a day that an incident has lasted so far."""
    parameters = plan.parameters
    return [
        {
            "incident_id": incident.incident_id,
            "usage_date": parameters.day(day),
            "expected_extra_units": incident.extra_units(day),
            "expected_extra_cost_usd": _money(incident.extra_usd(parameters, day)),
        }
        for incident in all_incidents(plan)
        for day in range(incident.first_day, min(incident.last_day + 1, parameters.days))
    ]


def incident_label(
    plan: Plan,
    incident_id: str,
    category: str,
    kind: str,
    days: tuple[int, int],
    **columns: Any,
) -> dict[str, Any]:
    """A row of truth/incidents.parquet that is no cost spike; ``days`` are its first and last."""
    if category not in CATEGORIES:
        raise ValueError(f"{incident_id}: category {category!r} is none of {CATEGORIES}")
    first, last = days
    parameters = plan.parameters
    return {
        "incident_id": incident_id,
        "kind": kind,
        "is_cost_spike": False,
        "start_time": parameters.moment(first),
        "end_time": parameters.moment(last + 1),
        "first_date": parameters.day(first),
        "last_date": parameters.day(last),
        "category": category,
        **columns,
    }


def normal_units(plan: Plan, workspace_id: str | None, sku: str, day: int) -> float:
    """Units of a weekday without incidents, in one workspace and SKU."""
    living = plan.living(day)
    same = [e for e in living if e.product.sku == sku and e.workspace_id == workspace_id]
    return sum(entity.daily_units for entity in same)


@functools.lru_cache(maxsize=256)
def _spike(plan: Plan, block: int) -> Incident:
    parameters = plan.parameters
    kinds = parameters.rng(_STREAM_KINDS, block // 4).permutation(len(_SPIKES))
    sizes = parameters.rng(_STREAM_SIZES, block // 6).permutation(len(SPIKE_FACTORS))
    kind = list(_SPIKES)[int(kinds[block % 4])]
    rng = parameters.rng(_STREAM_SPIKE, block)
    first = QUIET_DAYS + block * BLOCK_DAYS + int(rng.integers(0, 3))
    last = first + int(rng.integers(0, 3))
    candidates = _candidates(plan, _SPIKES[kind], first, last + 1)
    entity = candidates[int(rng.integers(len(candidates)))]
    return Incident(
        incident_id=f"spike-{block + 1:03}",
        kind=kind,
        sku=entity.product.sku,
        entity=entity,
        first_day=first,
        last_day=last,
        factor=SPIKE_FACTORS[int(sizes[block % 6])],
        normal_units=normal_units(plan, entity.workspace_id, entity.product.sku, first),
        hours=_spike_hours(kind, entity),
    )


@functools.lru_cache(maxsize=64)
def _leak(plan: Plan, period: int) -> Incident:
    """One entity that needs a little more every day, for a month."""
    first = period * LEAK_PERIOD_DAYS + LEAK_FIRST_DAY
    last = first + LEAK_DAYS - 1
    rng = plan.parameters.rng(_STREAM_LEAK, period)
    candidates = _candidates(plan, "job", first, last)
    entity = candidates[int(rng.integers(len(candidates)))]
    return Incident(
        incident_id=f"leak-{period + 1:03}",
        kind="slow_leak",
        sku=entity.product.sku,
        entity=entity,
        first_day=first,
        last_day=last,
        factor=1.0,
        normal_units=normal_units(plan, entity.workspace_id, entity.product.sku, first),
        hours=entity.hours,
    )


def _price_changes(plan: Plan) -> Iterator[Incident]:
    last = plan.parameters.days - 1
    for sku, day, before, after in price_changes():
        if day > last:
            continue
        units = sum(e.daily_units for e in plan.living(day) if e.product.sku == sku)
        yield Incident(
            incident_id=f"price-{day:03}-{sku.lower()}",
            kind="price_change",
            sku=sku,
            entity=None,
            first_day=day,
            last_day=last,
            factor=float(after / before - 1),
            normal_units=units,
            hours=(),
        )


def _candidates(plan: Plan, kind: str, first: int, last: int) -> list[Entity]:
    """What such an incident can happen to: alive all the time, and with a price."""
    return [
        entity
        for entity in plan.entities
        if entity.product.entity == kind
        and (kind != "endpoint" or entity.product.name == "model_serving")
        and entity.lives_on(first)
        and entity.lives_on(last)
    ]


def _spike_hours(kind: str, entity: Entity) -> tuple[int, ...]:
    if kind == "oversized_cluster":
        return entity.hours
    if kind == "idle_warehouse":
        return tuple(hour for hour in range(24) if hour not in entity.hours)
    return tuple(range(24))


def _row(parameters: Parameters, incident: Incident) -> dict[str, Any]:
    entity = incident.entity
    days = range(incident.first_day, incident.last_day + 1)
    ids = {f"{kind}_id": None for kind in _ID_COLUMNS}
    if entity is not None:
        ids[f"{entity.product.entity}_id"] = entity.entity_id  # type: ignore[assignment]
    total = sum((incident.extra_usd(parameters, day) for day in days), Decimal(0))
    end = parameters.moment(incident.last_day) + timedelta(days=1)
    return {
        "incident_id": incident.incident_id,
        "kind": incident.kind,
        "is_cost_spike": incident.is_cost_spike,
        "workspace_id": entity.workspace_id if entity else None,
        "sku_name": incident.sku,
        **ids,
        "entity_name": entity.name if entity else None,
        "start_time": parameters.moment(incident.first_day),
        "end_time": None if entity is None else end,
        "first_date": parameters.day(incident.first_day),
        "last_date": parameters.day(incident.last_day),
        "factor": incident.factor,
        "expected_extra_cost_usd": _money(total),
        "category": "cost",
        "entity_kind": entity.product.entity if entity else "sku",
        "entity_id": entity.entity_id if entity else incident.sku,
    }


def _money(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.000001"))
