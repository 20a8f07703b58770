"""PRIMARY KEY and FOREIGN KEY: parsed, checked as Databricks checks them, and kept."""

from __future__ import annotations

from dataclasses import dataclass, field

from emulator.sql.errors import SqlError, syntax_error
from emulator.sql.patterns import Match
from emulator.sql.plan import Context, Plan, Record, fully_removed, require_columns, require_end
from emulator.sql.records import Constraint, Table
from emulator.sql.tokens import Statement

_IGNORED_OPTIONS = (
    ("NOT", "ENFORCED"),
    ("NORELY",),
    ("DEFERRABLE",),
    ("NOT", "DEFERRABLE"),
    ("INITIALLY", "DEFERRED"),
    ("INITIALLY", "IMMEDIATE"),
    ("MATCH", "FULL"),
    ("ON", "UPDATE", "NO", "ACTION"),
    ("ON", "DELETE", "NO", "ACTION"),
)


@dataclass
class Key:
    """A key as written: columns, and for a foreign key its parent."""

    primary: bool
    columns: list[str] = field(default_factory=list)
    timeseries: list[str] = field(default_factory=list)
    name: str | None = None
    parent: list[str] | None = None
    parent_columns: list[str] = field(default_factory=list)
    rely: bool = False


def starts_key(statement: Statement, index: int) -> bool:
    """Whether a key (not a CHECK) begins here, with or without CONSTRAINT <name>."""
    if statement.word(index) == "CONSTRAINT":
        index += 2
    return statement.words(index, "PRIMARY", "KEY") or statement.words(index, "FOREIGN", "KEY")


def starts_column_key(statement: Statement, index: int) -> bool:
    """The same inside a column's definition, where REFERENCES alone begins a foreign key."""
    place = index + 2 if statement.word(index) == "CONSTRAINT" else index
    return starts_key(statement, index) or statement.word(place) == "REFERENCES"


def parse_key(statement: Statement, index: int, column: str | None = None) -> tuple[Key, int]:
    """The key at index; a column's own key has no list of columns."""
    name = None
    if statement.word(index) == "CONSTRAINT":
        parts, index = statement.name(index + 1)
        name = parts[-1].lower()
    key = Key(primary=statement.words(index, "PRIMARY", "KEY"), name=name)
    if statement.words(index + 1, "KEY"):
        index += 2
    if column is not None:
        key.columns = [column]
    else:
        index = _key_columns(statement, index, key)
    if not key.primary:
        if statement.word(index) != "REFERENCES":
            raise syntax_error(statement.source(index, index + 1) or "end", "Expected REFERENCES.")
        key.parent, index = statement.name(index + 1)
        if statement.word(index) == "(":
            key.parent_columns, index = statement.names_in_brackets(index)
    return _options(statement, index, key)


def _key_columns(statement: Statement, index: int, key: Key) -> int:
    if statement.word(index) != "(":
        raise syntax_error(statement.source(index, index + 1) or "end", "Expected (.")
    close = statement.closing(index)
    for start, end in statement.items(index + 1, close):
        if not statement.is_name(start):
            raise syntax_error(statement.source(start, end))
        key.columns.append(str(statement.tokens[start].text))
        if statement.word(start + 1) == "TIMESERIES" and end == start + 2:
            key.timeseries.append(key.columns[-1])
        elif end != start + 1:
            raise syntax_error(statement.source(start + 1, end))
    return close + 1


def _options(statement: Statement, index: int, key: Key) -> tuple[Key, int]:
    while True:
        option = next((o for o in _IGNORED_OPTIONS if statement.words(index, *o)), None)
        if option is not None:
            index += len(option)
        elif statement.word(index) == "RELY":
            key.rely = True
            index += 1
        elif statement.word(index) == "ENFORCED":
            raise SqlError("UNSUPPORTED_CONSTRAINT", "Key constraints cannot be ENFORCED.", "0A000")
        else:
            return key, index


def constraint_of(key: Key, table: Table, context: Context) -> Constraint:
    """The checked constraint; columns, parent and the parent's key must exist."""
    require_columns(table, key.columns)
    columns = tuple(_spelled(table, column) for column in key.columns)
    if key.primary:
        name = key.name or f"{table.name}_pk"
        return Constraint(
            table.full_name,
            name,
            "PRIMARY KEY",
            columns,
            key.rely,
            timeseries=tuple(key.timeseries),
        )
    named = key.parent or []
    itself = context.name(named).full == table.full_name
    parent = table if itself else context.table(named)
    primary = context.catalog.constraints.primary_key(parent.full_name)
    return _foreign_key(key, table, parent, primary, columns)


def _foreign_key(
    key: Key,
    table: Table,
    parent: Table,
    primary: Constraint | None,
    columns: tuple[str, ...],
) -> Constraint:
    name = key.name or f"{table.name}_{parent.name}_fk"
    if primary is None:
        message = f"Foreign key {name}: the parent {parent.full_name} has no primary key."
        raise SqlError("FOREIGN_KEY_PARENT_WITHOUT_KEY", message, "42830")
    require_columns(parent, key.parent_columns)
    parent_columns = tuple(_spelled(parent, c) for c in key.parent_columns) or primary.columns
    if set(parent_columns) != set(primary.columns) or len(columns) != len(parent_columns):
        message = (
            f"Foreign key {name}: ({', '.join(columns)}) does not match the primary key "
            f"({', '.join(primary.columns)}) of {parent.full_name}."
        )
        raise SqlError("FOREIGN_KEY_MISMATCH", message, "42830")
    for child, other in zip(columns, parent_columns, strict=True):
        types = (_type(table, child), _type(parent, other))
        if types[0] != types[1]:
            message = f"Foreign key {name}: {child} is {types[0]}, its parent is {types[1]}."
            raise SqlError("FOREIGN_KEY_MISMATCH", message, "42830")
    return Constraint(
        table.full_name, name, "FOREIGN KEY", columns, key.rely, parent.full_name, parent_columns
    )


