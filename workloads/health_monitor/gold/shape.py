"""What gold's tables and views look like, from their definitions."""

from __future__ import annotations

from health_monitor.ddl import GOLD_PROPERTIES, TableShape
from health_monitor.runtime import full_name, literal
from health_monitor.spec import Gold, qualify
from health_monitor.spec.sql import quoted


def gold_shape(definition: Gold) -> TableShape:
    """Columns, keys and properties of a gold table."""
    return TableShape(
        definition.table,
        definition.comment,
        list(definition.columns.values()),
        key=definition.key,
        foreign_keys=[(key.columns, key.references) for key in definition.foreign_keys],
        properties=GOLD_PROPERTIES,
    )


def create_view(definition: Gold, catalog: str) -> str:
    """CREATE OR REPLACE VIEW with comments, columns in the order of the definition."""
    columns = ",\n  ".join(
        f"{quoted(column.name)} COMMENT {literal(column.comment)}"
        for column in definition.columns.values()
    )
    names = ", ".join(quoted(name) for name in definition.columns)
    return (
        f"CREATE OR REPLACE VIEW {full_name(catalog, definition.table)} (\n  {columns}\n)\n"
        f"COMMENT {literal(definition.comment)}\n"
        f"AS SELECT {names} FROM (\n{qualify(definition.sql, catalog).rstrip()}\n)"
    )
