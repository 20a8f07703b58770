"""MERGE statements that write only what differs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from health_monitor.runtime import full_name, literal
from health_monitor.spec import Gold
from health_monitor.spec.base import Column
from health_monitor.spec.sql import quoted


def merge_statement(
    definition: Gold, catalog: str, rows: str, touched: Sequence[Any] | None
) -> str:
    """Make the rows of the touched values (all, when None) equal to those of a view or query."""
    columns = list(definition.columns.values())
    names = [quoted(column.name) for column in columns]
    on = [f"t.{quoted(name)} = s.{quoted(name)}" for name in definition.key]
    gone = ""
    if touched is not None and definition.refresh is not None:
        within = f"t.{quoted(definition.refresh.by)} IN ({values(touched)})"
        on.append(within)
        gone = f" AND {within}"
    differs = " OR ".join(
        f"NOT ({_comparable('t', c)} <=> {_comparable('s', c)})"
        for c in columns
        if c.name not in definition.key
    )
    updates = ", ".join(f"{name} = s.{name}" for name in names)
    return (
        f"MERGE INTO {full_name(catalog, definition.table)} AS t USING {rows} AS s\n"
        f"ON {' AND '.join(on)}\n"
        f"WHEN MATCHED AND ({differs}) THEN UPDATE SET {updates}\n"
        f"WHEN NOT MATCHED THEN INSERT ({', '.join(names)}) "
        f"VALUES ({', '.join(f's.{name}' for name in names)})\n"
        f"WHEN NOT MATCHED BY SOURCE{gone} THEN DELETE"
    )


def insert_statement(definition: Gold, catalog: str, rows: str) -> str:
    """The first rows of an empty table.

    They overwrite nothing: Delta lets two appends that read nothing pass at once, and every row
    would be double.
    """
    names = ", ".join(quoted(name) for name in definition.columns)
    table = full_name(catalog, definition.table)
    return f"INSERT OVERWRITE {table} ({names}) SELECT {names} FROM {rows}"


def values(items: Sequence[Any]) -> str:
    """A list of literals."""
    return ", ".join(_literal(item) for item in items)


def _literal(item: Any) -> str:
    if isinstance(item, date):
        return f"DATE'{item.isoformat()}'"
    if isinstance(item, str):
        return literal(item)
    raise TypeError(f"gold is refreshed by dates or texts, not by {type(item).__name__}")


def _comparable(alias: str, column: Column) -> str:
    """Maps cannot be compared; their JSON can."""
    name = f"{alias}.{quoted(column.name)}"
    return f"TO_JSON({name})" if column.type.lower().startswith("map") else name
