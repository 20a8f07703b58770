"""SET TAGS, UNSET TAGS, SET TAG ON, UNSET TAG ON."""

from __future__ import annotations

from emulator.sql.errors import SqlError, no_such_catalog, not_supported, syntax_error
from emulator.sql.patterns import Match
from emulator.sql.plan import Context, Plan, fully_removed, require_columns, require_end
from emulator.sql.tokens import Statement

MAX_TAGS = 50
MAX_KEY = 255
MAX_VALUE = 1000
_FORBIDDEN_IN_KEYS = set(".,-=/:")


def set_tags(match: Match, context: Context) -> Plan:
    kind, name = securable(_word(match), match.name, context)
    values, end = _pairs(match.statement, match.end)
    require_end(match.statement, end)
    _check_limits(context, kind, name, "", values)
    return fully_removed(match.statement, lambda store: store.tags.set(kind, name, values))


def unset_tags(match: Match, context: Context) -> Plan:
    kind, name = securable(_word(match), match.name, context)
    keys, end = _keys(match.statement, match.end)
    require_end(match.statement, end)
    return fully_removed(match.statement, lambda store: store.tags.unset(kind, name, keys))


def _word(match: Match) -> str:
    """The kind of securable; a streaming table is a table."""
    return match.words[0] if match.words else "TABLE"


def set_column_tags(match: Match, context: Context) -> Plan:
    table = context.table(match.name)
    require_columns(table, [match.column])
    values, end = _pairs(match.statement, match.end)
    require_end(match.statement, end)
    _check_limits(context, "column", table.full_name, match.column, values)
    return fully_removed(
        match.statement,
        lambda store: store.tags.set("column", table.full_name, values, match.column),
    )


def unset_column_tags(match: Match, context: Context) -> Plan:
    table = context.table(match.name)
    require_columns(table, [match.column])
    keys, end = _keys(match.statement, match.end)
    require_end(match.statement, end)
    return fully_removed(
        match.statement,
        lambda store: store.tags.unset("column", table.full_name, keys, match.column),
    )


def set_tag_on(match: Match, context: Context) -> Plan:
    """SET TAG ON <kind> <name> key [= value]; a column's name ends with the column."""
    kind, name, column = _tagged(match, context)
    statement = match.statement
    key, index = _word_or_string(statement, match.end)
    value = ""
    if statement.word(index) == "=":
        value, index = _word_or_string(statement, index + 1)
    require_end(statement, index)
    _check_limits(context, kind, name, column, {key: value})
    return fully_removed(statement, lambda store: store.tags.set(kind, name, {key: value}, column))


def unset_tag_on(match: Match, context: Context) -> Plan:
    kind, name, column = _tagged(match, context)
    key, index = _word_or_string(match.statement, match.end)
    require_end(match.statement, index)
    return fully_removed(match.statement, lambda store: store.tags.unset(kind, name, [key], column))


def _tagged(match: Match, context: Context) -> tuple[str, str, str]:
    if match.words[0] != "COLUMN":
        return (*securable(match.words[0], match.name, context), "")
    table = context.table(match.name[:-1])
    require_columns(table, match.name[-1:])
    return "column", table.full_name, match.name[-1]


def securable(word: str, parts: list[str], context: Context) -> tuple[str, str]:
    """The kind and full name of an existing securable that a statement names."""
    if word == "CATALOG":
        name = ".".join(parts).lower()
        if context.catalog.catalog(name) is None:
            raise no_such_catalog(name)
        return "catalog", name
    if word in ("SCHEMA", "DATABASE"):
        return "schema", context.existing_schema(parts)
    if word in ("TABLE", "VIEW"):
        return "table", context.table(parts).full_name
    full_name = context.name(parts).full
    if word == "VOLUME":
        if context.catalog.volume(full_name) is None:
            raise SqlError("VOLUME_NOT_FOUND", f"Volume {full_name} does not exist.", "42704")
        return "volume", full_name
    if word == "FUNCTION":
        if not context.metadata.function_exists(context.name(parts)):
            message = f"The function {full_name} cannot be found."
            raise SqlError("ROUTINE_NOT_FOUND", message, "42883")
        return "function", full_name
    raise not_supported(f"{word} as a securable")


def _pairs(statement: Statement, index: int) -> tuple[dict[str, str], int]:
    """('key' = 'value', 'flag', ...)"""
    if statement.word(index) != "(":
        raise syntax_error(statement.source(index, index + 1) or "end of statement")
    close = statement.closing(index)
    values: dict[str, str] = {}
    for start, end in statement.items(index + 1, close):
        key, place = statement.string(start)
        values[key] = ""
        if place < end:
            if statement.word(place) != "=":
                raise syntax_error(statement.source(place, place + 1), "Expected =.")
            values[key], place = statement.string(place + 1)
        if place != end:
            raise syntax_error(statement.source(place, end))
    return values, close + 1


def _keys(statement: Statement, index: int) -> tuple[list[str], int]:
    values, end = _pairs(statement, index)
    return list(values), end


def _word_or_string(statement: Statement, index: int) -> tuple[str, int]:
    if statement.is_string(index):
        return statement.string(index)
    if not statement.is_name(index):
        raise syntax_error(statement.source(index, index + 1) or "end of statement")
    return str(statement.tokens[index].text), index + 1


def _check_limits(
    context: Context, kind: str, name: str, column: str, values: dict[str, str]
) -> None:
    for key, value in values.items():
        if not key or len(key) > MAX_KEY or _FORBIDDEN_IN_KEYS & set(key):
            raise SqlError("INVALID_PARAMETER_VALUE", f"The tag key '{key}' is not valid.", "22023")
        if len(value) > MAX_VALUE:
            message = f"The value of tag '{key}' is longer than {MAX_VALUE} characters."
            raise SqlError("INVALID_PARAMETER_VALUE", message, "22023")
    present = {t.key for t in context.catalog.tags.all(kind, name) if t.column == column.lower()}
    if len(present | set(values)) > MAX_TAGS:
        message = f"{kind} {name} cannot have more than {MAX_TAGS} tags."
        raise SqlError("RESOURCE_EXHAUSTED", message, "54000")
