"""The tables of the simulated metastore: who writes them, from what, with which columns.

The first writers fill bronze from files, the next silver from bronze, the next gold from silver,
and so on around; views stand on gold. All of it follows from the plan's jobs and pipelines.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from emulator.account.columns import Bools, Ints, uuid_of
from emulator.account.plan import Entity, Plan

NEVER = 10**6
_FILE = Path(__file__).with_name("lakehouse.yml")
_STREAM_TABLE, _STREAM_SCHEMA = 62, 63
_COMMENTED, _OWNED = 0.55, 0.9
_KINDS = {"bronze": "STREAMING_TABLE", "silver": "STREAMING_TABLE", "gold": "MATERIALIZED_VIEW"}


@dataclass(frozen=True, eq=False)
class LakeTable:
    """One table or view; ``number`` is its place, ``sources`` are places, days are the plan's."""

    number: int
    catalog: str
    catalog_id: str
    schema: str
    schema_id: str
    name: str
    table_id: str
    kind: str
    owner: str | None
    comment: str | None
    creator: str
    columns: dict[str, str]
    writer: Entity | None
    sources: tuple[int, ...]
    path: str | None
    created: int
    dropped: int
    is_checked: bool

    @property
    def full_name(self) -> str:
        return f"{self.catalog}.{self.schema}.{self.name}"

    @property
    def is_view(self) -> bool:
        return self.kind == "VIEW"

    def lives_on(self, day: int) -> bool:
        return self.created <= day < self.dropped

    def is_written_on(self, day: int) -> bool:
        return self.lives_on(day) and self.writer is not None and self.writer.lives_on(day)


@dataclass(frozen=True, eq=False)
class Lakehouse:
    """All tables, and the arrays that pick those of a day."""

    tables: tuple[LakeTable, ...]
    created: Ints
    dropped: Ints

    def alive(self, day: int) -> Ints:
        """The places of the tables and views that exist on a day."""
        is_alive: Bools = (self.created <= day) & (day < self.dropped)
        return np.flatnonzero(is_alive)

    def checked(self) -> list[LakeTable]:
        """The tables that the quality monitor looks at, which are written for ever."""
        return [table for table in self.tables if table.is_checked]


@functools.cache
def vocabulary() -> dict[str, Any]:
    """lakehouse.yml."""
    document: dict[str, Any] = yaml.safe_load(_FILE.read_text())
    return document


@functools.lru_cache(maxsize=4)
def lakehouse_of(plan: Plan) -> Lakehouse:
    """The tables of the account, oldest writer first."""
    build = _Builder(plan)
    writers = [e for e in plan.entities if e.product.entity in ("job", "pipeline")]
    # Those that stay come first, so that what they make is there for all that follow.
    for place, writer in enumerate(sorted(writers, key=lambda e: not _stays(e))):
        build.written_by(writer, place)
    build.unused()
    tables = tuple(build.tables)
    created = np.array([table.created for table in tables], dtype=np.int64)
    dropped = np.array([table.dropped for table in tables], dtype=np.int64)
    return Lakehouse(tables, created, dropped)


