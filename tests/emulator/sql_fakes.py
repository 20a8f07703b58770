"""Spark's metadata as a dictionary, so that plans can be tested without Spark."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from emulator.settings import CATALOG
from emulator.sql.catalog_store import CatalogStore
from emulator.sql.dialect import plan
from emulator.sql.names import Namespace, ObjectName
from emulator.sql.plan import Context, Plan
from emulator.sql.records import Column, Function, Schema, Table

USER = "ada@example.com"


@dataclass
class FakeMetadata:
    catalog: CatalogStore
    queries: dict[str, list[str]] = field(default_factory=dict)

    def table(self, name: ObjectName) -> Table | None:
        return self.catalog.table(name.full)

    def function_exists(self, name: ObjectName) -> bool:
        return self.catalog.function(name.full) is not None

    def schema_exists(self, full_name: str) -> bool:
        return self.catalog.schema(full_name) is not None

    def query_columns(self, query: str) -> list[str]:
        return self.queries[query]


@dataclass
class Workbench:
    """A catalog with schema gold, and plans over it; apply() does what a session would."""

    folder: Path

    def __post_init__(self) -> None:
        self.catalog = CatalogStore(self.folder / "catalog.db")
        self.catalog.put(Schema(catalog_name=CATALOG, name="gold"))
        self.metadata = FakeMetadata(self.catalog)
        self.context = Context(self.catalog, self.metadata, lambda: Namespace(schema="gold"), USER)

    def table(self, name: str, columns: str, *, table_type: str = "MANAGED") -> Table:
        """columns: "id bigint!, name string"; ! means NOT NULL."""
        parts = [item.strip().rsplit(" ", 1) for item in columns.split(",")]
        table = Table(
            catalog_name=CATALOG,
            schema_name="gold",
            name=name,
            table_type=table_type,  # type: ignore[arg-type]
            columns=[
                Column(n, t.rstrip("!"), nullable=not t.endswith("!"), position=i)
                for i, (n, t) in enumerate(parts)
            ],
        )
        self.catalog.put(table)
        return table

    def function(self, name: str) -> None:
        self.catalog.put(Function(catalog_name=CATALOG, schema_name="gold", name=name))

    def plan(self, sql: str) -> Plan:
        return plan(sql, self.context)

    def apply(self, sql: str) -> Plan:
        planned = self.plan(sql)
        for record in planned.records:
            record(self.catalog)
        if planned.removed:
            self.catalog.log.add(sql, planned.removed)
        return planned
