"""CREATE VIEW and ALTER VIEW; those WITH METRICS go through the metric view compiler."""

from __future__ import annotations

from emulator.sql.catalog_store import CatalogStore
from emulator.sql.clauses import objects
from emulator.sql.errors import SqlError
from emulator.sql.metric_views import Compiled, compile_metric_view
from emulator.sql.names import ObjectName, quote, string_literal
from emulator.sql.patterns import Match
from emulator.sql.plan import Context, Plan, Record, require_end
from emulator.sql.records import MetricView, Table
from emulator.sql.tokens import Edits, Statement

_SCRATCH = "__metric_view_check_"


def create_view(match: Match, context: Context) -> Plan:
    """CREATE [OR REPLACE] VIEW [IF NOT EXISTS] <name> [(...)] [WITH METRICS LANGUAGE YAML] ..."""
    statement = match.statement
    body = _body_index(statement, match.end)
    if body is None:
        return objects.changes_table(match, context)
    require_end(statement, body + 1)
    name = context.name(match.name)
    existing = context.metadata.table(name)
    if existing is not None and "OR REPLACE" not in match.options:
        if "IF NOT EXISTS" in match.options:
            return Plan()
        message = f"Cannot create the metric view {name.sql}: it exists."
        raise SqlError("TABLE_OR_VIEW_ALREADY_EXISTS", message, "42P07")
    compiled = compile_metric_view(name, statement.body(body), context)
    clauses = statement.source(match.end, body)
    return _create(name, clauses, compiled, statement, replaces=existing is not None)


def alter_view(match: Match, context: Context) -> Plan:
    """ALTER VIEW <name> AS $$ ... $$ gives a metric view a new definition."""
    statement = match.statement
    if not statement.source(match.end, match.end + 1).startswith("$$"):
        return objects.changes_table(match, context)
    require_end(statement, match.end + 1)
    table = context.table(match.name)
    if table.table_type != "METRIC_VIEW":
        message = f"{table.full_name} is no metric view."
        raise SqlError("EXPECT_METRIC_VIEW", message, "42809")
    name = context.name(match.name)
    compiled = compile_metric_view(name, statement.body(match.end), context)
    clauses = "WITH METRICS LANGUAGE YAML AS"
    return _create(name, clauses, compiled, statement, replaces=True)


def _body_index(statement: Statement, start: int) -> int | None:
    """The $$ body of a view WITH METRICS; None for a plain view."""
    for index in range(start, len(statement)):
        if statement.words(index, "WITH", "METRICS"):
            for body in range(index, len(statement)):
                if statement.source(body, body + 1).startswith("$$"):
                    return body
        if statement.word(index) == "AS":
            return None
    return None


def _create(
    name: ObjectName, clauses: str, compiled: Compiled, statement: Statement, *, replaces: bool
) -> Plan:
    """Spark cannot replace a metric view; a trial under another name comes before the drop."""
    clauses = _with_comment(clauses, compiled.comment)
    body = f"{clauses} $$\n{compiled.spark_yaml}$$"
    create = [f"CREATE VIEW {name.sql} {body}"]
    if replaces:
        trial = f"{quote(name.catalog)}.{quote(name.schema)}.{quote(_SCRATCH + name.name)}"
        create = [
            f"DROP VIEW IF EXISTS {trial}",
            f"CREATE VIEW {trial} {body}",
            f"DROP VIEW {trial}",
            f"DROP VIEW {name.sql}",
            *create,
        ]
    return Plan(
        sql=create,
        removed=compiled.left_out,
        touched=[("table", name.full)],
        records=[_record(compiled.record)],
    )


def _with_comment(clauses: str, comment: str | None) -> str:
    """The comment of the YAML, unless the statement has one of its own."""
    statement = Statement(clauses)
    depth = 0
    for index in range(len(statement)):
        word = statement.word(index)
        depth += (word == "(") - (word == ")")
        if word == "COMMENT" and depth == 0:
            return clauses
    if comment is None:
        return clauses
    edits = Edits(statement)
    edits.insert_before(len(statement) - 1, f"COMMENT {string_literal(comment)} ")
    return edits.apply()


def _record(view: MetricView) -> Record:
    comments = {field.name: field.comment for field in view.fields}

    def change(table: Table) -> None:
        for column in table.columns:
            column.comment = comments.get(column.name) or column.comment

    def record(store: CatalogStore) -> None:
        store.put(view)
        store.update(Table, view.full_name, change)

    return record
