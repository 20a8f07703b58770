"""Labelled incidents of running things: jobs, pipelines, clusters, warehouses and queries.

None of them adds to the bill: what costs more than usual is in ``incidents``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from emulator.account.incidents import incident_label
from emulator.account.plan import Entity, Plan

_FILE = Path(__file__).with_name("troubles.yml")
_STREAM_TROUBLE = 42
_ID_COLUMNS = ("job", "cluster", "warehouse")


@dataclass(frozen=True, eq=False)
class Trouble:
    """One incident: what it is, what it happens to, and from when to when."""

    trouble_id: str
    kind: str
    entity: Entity
    first_day: int
    last_day: int


@functools.cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(_FILE.read_text())
    return document


def kinds() -> list[str]:
    """The kinds of troubles.yml."""
    return list(_document()["troubles"])


def trouble_on(plan: Plan, kind: str, day: int) -> Trouble | None:
    """The incident of a kind that goes on on a day."""
    period = _document()["period_days"]
    trouble = _trouble(plan, kind, day // period)
    return trouble if trouble and trouble.first_day <= day <= trouble.last_day else None


def is_troubled(plan: Plan, kind: str, entity: Entity, day: int) -> bool:
    """Whether an incident of this kind happens to the entity on that day."""
    trouble = trouble_on(plan, kind, day)
    return trouble is not None and trouble.entity is entity


def troubles_until(plan: Plan, day: int) -> Iterator[Trouble]:
    """Every incident that has begun by then."""
    document = _document()
    for period in range(day // document["period_days"] + 1):
        for kind in document["troubles"]:
            trouble = _trouble(plan, kind, period)
            if trouble and trouble.first_day <= day:
                yield trouble


def trouble_rows(plan: Plan) -> list[dict[str, Any]]:
    """The labels, as truth/incidents.parquet holds them."""
    last_day = plan.parameters.days - 1
    return [_label(plan, trouble) for trouble in troubles_until(plan, last_day)]


@functools.lru_cache(maxsize=256)
def _trouble(plan: Plan, kind: str, period: int) -> Trouble | None:
    """None if the account has nothing that this could happen to."""
    document = _document()
    entry = document["troubles"][kind]
    place = list(document["troubles"]).index(kind)
    rng = plan.parameters.rng(_STREAM_TROUBLE, place, period)
    first = period * document["period_days"] + entry["first"] + int(rng.integers(0, 2))
    last = first + entry["days"] - 1
    candidates = [
        entity
        for entity in plan.entities
        if entity.product.entity == entry["entity"]
        and (kind != "untagged_spender" or entity.tags)
        and (kind != "sla_slip" or entity.number % 2 == 0)
        and (kind != "stuck_cluster" or entity.number % 3 > 0)
        and entity.created < first
        and entity.lives_on(last + 1)
        and not any(first <= change <= last + 1 for change in entity.changes)
    ]
    if not candidates:
        return None
    entity = candidates[int(rng.integers(len(candidates)))]
    return Trouble(f"{kind.replace('_', '-')}-{period + 1:03}", kind, entity, first, last)


def _label(plan: Plan, trouble: Trouble) -> dict[str, Any]:
    entry = _document()["troubles"][trouble.kind]
    entity, kind = trouble.entity, trouble.entity.product.entity
    ids = {f"{kind}_id": entity.entity_id} if kind in _ID_COLUMNS else {}
    return incident_label(
        plan,
        trouble.trouble_id,
        entry["category"],
        trouble.kind,
        (trouble.first_day, trouble.last_day),
        workspace_id=entity.workspace_id,
        sku_name=entity.product.sku,
        entity_name=entity.name,
        entity_kind=kind,
        entity_id=entity.entity_id,
        principal=entity.owner,
        detail=entry["detail"],
        **ids,
    )
