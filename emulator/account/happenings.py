"""What goes wrong in access, data and models: when, to whom, and the labels of it.

Each period deals its kinds anew over its days, so that all of them come once in every period.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from emulator.account.columns import HOUR, midnight
from emulator.account.incidents import QUIET_DAYS, incident_label
from emulator.account.lakehouse import LakeTable, lakehouse_of
from emulator.account.people import Principal, people_of
from emulator.account.plan import Entity, Plan, Workspace

_FILE = Path(__file__).with_name("happenings.yml")
_STREAM_ORDER, _STREAM_TARGETS, _STREAM_ONE = 64, 65, 66
_PRINCIPALS = ("user", "admin", "dormant")


@dataclass(frozen=True, eq=False)
class Happening:
    """One incident; of its targets only the one that its kind names is set."""

    incident_id: str
    kind: str
    category: str
    seed: tuple[int, int]
    first_day: int
    last_day: int
    hours: tuple[int, int]
    factor: float
    workspace: Workspace
    detail: str
    audit: tuple[dict[str, Any], ...] = ()
    principal: Principal | None = None
    table: LakeTable | None = None
    endpoint: Entity | None = None

    def is_on(self, day: int) -> bool:
        return self.first_day <= day <= self.last_day

    def window(self, plan: Plan, day: int) -> tuple[int, int]:
        """Its begin and end on one day, in microseconds since 1970."""
        start = midnight(plan, day)
        return start + self.hours[0] * HOUR, start + self.hours[1] * HOUR


@dataclass(frozen=True)
class _Kind:
    name: str
    category: str
    target: str
    days: tuple[int, int]
    detail: str
    hours: tuple[int, int] = (0, 24)
    audit: tuple[dict[str, Any], ...] = field(default=())


@functools.cache
def kinds() -> tuple[_Kind, ...]:
    """The kinds of happenings.yml."""
    entries = _document()["kinds"].items()
    return tuple(_Kind(name=name, **entry) for name, entry in entries)


def happenings_on(plan: Plan, day: int, *names: str) -> list[Happening]:
    """Those of these kinds that go on on a day (all kinds, if none is named)."""
    if day < QUIET_DAYS:
        return []
    period = (day - QUIET_DAYS) // _period_days()
    recent = [h for p in (period - 1, period) if p >= 0 for h in _of_period(plan, p)]
    return [h for h in recent if h.is_on(day) and (not names or h.kind in names)]


def happenings_until(plan: Plan, day: int, *names: str) -> Iterator[Happening]:
    """Those of these kinds that have begun by a day."""
    for period in range(max(0, (day - QUIET_DAYS) // _period_days() + 1)):
        for found in _of_period(plan, period):
            if found.first_day <= day and (not names or found.kind in names):
                yield found


def happening_labels(plan: Plan) -> list[dict[str, Any]]:
    """The rows of truth/incidents.parquet."""
    return [_label(plan, found) for found in happenings_until(plan, plan.parameters.days - 1)]


def _label(plan: Plan, found: Happening) -> dict[str, Any]:
    moment = plan.parameters.moment
    kind, entity_id, name = _target(found)
    endpoint = found.endpoint
    return {
        **incident_label(
            plan,
            found.incident_id,
            found.category,
            found.kind,
            (found.first_day, found.last_day),
            workspace_id=found.workspace.workspace_id,
            entity_kind=kind,
            entity_id=entity_id,
            entity_name=name,
            endpoint_id=endpoint.entity_id if endpoint else None,
            table_full_name=found.table.full_name if found.table else None,
            principal=found.principal.name if found.principal else None,
            factor=found.factor,
            detail=found.detail,
        ),
        "start_time": moment(found.first_day) + timedelta(hours=found.hours[0]),
        "end_time": moment(found.last_day) + timedelta(hours=found.hours[1]),
    }


def _target(found: Happening) -> tuple[str, str, str]:
    """Its kind, its id and its name."""
    if found.principal is not None:
        return found.principal.kind, found.principal.name, found.principal.name
    if found.table is not None:
        return "table", found.table.table_id, found.table.full_name
    if found.endpoint is not None:
        return "endpoint", found.endpoint.entity_id, found.endpoint.name
    return "workspace", found.workspace.workspace_id, found.workspace.name


@functools.cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(_FILE.read_text())
    return document


def _period_days() -> int:
    return int(_document()["period_days"])


@functools.lru_cache(maxsize=64)
def _of_period(plan: Plan, period: int) -> tuple[Happening, ...]:
    order = plan.parameters.rng(_STREAM_ORDER, period).permutation(len(kinds()))
    return tuple(
        _happening(plan, period, place, int(turn)) for place, turn in enumerate(order.argsort())
    )


def _happening(plan: Plan, period: int, place: int, turn: int) -> Happening:
    """``place`` is that of the kind in its file, ``turn`` its place in the period."""
    kind = kinds()[place]
    rng = plan.parameters.rng(_STREAM_ONE, period, place)
    first = QUIET_DAYS + period * _period_days() + turn * _period_days() // len(kinds())
    last = first + int(rng.integers(kind.days[0], kind.days[1] + 1)) - 1
    rank = sum(other.target == kind.target for other in kinds()[:place])
    target = _pick_target(plan, kind.target, period, rank, first, last)
    workspace = plan.workspaces[int(rng.integers(len(plan.workspaces)))]
    home = getattr(target, "writer", target)
    if isinstance(home, Entity) and home.workspace is not None:
        workspace = home.workspace
    return Happening(
        incident_id=f"{kind.name.replace('_', '-')}-{period + 1:03}",
        kind=kind.name,
        category=kind.category,
        seed=(period, place),
        first_day=first,
        last_day=last,
        hours=(kind.hours[0], kind.hours[1]),
        factor=round(float(rng.uniform(0, 1)), 3),
        workspace=workspace,
        detail=kind.detail,
        audit=kind.audit,
        principal=target if isinstance(target, Principal) else None,
        table=target if isinstance(target, LakeTable) else None,
        endpoint=target if isinstance(target, Entity) else None,
    )


def _pick_target(
    plan: Plan, target: str, period: int, rank: int, first: int, last: int
) -> Principal | LakeTable | Entity | None:
    """The kinds with the same target take different ones in a period, while there are enough."""
    candidates = _candidates(plan, target, first, last)
    if not candidates:
        return None
    order = plan.parameters.rng(_STREAM_TARGETS, period, len(target)).permutation(len(candidates))
    return candidates[int(order[rank % len(candidates)])]


def _candidates(
    plan: Plan, target: str, first: int, last: int
) -> list[Principal] | list[LakeTable] | list[Entity]:
    if target in _PRINCIPALS:
        people = people_of(plan)
        found = [people.everyone[number] for number in people.numbers(target)]
        # What an administrator may do would be no escalation.
        return [p for p in found if target != "user" or not p.is_admin]
    if target == "table":
        return lakehouse_of(plan).checked()
    if target == "endpoint":
        return [
            entity
            for entity in plan.entities
            if entity.product.name == "model_serving"
            and entity.created < 0
            and (entity.deleted is None or entity.deleted > last + 1)
            and entity.lives_on(first)
        ]
    return []
