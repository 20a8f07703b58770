"""What one statement comes to: text for Spark, clauses removed, what to record afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pyspark.sql.types import StructType

from emulator.sql.catalog_store import CatalogStore
from emulator.sql.errors import no_such_column, no_such_schema, no_such_table, syntax_error
from emulator.sql.names import Namespace, ObjectName, resolve, resolve_schema
from emulator.sql.records import Table
from emulator.sql.tokens import Statement

Record = Callable[[CatalogStore], object]
Touched = tuple[Literal["table", "function", "schema"], str]


@dataclass
class Rows:
    """A result that is known without Spark; columns that only have names hold strings."""

    columns: tuple[str, ...] | StructType
    rows: list[tuple[Any, ...]]


@dataclass
class Plan:
    """Spark gets each of ``sql`` in turn (the last one's result counts), then the records run.

    ``views`` are the views of information_schema that the text reads.
    """

    sql: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    touched: list[Touched] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    rows: Rows | None = None
    views: list[str] = field(default_factory=list)


class Metadata(Protocol):
    """Looks up what Spark has; None or False when it is not there."""

    def table(self, name: ObjectName) -> Table | None: ...

    def function_exists(self, name: ObjectName) -> bool: ...

    def schema_exists(self, full_name: str) -> bool: ...

    def query_columns(self, query: str) -> list[str]: ...


@dataclass
class Context:
    """What a clause may ask while it plans: the catalog, the current schema, Spark's metadata."""

    catalog: CatalogStore
    metadata: Metadata
    namespace: Callable[[], Namespace]
    user: str

    def name(self, parts: list[str]) -> ObjectName:
        return resolve(parts, self.namespace() if len(parts) == 1 else Namespace())

    def schema(self, parts: list[str]) -> str:
        return resolve_schema(parts, Namespace())

    def table(self, parts: list[str]) -> Table:
        """The table or view; a Databricks error when it does not exist."""
        name = self.name(parts)
        table = self.metadata.table(name)
        if table is None:
            raise no_such_table(name.sql)
        return table

    def existing_schema(self, parts: list[str]) -> str:
        name = self.schema(parts)
        if not self.metadata.schema_exists(name):
            raise no_such_schema(name)
        return name


def require_columns(table: Table, columns: Iterable[str]) -> None:
    for column in columns:
        if table.column(column) is None:
            raise no_such_column(column, table.full_name, [c.name for c in table.columns])


def require_end(statement: Statement, index: int) -> None:
    """A clause that is not understood to its last word is refused, never cut."""
    if index < len(statement):
        raise syntax_error(statement.source(index, index + 1))


def fully_removed(statement: Statement, *records: Record) -> Plan:
    """Nothing is left for Spark; the catalog keeps it all."""
    return Plan(removed=[statement.text.strip()], records=list(records))