def _spelled(table: Table, column: str) -> str:
    found = table.column(column)
    return found.name if found else column


def _type(table: Table, column: str) -> str:
    found = table.column(column)
    return found.type_text.lower() if found else ""


def check_new(constraint: Constraint, context: Context) -> None:
    """A table has one primary key, and a constraint's name once."""
    existing = context.catalog.constraints.all(constraint.table)
    if any(c.name == constraint.name for c in existing):
        message = f"Constraint '{constraint.name}' already exists on {constraint.table}."
        raise SqlError("CONSTRAINT_ALREADY_EXISTS", message, "42710")
    if constraint.type == "PRIMARY KEY" and any(c.type == "PRIMARY KEY" for c in existing):
        message = f"{constraint.table} has a primary key already."
        raise SqlError("MULTIPLE_PRIMARY_KEYS", message, "42P16")


def add_key(match: Match, context: Context) -> Plan:
    """ALTER TABLE <name> ADD [CONSTRAINT <name>] PRIMARY|FOREIGN KEY ..."""
    statement = match.statement
    if statement.words(match.end, "CONSTRAINT", "IF", "NOT", "EXISTS"):
        raise syntax_error("IF", "Databricks has no ADD CONSTRAINT IF NOT EXISTS.")
    if not starts_key(statement, match.end):
        return Plan(sql=[statement.text], touched=[("table", context.name(match.name).full)])
    table = context.table(match.name)
    if table.is_view:
        message = f"{table.full_name} is a view; keys belong to tables."
        raise SqlError("EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE", message, "42809")
    key, end = parse_key(statement, match.end)
    require_end(statement, end)
    constraint = constraint_of(key, table, context)
    check_new(constraint, context)
    if constraint.type == "PRIMARY KEY":
        _require_not_null(table, constraint)
    return fully_removed(statement, add_constraint(constraint))


def add_constraint(constraint: Constraint) -> Record:
    return lambda store: store.constraints.add(constraint)


def _require_not_null(table: Table, constraint: Constraint) -> None:
    nullable = [c.name for c in table.columns if c.name in constraint.columns and c.nullable]
    if nullable:
        message = (
            f"Cannot create the primary key `{constraint.name}` because its child column(s) "
            f"`{'`, `'.join(nullable)}` is nullable. Please change the column nullability."
        )
        raise SqlError("PRIMARY_KEY_COLUMN_NULLABLE", message, "42831")


def drop_constraint(match: Match, context: Context) -> Plan:
    """ALTER TABLE <name> DROP CONSTRAINT [IF EXISTS] <name> [RESTRICT|CASCADE]"""
    statement = match.statement
    table = context.table(match.name)
    wanted = match.column.lower()
    found = [c for c in context.catalog.constraints.all(table.full_name) if c.name == wanted]
    if not found:
        return Plan(sql=[statement.text], touched=[("table", table.full_name)])
    return _drop(statement, match.end, found[0], context)


def drop_primary_key(match: Match, context: Context) -> Plan:
    table = context.table(match.name)
    found = context.catalog.constraints.primary_key(table.full_name)
    if found is None:
        return _absent(match, f"{table.full_name} has no primary key.")
    return _drop(match.statement, match.end, found, context)


def drop_foreign_key(match: Match, context: Context) -> Plan:
    table = context.table(match.name)
    columns, end = match.statement.names_in_brackets(match.end)
    wanted = {column.lower() for column in columns}
    for found in context.catalog.constraints.all(table.full_name):
        if found.type == "FOREIGN KEY" and {c.lower() for c in found.columns} == wanted:
            return _drop(match.statement, end, found, context)
    return _absent(match, f"{table.full_name} has no foreign key on ({', '.join(columns)}).")


def _absent(match: Match, message: str) -> Plan:
    if "IF EXISTS" in match.options:
        return fully_removed(match.statement)
    raise SqlError("CONSTRAINT_DOES_NOT_EXIST", message, "42704")


def _drop(statement: Statement, index: int, constraint: Constraint, context: Context) -> Plan:
    cascade = statement.word(index) == "CASCADE"
    require_end(statement, index + (statement.word(index) in ("CASCADE", "RESTRICT")))
    dependent: list[Constraint] = []
    if constraint.type == "PRIMARY KEY":
        dependent = context.catalog.constraints.referring_to(constraint.table)
    if dependent and not cascade:
        message = f"{constraint.name} is referred to by {dependent[0].table}.{dependent[0].name}."
        raise SqlError("CONSTRAINT_HAS_DEPENDENTS", message, "2BP01")
    gone = [constraint, *dependent]
    return fully_removed(statement, *(_forget(each) for each in gone))


def _forget(constraint: Constraint) -> Record:
    return lambda store: store.constraints.drop(constraint.table, constraint.name)
