"""Three-part names: where they point, and how they are written for Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emulator.settings import CATALOG
from emulator.sql.errors import SqlError, no_such_catalog


@dataclass(frozen=True)
class Namespace:
    """The catalog and schema that complete a shorter name."""

    catalog: str = CATALOG
    schema: str = "default"


@dataclass(frozen=True)
class ObjectName:
    """A table, view, function or volume; Unity Catalog keeps names in lower case."""

    catalog: str
    schema: str
    name: str

    @property
    def full(self) -> str:
        return f"{self.catalog}.{self.schema}.{self.name}"

    @property
    def sql(self) -> str:
        return ".".join(quote(part) for part in (self.catalog, self.schema, self.name))

    @classmethod
    def parse(cls, full_name: str) -> ObjectName:
        """A full name without quotes, as REST calls give it."""
        parts = full_name.split(".")
        if len(parts) != 3 or not all(parts):
            raise SqlError("INVALID_NAME", f"'{full_name}' is no three-part name.", "42602")
        return cls(*(part.lower() for part in parts))


def quote(identifier: str) -> str:
    return "`" + identifier.replace("`", "``") + "`"


def string_literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def check_catalog(name: str) -> str:
    """The one catalog that exists here; any other is refused as Databricks refuses it."""
    if name.lower() != CATALOG:
        raise no_such_catalog(name)
    return CATALOG


def resolve(parts: Sequence[str], current: Namespace) -> ObjectName:
    """Complete a name of one to three parts."""
    lowered = [part.lower() for part in parts]
    if len(lowered) == 1:
        return ObjectName(current.catalog, current.schema, lowered[0])
    if len(lowered) == 2:
        return ObjectName(current.catalog, lowered[0], lowered[1])
    if len(lowered) == 3:
        return ObjectName(check_catalog(lowered[0]), lowered[1], lowered[2])
    raise SqlError("INVALID_NAME", f"'{'.'.join(parts)}' has too many parts.", "42602")


def resolve_schema(parts: Sequence[str], current: Namespace) -> str:
    """The full name of a schema of one or two parts."""
    if len(parts) == 1:
        return f"{current.catalog}.{parts[0].lower()}"
    if len(parts) == 2:
        return f"{check_catalog(parts[0])}.{parts[1].lower()}"
    raise SqlError("INVALID_NAME", f"'{'.'.join(parts)}' is no schema.", "42602")
