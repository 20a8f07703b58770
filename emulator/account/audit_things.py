"""What audit rows are about: families of things, and who owns each of them where."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from emulator.account.columns import Bools, Ints, uuid_of
from emulator.account.lakehouse import NEVER, lakehouse_of
from emulator.account.people import GROUPS, People, people_of
from emulator.account.plan import METASTORE, Entity, Plan

_TOKENS, _GUESTS = 400, 20
_STREAM_TOKENS = 67
_ENTITIES = ("job", "cluster", "warehouse", "notebook", "pipeline", "endpoint")


@dataclass(frozen=True, eq=False)
class Family:
    """Things of one sort: their fields for request_params, their workspace and owner (-1: none)."""

    fields: tuple[dict[str, str], ...]
    workspace: Ints
    owner: Ints
    created: Ints
    deleted: Ints

    def draw(self, rng: np.random.Generator, workspace: Ints, day: int) -> Ints:
        """One living thing for each row, of the row's workspace where things have one."""
        alive: Bools = (self.created <= day) & (day < self.deleted)
        chosen = np.zeros(len(workspace), dtype=np.int64)
        for home in np.unique(workspace):
            rows = np.flatnonzero(workspace == home)
            places = np.flatnonzero(alive & ((self.workspace == home) | (self.workspace < 0)))
            chosen[rows] = places[rng.integers(0, len(places), len(rows))]
        return chosen


@functools.lru_cache(maxsize=4)
def families_of(plan: Plan) -> dict[str, Family]:
    """All families of the account by name."""
    people = people_of(plan)
    rng = plan.parameters.rng(_STREAM_TOKENS)
    users = [people.everyone[number] for number in people.numbers("user")]
    return {
        **{kind: _entities(plan, people, kind) for kind in _ENTITIES},
        "table": _tables(plan, people),
        "user": _plain({"name": user.name, "id": str(7000 + user.number)} for user in users),
        "self": _plain({"name": person.name} for person in people.everyone),
        "guest": _plain({"name": f"guest{number}@example.org"} for number in range(_GUESTS)),
        "group": _plain({"name": name} for name in GROUPS),
        "token": _plain({"id": uuid_of(rng)} for _ in range(_TOKENS)),
        "workspace": _plain({"id": w.workspace_id, "name": w.name} for w in plan.workspaces),
        "metastore": _plain([{"id": METASTORE}]),
        "run": _plain([{"id": ""}]),
    }


def _plain(fields: Iterable[dict[str, str]]) -> Family:
    """Things without owner that are always and everywhere there."""
    found = tuple(fields)
    none = np.full(len(found), -1, dtype=np.int64)
    return Family(found, none, none, none, np.full(len(found), NEVER, dtype=np.int64))


def _entities(plan: Plan, people: People, kind: str) -> Family:
    entities = [e for e in plan.entities if e.product.entity == kind and e.workspace is not None]
    return Family(
        tuple(_entity_fields(entity) for entity in entities),
        _ints(entity.workspace.index for entity in entities if entity.workspace),
        _ints(people.number_of[entity.owner] for entity in entities),
        _ints(entity.created for entity in entities),
        _ints(NEVER if entity.deleted is None else entity.deleted for entity in entities),
    )


def _entity_fields(entity: Entity) -> dict[str, str]:
    return {"id": entity.entity_id, "name": entity.name, "path": f"/Shared/{entity.name}"}


def _tables(plan: Plan, people: People) -> Family:
    lakehouse = lakehouse_of(plan)
    tables = lakehouse.tables
    return Family(
        tuple({"full_name": t.full_name, "id": t.table_id, "catalog": t.catalog} for t in tables),
        _ints(-1 for _ in tables),
        _ints(people.number_of[table.creator] for table in tables),
        lakehouse.created,
        lakehouse.dropped,
    )


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, dtype=np.int64)
