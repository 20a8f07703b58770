"""MERGE statements that write only what differs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from health_monitor.runtime import full_name, literal
from health_monitor.spec import Gold
from health_monitor.spec.base import Column
from health_monitor.spec.sql import quoted

GONE = "__is_gone"


def merge_statement(
    definition: Gold, catalog: str, rows: str, touched: Sequence[Any] | None
) -> str:
    """Make the rows of the touched values (all, when None) equal to those of a view or query.

    The merge is given the differences only: Delta asks for its source up to three times, and
    rewrites what has a match there (docs/decisions/0021-merges-are-given-differences.md).
    """
    table = full_name(catalog, definition.table)
    on, there = [f"t.{quoted(name)} = s.{quoted(name)}" for name in definition.key], table
    if touched is not None and definition.refresh is not None:
        within = f"{quoted(definition.refresh.by)} IN ({values(touched)})"
        there = f"(SELECT * FROM {table} WHERE {within})"
        on.append(f"t.{within}")
    names = [quoted(column.name) for column in definition.columns.values()]
    return (
        f"MERGE INTO {table} AS t USING (\n{_differences(definition, rows, there)}\n) AS s\n"
        f"ON {' AND '.join(on)}\n"
        f"WHEN MATCHED AND s.{GONE} THEN DELETE\n"
        f"WHEN MATCHED THEN UPDATE SET {', '.join(f'{name} = s.{name}' for name in names)}\n"
        f"WHEN NOT MATCHED AND NOT s.{GONE} THEN INSERT ({', '.join(names)}) "
        f"VALUES ({', '.join(f's.{name}' for name in names)})"
    )


def _differences(definition: Gold, rows: str, there: str) -> str:
    """Rows that a table lacks or has otherwise, and the keys of those that it has too much."""
    columns = definition.columns.values()
    key = [quoted(name) for name in definition.key]
    selected = ", ".join(
        f"COALESCE(s.{name}, t.{name}) AS {name}" if name in key else f"s.{name}"
        for name in (quoted(column.name) for column in columns)
    )
    differs = " OR ".join(
        f"NOT ({_comparable('t', c)} <=> {_comparable('s', c)})"
        for c in columns
        if c.name not in definition.key
    )
    return (
        f"SELECT {selected}, s.__is_wanted IS NULL AS {GONE}\n"
        f"FROM (SELECT *, TRUE AS __is_wanted FROM {rows}) AS s\n"
        f"FULL OUTER JOIN (SELECT *, TRUE AS __is_there FROM {there}) AS t\n"
        f"ON {' AND '.join(f't.{name} = s.{name}' for name in key)}\n"
        f"WHERE s.__is_wanted IS NULL OR t.__is_there IS NULL OR {differs or 'FALSE'}"
    )


def insert_statement(definition: Gold, catalog: str, rows: str) -> str:
    """The first rows of an empty table.

    They overwrite nothing: Delta lets two appends that read nothing pass at once, and every row
    would be double. Rows of a day lie together (docs/decisions/0025-a-day-lies-together.md).
    """
    names = ", ".join(quoted(name) for name in definition.columns)
    table = full_name(catalog, definition.table)
    order = f" SORT BY {quoted(definition.refresh.by)}" if definition.refresh else ""
    return f"INSERT OVERWRITE {table} ({names}) SELECT {names} FROM {rows}{order}"


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