class _Builder:
    """Adds table after table; a name that is taken gets a number."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tables: list[LakeTable] = []
        self.lasting: dict[str, list[int]] = {layer: [] for layer in vocabulary()["layers"]}
        self.taken: dict[str, int] = {}
        self.subject_of: dict[int, str] = {}
        self.catalogs = _catalogs(plan)

    def written_by(self, writer: Entity, place: int) -> None:
        layers: list[str] = vocabulary()["layers"]
        level = place % len(layers)
        rng = self.plan.parameters.rng(_STREAM_TABLE, place)
        for ordinal in range(1 + place // len(layers) % 2):
            sources = self._sources(rng, layers[level - 1]) if level else ()
            table = self._table(rng, writer, layers[level], sources, ordinal)
            if _stays(writer):
                self.lasting[layers[level]].append(table.number)
            if layers[level] == "gold" and ordinal == 0:
                self._add(rng, writer, table, kind="VIEW", name=f"{table.name}_view")

    def unused(self) -> None:
        """A table a catalog that nobody writes or reads."""
        rng = self.plan.parameters.rng(_STREAM_TABLE, NEVER)
        for catalog in self.catalogs:
            first = next((t for t in self.tables if t.catalog == catalog), None)
            if first is not None and first.writer is not None:
                self._add(rng, first.writer, first, kind="MANAGED", name=f"{first.name}_backup")

    def _sources(self, rng: np.random.Generator, layer: str) -> tuple[int, ...]:
        known = self.lasting[layer]
        size = min(len(known), int(rng.integers(1, 4)))
        return tuple(sorted(int(n) for n in rng.choice(known, size, replace=False)))

    def _table(
        self,
        rng: np.random.Generator,
        writer: Entity,
        layer: str,
        sources: tuple[int, ...],
        ordinal: int,
    ) -> LakeTable:
        subjects = vocabulary()["subjects"]
        own = list(subjects)[int(rng.integers(len(subjects)))]
        own = self.subject_of[sources[0]] if sources else own
        columns = dict(subjects[own])
        for source in sources:
            columns |= self.tables[source].columns
        self.subject_of[len(self.tables)] = own
        names = list(self.catalogs)
        catalog = names[writer.workspace.index % len(names)] if writer.workspace else names[0]
        is_pipeline = writer.product.entity == "pipeline"
        from_files = layer == "bronze" and ordinal == 0
        table = LakeTable(
            number=len(self.tables),
            catalog=catalog,
            catalog_id=self.catalogs[catalog],
            schema=layer,
            schema_id=self._schema_id(catalog, layer),
            name=self._name(catalog, layer, own),
            table_id=uuid_of(rng),
            kind=_KINDS[layer] if is_pipeline else ("EXTERNAL", *["MANAGED"] * 5)[rng.integers(6)],
            owner=writer.owner if rng.random() < _OWNED else None,
            comment=f"{own.capitalize()} of {layer}" if rng.random() < _COMMENTED else None,
            creator=writer.owner,
            columns=columns,
            writer=writer,
            sources=sources,
            path=f"s3://landing-{catalog}/{own}" if from_files else None,
            created=writer.created,
            dropped=_dropped(rng, writer),
            is_checked=_stays(writer) and layer != "bronze" and len(self.tables) < 300,
        )
        self.tables.append(table)
        return table

    def _add(
        self, rng: np.random.Generator, writer: Entity, of: LakeTable, *, kind: str, name: str
    ) -> None:
        is_view = kind == "VIEW"
        table = LakeTable(
            number=len(self.tables),
            catalog=of.catalog,
            catalog_id=of.catalog_id,
            schema=of.schema,
            schema_id=of.schema_id,
            name=name,
            table_id=uuid_of(rng),
            kind=kind,
            owner=of.owner,
            comment=None,
            creator=writer.owner,
            columns=of.columns,
            writer=None,
            sources=(of.number,) if is_view else (),
            path=None,
            created=of.created,
            dropped=of.dropped if is_view else NEVER,
            is_checked=False,
        )
        self.tables.append(table)

    def _name(self, catalog: str, layer: str, subject: str) -> str:
        key = f"{catalog}.{layer}.{subject}"
        self.taken[key] = self.taken.get(key, 0) + 1
        return subject if self.taken[key] == 1 else f"{subject}_{self.taken[key]}"

    def _schema_id(self, catalog: str, layer: str) -> str:
        place = list(self.catalogs).index(catalog)
        level = vocabulary()["layers"].index(layer)
        return uuid_of(self.plan.parameters.rng(_STREAM_SCHEMA, place, level))


def _catalogs(plan: Plan) -> dict[str, str]:
    """Name -> id of the catalogs, which the bill knows by their storage."""
    names: list[str] = vocabulary()["catalogs"]
    storage = [e for e in plan.entities if e.product.entity == "storage" and _stays(e)]
    return {name: entity.entity_id for name, entity in zip(names, storage, strict=False)}


def _stays(entity: Entity) -> bool:
    return entity.created < 0 and entity.deleted is None


def _dropped(rng: np.random.Generator, writer: Entity) -> int:
    """Half of the tables go some days after their writer, the others grow old."""
    goes = rng.random() < 0.5
    return writer.deleted + 3 if goes and writer.deleted is not None else NEVER
