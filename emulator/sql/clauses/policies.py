"""Row filters and column masks: SET, DROP, and inside CREATE TABLE."""

from __future__ import annotations

from emulator.sql.clauses.tags import securable
from emulator.sql.errors import SqlError, syntax_error
from emulator.sql.patterns import Match
from emulator.sql.plan import Context, Plan, Record, fully_removed, require_columns, require_end
from emulator.sql.records import FunctionUse
from emulator.sql.tokens import Statement


def function_use(
    table: str, column: str, function: list[str], arguments: list[str], context: Context
) -> FunctionUse:
    """The use of a function, which must exist."""
    _, name = securable("FUNCTION", function, context)
    return FunctionUse(table, column, name, tuple(arguments))


def parse_mask(
    statement: Statement, index: int, table: str, column: str, context: Context
) -> tuple[FunctionUse, int]:
    """<function> [USING COLUMNS (...)]"""
    function, index = statement.name(index)
    arguments: list[str] = []
    if statement.words(index, "USING", "COLUMNS"):
        arguments, index = statement.names_in_brackets(index + 2)
    return function_use(table, column, function, arguments, context), index


def parse_row_filter(
    statement: Statement, index: int, table: str, context: Context
) -> tuple[FunctionUse, int]:
    """<function> ON (...)"""
    function, index = statement.name(index)
    if statement.word(index) != "ON":
        raise syntax_error(statement.source(index, index + 1) or "end", "Expected ON.")
    arguments, index = statement.names_in_brackets(index + 1)
    return function_use(table, "", function, arguments, context), index


def set_use(use: FunctionUse) -> Record:
    return lambda store: store.function_uses.set(use)


def set_row_filter(match: Match, context: Context) -> Plan:
    table = context.table(match.name)
    use, end = parse_row_filter(match.statement, match.end, table.full_name, context)
    require_end(match.statement, end)
    require_columns(table, use.arguments)
    return fully_removed(match.statement, set_use(use))


def drop_row_filter(match: Match, context: Context) -> Plan:
    return _drop(match, context, "")


def set_mask(match: Match, context: Context) -> Plan:
    table = context.table(match.name)
    require_columns(table, [match.column])
    use, end = parse_mask(match.statement, match.end, table.full_name, match.column, context)
    require_end(match.statement, end)
    require_columns(table, use.arguments)
    return fully_removed(match.statement, set_use(use))


def drop_mask(match: Match, context: Context) -> Plan:
    return _drop(match, context, match.column)


def _drop(match: Match, context: Context, column: str) -> Plan:
    require_end(match.statement, match.end)
    table = context.table(match.name)
    if column:
        require_columns(table, [column])
    uses = context.catalog.function_uses.all(table.full_name)
    if not any(use.column == column.lower() for use in uses):
        what = f"mask on column {column}" if column else "row filter"
        raise SqlError("POLICY_NOT_FOUND", f"{table.full_name} has no {what}.", "42704")
    return fully_removed(
        match.statement, lambda store: store.function_uses.drop(table.full_name, column)
    )
