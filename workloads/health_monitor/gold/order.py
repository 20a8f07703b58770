"""Which gold table is computed before which, and which may be computed side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
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
    return [by_table[table] for table in TopologicalSorter(_reads(by_table)).static_order()]


def of_domain(definitions: dict[str, Gold], domain: str) -> dict[str, Gold]:
    """The tables of one domain, and those of others that they are computed from."""
    ordered = in_order(definitions)
    reads = _reads({d.table: d for d in ordered})
    wanted = {d.table for d in ordered if d.domain == domain}
    for definition in reversed(ordered):
        if definition.table in wanted:
            wanted |= reads[definition.table]
    return {name: d for name, d in definitions.items() if d.table in wanted}


def run_in_order(
    definitions: Iterable[Gold], run: Callable[[Gold], None], pool: Executor
) -> dict[str, str]:
    """Run each as soon as those that it reads are done; gives those that failed, and why."""
    by_table = {definition.table: definition for definition in definitions}
    reads = _reads(by_table)
    sorter = TopologicalSorter(reads)
    sorter.prepare()
    failed: dict[str, str] = {}
    running: dict[Future[None], str] = {}
    while sorter.is_active():
        for table in sorter.get_ready():
            missing = sorted(reads[table] & failed.keys())
            if missing:
                failed[table] = f"not computed, because of {', '.join(missing)}"
                sorter.done(table)
            else:
                running[pool.submit(run, by_table[table])] = table
        if running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                table = running.pop(future)
                error = future.exception()
                if error is not None:
                    failed[table] = f"{type(error).__name__}: {error}"
                sorter.done(table)
    return failed


def _reads(by_table: dict[str, Gold]) -> dict[str, set[str]]:
    """Table -> those of the others that it is computed from."""
    return {
        table: ({*feeds_of(definition), *tables_of(definition.sql)} & by_table.keys()) - {table}
        for table, definition in by_table.items()
    }
