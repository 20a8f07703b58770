"""CREATE VIEW and ALTER VIEW; WITH METRICS goes to the metric view compiler."""

from __future__ import annotations

from emulator.sql.clauses import objects
from emulator.sql.patterns import Match
from emulator.sql.plan import Context, Plan


def create_view(match: Match, context: Context) -> Plan:
    return objects.changes_table(match, context)


def alter_view(match: Match, context: Context) -> Plan:
    return objects.changes_table(match, context)
