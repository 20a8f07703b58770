"""Databricks DDL for tables that definitions describe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from health_monitor.runtime import full_name, literal
from health_monitor.spec.base import Column
from health_monitor.spec.sql import quoted

BASE_PROPERTIES = {
    "delta.enableChangeDataFeed": "true",
    # Without them, one changed row rewrites all that lie in its file.
    "delta.enableDeletionVectors": "true",
}
GOLD_PROPERTIES = {**BASE_PROPERTIES, "delta.enableRowTracking": "true"}


@dataclass(frozen=True)
class TableShape:
    """What a table should look like."""

    table: str
    comment: str
    columns: list[Column]
    key: list[str] = field(default_factory=list)
    foreign_keys: list[tuple[list[str], str]] = field(default_factory=list)
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def short_name(self) -> str:
        return self.table.split(".")[1]


@dataclass(frozen=True)
class TableState:
    """What a table looks like."""

    comment: str | None
    columns: Mapping[str, str | None]
    required: frozenset[str]
    properties: Mapping[str, str]
    constraints: frozenset[str]


def create_table(shape: TableShape, catalog: str) -> str:
    """CREATE TABLE IF NOT EXISTS with all that can be said at creation, but for foreign keys."""
    lines = [_column(column, shape.key) for column in shape.columns]
    if shape.key:
        lines.append(f"CONSTRAINT {primary_key(shape)} PRIMARY KEY ({_names(shape.key)})")
    body = ",\n  ".join(lines)
    return (
        f"CREATE TABLE IF NOT EXISTS {full_name(catalog, shape.table)} (\n  {body}\n)\n"
        f"USING DELTA\nCLUSTER BY AUTO\nCOMMENT {literal(shape.comment)}\n"
        f"TBLPROPERTIES ({_properties(shape.properties)})"
    )


def alterations(shape: TableShape, state: TableState, catalog: str) -> list[str]:
    """What turns a table that exists into what it should look like; nothing when it does."""
    table = f"ALTER TABLE {full_name(catalog, shape.table)}"
    missing = [column for column in shape.columns if column.name not in state.columns]
    statements = []
    if missing:
        added = ", ".join(
            f"{quoted(c.name)} {c.type} COMMENT {literal(c.comment)}" for c in missing
        )
        statements.append(f"{table} ADD COLUMNS ({added})")
    for column in shape.columns:
        if column.name in state.columns and state.columns[column.name] != column.comment:
            name = quoted(column.name)
            statements.append(f"{table} ALTER COLUMN {name} COMMENT {literal(column.comment)}")
    statements += [
        f"{table} ALTER COLUMN {quoted(name)} SET NOT NULL"
        for name in shape.key
        if name not in state.required
    ]
    wrong = {k: v for k, v in shape.properties.items() if state.properties.get(k) != v}
    if wrong:
        statements.append(f"{table} SET TBLPROPERTIES ({_properties(wrong)})")
    if state.comment != shape.comment:
        name = full_name(catalog, shape.table)
        statements.append(f"COMMENT ON TABLE {name} IS {literal(shape.comment)}")
    if shape.key and primary_key(shape) not in state.constraints:
        constraint = f"{primary_key(shape)} PRIMARY KEY ({_names(shape.key)})"
        statements.append(f"{table} ADD CONSTRAINT {constraint}")
    return statements


def foreign_keys(shape: TableShape, constraints: frozenset[str], catalog: str) -> list[str]:
    """The foreign keys that a table lacks; their targets must exist."""
    statements = []
    for columns, target in shape.foreign_keys:
        name = f"{shape.short_name}_{target.split('.')[1]}_fk"
        if name not in constraints:
            statements.append(
                f"ALTER TABLE {full_name(catalog, shape.table)} ADD CONSTRAINT {name} "
                f"FOREIGN KEY ({_names(columns)}) REFERENCES {full_name(catalog, target)}"
            )
    return statements


def primary_key(shape: TableShape) -> str:
    return f"{shape.short_name}_pk"


def _column(column: Column, key: Iterable[str]) -> str:
    required = " NOT NULL" if not column.nullable or column.name in key else ""
    return f"{quoted(column.name)} {column.type}{required} COMMENT {literal(column.comment)}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def _properties(properties: Mapping[str, str]) -> str:
    return ", ".join(f"{literal(k)} = {literal(v)}" for k, v in properties.items())
