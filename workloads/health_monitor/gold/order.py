"""Which gold table is computed before which."""

from __future__ import annotations

from graphlib import TopologicalSorter

from health_monitor.spec import Gold
from health_monitor.spec.sql import tables_of


def feeds_of(definition: Gold) -> list[str]:
    """The tables that a gold table is computed from."""
    if definition.refresh is not None:
        return [feed.table for feed in definition.refresh.feeds]
    return sorted(tables_of(definition.sql))


def in_order(definitions: dict[str, Gold]) -> list[Gold]:
    """Each after those that it reads."""
    by_table = {d.table: d for d in definitions.values() if d.sql}
    graph = {table: set(feeds_of(d)) & by_table.keys() for table, d in by_table.items()}
    for table, definition in by_table.items():
        graph[table] |= tables_of(definition.sql) & by_table.keys()
    return [by_table[table] for table in TopologicalSorter(graph).static_order()]
