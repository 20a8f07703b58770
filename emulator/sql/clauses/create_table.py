"""CREATE TABLE: keys, masks, row filter and CLUSTER BY AUTO leave the text; the rest stays."""

from __future__ import annotations

from dataclasses import dataclass, field

from emulator.sql.catalog_store import CatalogStore
from emulator.sql.clauses.keys import (
    Key,
    add_constraint,
    constraint_of,
    parse_key,
    starts_column_key,
    starts_key,
)
from emulator.sql.clauses.policies import parse_mask, parse_row_filter, set_use
from emulator.sql.errors import SqlError
from emulator.sql.names import ObjectName
from emulator.sql.patterns import Match
from emulator.sql.plan import Context, Plan, Record
from emulator.sql.records import Column, FunctionUse, Table
from emulator.sql.tokens import Edits, Statement, angle_change


@dataclass
class _Draft:
    """What has been read of a CREATE TABLE so far."""

    name: ObjectName
    edits: Edits
    removed: list[str] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    not_null: set[str] = field(default_factory=set)
    ends: dict[str, int] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    uses: list[FunctionUse] = field(default_factory=list)
    cluster_auto: bool = False

    def table(self) -> Table:
        return Table(
            catalog_name=self.name.catalog,
            schema_name=self.name.schema,
            name=self.name.name,
            columns=self.columns,
        )


def create_table(match: Match, context: Context) -> Plan:
    """CREATE [OR REPLACE] TABLE [IF NOT EXISTS] <name> ..."""
    statement = match.statement
    name = context.name(match.name)
    draft = _Draft(name, Edits(statement))
    index = match.end
    if statement.word(index) == "(":
        close = statement.closing(index)
        _read_columns(statement, index + 1, close, draft, context)
        index = close + 1
    _read_clauses(statement, index, draft, context)
    replaced = "OR REPLACE" in match.options or statement.word(0) == "REPLACE"
    if not replaced and context.metadata.table(name) is not None:
        # With IF NOT EXISTS Spark does nothing, without it Spark refuses: either way no record.
        return Plan(sql=[draft.edits.apply()], removed=draft.removed)
    records = _records(draft, context, replaced)
    _make_key_columns_not_null(draft)
    return Plan(
        sql=[draft.edits.apply()],
        removed=draft.removed,
        touched=[("table", name.full)],
        records=records,
    )


def _read_columns(
    statement: Statement, start: int, close: int, draft: _Draft, context: Context
) -> None:
    items = statement.items(start, close, types=True)
    kept = False
    for number, (first, end) in enumerate(items):
        if not starts_key(statement, first):
            _read_column(statement, first, end, draft, context)
            kept = True
            continue
        key, after = parse_key(statement, first)
        if after != end:
            raise _unread(statement, after)
        draft.keys.append(key)
        draft.removed.append(statement.source(first, end))
        if kept:
            draft.edits.remove(items[number - 1][1], end)
        else:
            draft.edits.remove(first, items[number + 1][0] if items[number + 1 :] else end)


def _read_column(
    statement: Statement, first: int, end: int, draft: _Draft, context: Context
) -> None:
    if not statement.is_name(first):
        return
    column = str(statement.tokens[first].text)
    type_end = _type_end(statement, first + 1, end)
    draft.columns.append(Column(column, _type_text(statement, first + 1, type_end)))
    draft.ends[column.lower()] = type_end - 1
    index = type_end
    while index < end:
        if starts_column_key(statement, index):
            key, after = parse_key(statement, index, column)
            draft.keys.append(key)
            draft.removed.append(draft.edits.remove(index, after))
        elif statement.word(index) == "MASK":
            use, after = parse_mask(statement, index + 1, draft.name.full, column, context)
            draft.uses.append(use)
            draft.removed.append(draft.edits.remove(index, after))
        else:
            if statement.words(index, "NOT", "NULL"):
                draft.not_null.add(column.lower())
            after = statement.closing(index) + 1 if statement.word(index) == "(" else index + 1
        index = after


def _type_end(statement: Statement, index: int, end: int) -> int:
    """The index after a type such as decimal(18, 2) or struct<a: int>."""
    if index >= end:
        return index
    angles = 0
    place = index + 1
    while place < end:
        word = statement.word(place)
        if word == "(":
            place = statement.closing(place) + 1
            continue
        angles += angle_change(word)
        if angles <= 0 and set(word) != {">"}:
            return place
        place += 1
    return end


def _type_text(statement: Statement, index: int, end: int) -> str:
    return "".join(statement.source(index, end).split()).lower()


def _read_clauses(statement: Statement, index: int, draft: _Draft, context: Context) -> None:
    """The clauses after the columns, up to AS."""
    while index < len(statement) and statement.word(index) != "AS":
        if statement.words(index, "CLUSTER", "BY", "AUTO"):
            draft.cluster_auto = True
            draft.removed.append(draft.edits.remove(index, index + 3))
            index += 3
        elif statement.words(index, "WITH", "ROW", "FILTER"):
            use, after = parse_row_filter(statement, index + 3, draft.name.full, context)
            draft.uses.append(use)
            draft.removed.append(draft.edits.remove(index, after))
            index = after
        elif statement.word(index) == "(":
            index = statement.closing(index) + 1
        else:
            index += 1


def _records(draft: _Draft, context: Context, replaced: bool) -> list[Record]:
    table = draft.table()
    by_name: list[str] = []
    records: list[Record] = []
    if replaced:
        records.append(lambda store: store.keep_details(table, [c.name for c in table.columns]))
    for key in sorted(draft.keys, key=lambda key: not key.primary):
        constraint = constraint_of(key, table, context)
        if constraint.name in by_name:
            message = f"Constraint '{constraint.name}' is declared twice."
            raise SqlError("CONSTRAINT_ALREADY_EXISTS", message, "42710")
        by_name.append(constraint.name)
        records.append(add_constraint(constraint))
    records.extend(set_use(use) for use in draft.uses)
    if draft.cluster_auto:
        records.append(set_clustering(table.full_name, ["AUTO"]))
    return records


def set_clustering(full_name: str, columns: list[str]) -> Record:
    def change(table: Table) -> None:
        table.cluster_by = columns

    def record(store: CatalogStore) -> object:
        return store.update(Table, full_name, change)

    return record


def _make_key_columns_not_null(draft: _Draft) -> None:
    """Databricks declares the columns of a primary key NOT NULL on its own."""
    primary = next((key for key in draft.keys if key.primary), None)
    for column in primary.columns if primary else []:
        if column.lower() not in draft.not_null:
            draft.edits.insert_after(draft.ends[column.lower()], " NOT NULL")


def _unread(statement: Statement, index: int) -> SqlError:
    text = statement.source(index, index + 1)
    return SqlError("PARSE_SYNTAX_ERROR", f"Syntax error at or near '{text}'.", "42601")
