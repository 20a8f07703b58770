"""The plan of a simulated account: its parameters, and what lives in it from when to when.

Everything follows from the seed, the first day and the size; nothing depends on the last day,
so an account of N+1 days is the account of N days and one day more.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from emulator.settings import ACCOUNT_ID, METASTORE_ID, WORKSPACE_ID

CLOUD = "AWS"
ACCOUNT = ACCOUNT_ID
METASTORE = METASTORE_ID
ROWS_AT_SCALE_ONE = 1500  # usage rows a day and workspace
_FILE = Path(__file__).with_name("products.yml")
_TEAMS = ("data-platform", "marketing", "finance", "supply-chain", "research")
_WORKSPACE_NAMES = ("production", "analytics", "development", "research", "sandbox", "shared")
_STREAM_ENTITIES = 1


@dataclass(frozen=True)
class Parameters:
    """What the caller chose; written to account.json so that the account can go on."""

    seed: int
    workspaces: int
    first_day: date
    days: int
    rows_per_day: int

    @property
    def last_day(self) -> date:
        return self.day(self.days - 1)

    def day(self, index: int) -> date:
        return self.first_day + timedelta(days=index)

    def moment(self, index: int, hours: float = 0) -> datetime:
        return datetime.combine(self.day(index), time(), UTC) + timedelta(hours=hours)

    def rng(self, *stream: int) -> np.random.Generator:
        """A generator of its own for each purpose, so that one draw never shifts another."""
        return np.random.default_rng([self.seed, *stream])

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "first_day": self.first_day.isoformat()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Parameters:
        return cls(**{**document, "first_day": date.fromisoformat(document["first_day"])})


@dataclass(frozen=True)
class Workspace:
    """One workspace; ``renamed_on`` is the day on which its second name begins."""

    index: int
    workspace_id: str
    name: str
    new_name: str
    renamed_on: int | None


@dataclass(frozen=True, eq=False)
class Product:
    """One product of the bill, as products.yml gives it."""

    name: str
    sku: str
    origin: str
    entity: str
    count: int
    daily_units: float
    weekend: float
    hours: str
    features: dict[str, Any]
    unit: str = "DBU"
    usage_type: str = "COMPUTE_TIME"
    serverless: bool = False
    account_level: bool = False
    begins: int | None = None


@dataclass(frozen=True, eq=False)
class Entity:
    """A job, cluster, warehouse, ... that uses a product; days count from the first day."""

    product: Product
    workspace: Workspace | None
    number: int
    entity_id: str
    name: str
    owner: str
    tags: tuple[tuple[str, str], ...] | None
    created: int
    deleted: int | None
    changes: tuple[int, ...]
    hours: tuple[int, ...]
    daily_units: float
    size: int

    @property
    def workspace_id(self) -> str | None:
        return self.workspace.workspace_id if self.workspace else None

    def lives_on(self, day: int) -> bool:
        return self.created <= day and (self.deleted is None or day < self.deleted)

    def version_on(self, day: int) -> int:
        return sum(change <= day for change in self.changes)


@dataclass(frozen=True, eq=False)
class Plan:
    """The whole account."""

    parameters: Parameters
    workspaces: tuple[Workspace, ...]
    entities: tuple[Entity, ...]

    def living(self, day: int) -> list[Entity]:
        return [entity for entity in self.entities if entity.lives_on(day)]


@functools.cache
def catalog() -> dict[str, Any]:
    """products.yml."""
    document: dict[str, Any] = yaml.safe_load(_FILE.read_text())
    return document


def products() -> list[Product]:
    return [Product(name=name, **entry) for name, entry in catalog()["products"].items()]


@functools.lru_cache(maxsize=4)
def make_plan(parameters: Parameters) -> Plan:
    """The account that these parameters give."""
    workspaces = tuple(_workspace(parameters, index) for index in range(parameters.workspaces))
    entities = tuple(_entities(parameters, workspaces))
    return Plan(parameters, workspaces, entities)


def _workspace(parameters: Parameters, index: int) -> Workspace:
    name = _WORKSPACE_NAMES[index % len(_WORKSPACE_NAMES)]
    if index >= len(_WORKSPACE_NAMES):
        name = f"{name}-{index // len(_WORKSPACE_NAMES) + 1}"
    renamed_on = 4 if index == parameters.workspaces - 1 else None
    workspace_id = str(int(WORKSPACE_ID) + index * 7919)
    return Workspace(index, workspace_id, name, f"{name}-eu", renamed_on)


def _entities(parameters: Parameters, workspaces: tuple[Workspace, ...]) -> Iterator[Entity]:
    rows = parameters.rows_per_day / parameters.workspaces
    scale = min(max(rows / ROWS_AT_SCALE_ONE, 0.4), 6.0)
    for place, product in enumerate(products()):
        count = max(min(product.count, 2), round(product.count * scale)) if product.count > 1 else 1
        homes = [None] if product.account_level else list(workspaces)
        for home in homes:
            for ordinal in range(count):
                yield _entity(parameters, place, product, home, ordinal)


def _entity(
    parameters: Parameters,
    place: int,
    product: Product,
    workspace: Workspace | None,
    ordinal: int,
) -> Entity:
    home = workspace.index if workspace else 10_000
    rng = parameters.rng(_STREAM_ENTITIES, place, home, ordinal)
    created, deleted, changes = _life(rng, place, product, ordinal, first_home=home == 0)
    number = place * 1000 + ordinal
    team = _TEAMS[int(rng.integers(len(_TEAMS)))]
    return Entity(
        product=product,
        workspace=workspace,
        number=number,
        entity_id=_entity_id(rng, product.entity, number, workspace),
        name=f"{team}-{product.name.replace('_', '-')}-{ordinal + 1}",
        owner=f"{team}@example.com" if rng.random() < 0.6 else _uuid(rng),
        tags=_tags(rng, team),
        created=created,
        deleted=deleted,
        changes=changes,
        hours=_hours(rng, product.hours),
        daily_units=product.daily_units * float(rng.lognormal(0, 0.45)),
        size=int(rng.integers(2, 9)),
    )


def _life(
    rng: np.random.Generator, place: int, product: Product, ordinal: int, *, first_home: bool
) -> tuple[int, int | None, tuple[int, ...]]:
    """Created, deleted and changed on which days.

    The first entity of each product stays for ever; in the first workspace it changes early and
    the second is deleted early, so that the smallest account has versions and deletions too.
    """
    created = -int(rng.integers(20, 400))
    deleted: int | None = None
    changes = {int(day) for day in rng.integers(1, 90, int(rng.integers(0, 3)))}
    fate = rng.random()
    if product.begins is not None:
        return product.begins, None, ()
    if ordinal == 0 and first_home:
        changes.add(1 + place % 4)
    elif ordinal == 1 and first_home:
        deleted = 3 + place % 10  # before any incident
    elif ordinal > 0 and fate < 0.12:
        created = int(rng.integers(2, 60))
    elif ordinal > 0 and fate < 0.26:
        deleted = int(rng.integers(3, 90))
    alive = {day for day in changes if created < day and (deleted is None or day < deleted)}
    return created, deleted, tuple(sorted(alive))


def _entity_id(
    rng: np.random.Generator, kind: str, number: int, workspace: Workspace | None
) -> str:
    """Jobs count per workspace, so that the same job id means another job in another one."""
    if kind in ("job", "submit"):
        return str(500_000 + number * 37)
    if kind == "cluster":
        return f"0{1 + number % 9}15-{100000 + number}-{rng.bytes(4).hex()}"
    if kind == "warehouse":
        return rng.bytes(8).hex()
    if kind == "notebook":
        return str(int(rng.integers(10**14, 10**15)))
    return _uuid(rng)


def _tags(rng: np.random.Generator, team: str) -> tuple[tuple[str, str], ...] | None:
    """Two thirds carry tags of their own, some only what the platform adds, few have no map."""
    fate = rng.random()
    environment = "prod" if rng.random() < 0.7 else "dev"
    if fate < 0.66:
        cost_center = f"CC-{100 + len(team)}"
        return (("team", team), ("cost_center", cost_center), ("environment", environment))
    if fate < 0.80:
        return (("Vendor", "Databricks"),)
    return () if fate < 0.95 else None


def _hours(rng: np.random.Generator, profile: str) -> tuple[int, ...]:
    if profile == "night":
        first = int(rng.integers(0, 7))
        return tuple(range(first, first + int(rng.integers(2, 7))))
    if profile == "office":
        return tuple(range(int(rng.integers(6, 9)), int(rng.integers(17, 21))))
    if profile == "late":
        return tuple(range(20 + int(rng.integers(0, 3)), 24))
    if profile == "once":
        return (int(rng.integers(0, 24)),)
    if profile == "always":
        return tuple(range(24))
    raise ValueError(f"{_FILE.name}: unknown hours {profile!r}")


def _uuid(rng: np.random.Generator) -> str:
    text = rng.bytes(16).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
