"""COMMENT ON anything. Spark knows comments of tables and schemas; the rest is kept here."""

from __future__ import annotations

from emulator.sql.clauses.tags import securable
from emulator.sql.names import quote, string_literal
from emulator.sql.patterns import Match
from emulator.sql.plan import Context, Plan, Record, fully_removed, require_columns, require_end
from emulator.sql.records import Catalog, Function, Table, Volume
from emulator.sql.records import Record as Securable
from emulator.sql.tokens import Statement

_KINDS: dict[str, type[Securable]] = {
    "catalog": Catalog,
    "volume": Volume,
    "function": Function,
    "table": Table,
}


def _comment(statement: Statement, index: int) -> str | None:
    """The literal or NULL that ends the statement."""
    if statement.word(index) == "NULL":
        text, index = None, index + 1
    else:
        text, index = statement.string(index)
    require_end(statement, index)
    return text


def comment_on_column(match: Match, context: Context) -> Plan:
    """Spark's own clause for a table's column; a view's column is commented here only."""
    table = context.table(match.name[:-1])
    column = match.name[-1]
    require_columns(table, [column])
    text = _comment(match.statement, match.end)
    if table.is_view:
        return fully_removed(match.statement, _column_comment(table.full_name, column, text))
    name = context.name(match.name[:-1]).sql
    literal = string_literal(text or "")
    sql = f"ALTER TABLE {name} ALTER COLUMN {quote(column)} COMMENT {literal}"
    return Plan(sql=[sql], touched=[("table", table.full_name)])


def comment_on_table(match: Match, context: Context) -> Plan:
    table = context.table(match.name)
    text = _comment(match.statement, match.end)
    touched = Plan(touched=[("table", table.full_name)])
    if not table.is_view:
        touched.sql = [match.statement.text]
        return touched
    literal = string_literal(text or "")
    name = context.name(match.name).sql
    touched.sql = [f"ALTER VIEW {name} SET TBLPROPERTIES ('comment' = {literal})"]
    return touched


def comment_on_schema(match: Match, context: Context) -> Plan:
    schema = context.existing_schema(match.name)
    _comment(match.statement, match.end)
    return Plan(sql=[match.statement.text], touched=[("schema", schema)])


def comment_elsewhere(match: Match, context: Context) -> Plan:
    """COMMENT ON CATALOG|VOLUME|FUNCTION <name> IS ..."""
    kind, name = securable(match.words[0], match.name, context)
    text = _comment(match.statement, match.end)
    return fully_removed(match.statement, _object_comment(_KINDS[kind], name, text))


def _object_comment(kind: type[Securable], name: str, text: str | None) -> Record:
    def change(record: Securable) -> None:
        record.comment = text

    return lambda store: store.update(kind, name, change)


def _column_comment(table: str, column: str, text: str | None) -> Record:
    def change(record: Table) -> None:
        found = record.column(column)
        if found is not None:
            found.comment = text

    return lambda store: store.update(Table, table, change)
