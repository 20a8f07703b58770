"""Statements that Spark runs as they are, after which the catalog's entry is renewed."""

from __future__ import annotations

from emulator.sql.errors import SqlError, no_such_schema
from emulator.sql.patterns import Match
from emulator.sql.plan import Context, Plan


def _as_is(match: Match) -> Plan:
    return Plan(sql=[match.statement.text])


def changes_table(match: Match, context: Context) -> Plan:
    plan = _as_is(match)
    plan.touched = [("table", context.name(match.name).full)]
    return plan


def create_view(match: Match, context: Context) -> Plan:
    """A view that replaces another takes its place; grants and tags stay."""
    return changes_table(match, context)


def changes_function(match: Match, context: Context) -> Plan:
    plan = _as_is(match)
    plan.touched = [("function", context.name(match.name).full)]
    return plan


def changes_schema(match: Match, context: Context) -> Plan:
    plan = _as_is(match)
    plan.touched = [("schema", context.schema(match.name))]
    return plan


def drop_table(match: Match, context: Context) -> Plan:
    """What was dropped is gone from the catalog with all that hung on it."""
    return changes_table(match, context)


def drop_schema(match: Match, context: Context) -> Plan:
    """Volumes and functions of the catalog count as content, as tables do."""
    full_name = context.schema(match.name)
    if not context.metadata.schema_exists(full_name):
        if "IF EXISTS" in match.options:
            return _as_is(match)
        raise no_such_schema(full_name)
    cascade = match.statement.word(match.end) == "CASCADE"
    if not cascade and context.catalog.holds_volumes(full_name):
        message = f"Schema {full_name} still holds volumes."
        raise SqlError("SCHEMA_NOT_EMPTY", message, "2BP01")
    plan = _as_is(match)
    plan.records = [lambda store: store.drop_schema(full_name, cascade=True)]
    return plan


def rename_table(match: Match, context: Context) -> Plan:
    old = context.name(match.names[0]).full
    new = context.name(match.names[1]).full
    plan = _as_is(match)
    plan.records = [lambda store: store.rename_table(old, new)]
    return plan
