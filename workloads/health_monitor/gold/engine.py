"""Sets gold up, and brings it up to date: what changed is computed again, the rest is left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from health_monitor.gold.feeds import Feeds, Position, Work
from health_monitor.gold.merge import insert_statement, merge_statement, values
from health_monitor.gold.order import feeds_of, in_order, run_in_order
from health_monitor.gold.query import parameters, query_of
from health_monitor.gold.shape import create_view, gold_shape
from health_monitor.runtime import full_name, row_count, said
from health_monitor.spec import Gold, qualify
from health_monitor.spec.sql import quoted, tables_of
from health_monitor.tables import ensure_platform_tables, ensure_tables, exists

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WORKERS = 3


class GoldError(RuntimeError):
    """Tables that could not be brought up to date; all others were."""


def setup(spark: SparkSession, definitions: dict[str, Gold], catalog: str) -> None:
    """Create or complete every gold table and view; no table is ever made anew."""
    started = time.monotonic()
    ensure_platform_tables(spark, catalog)
    shapes = [gold_shape(d) for d in definitions.values() if d.type == "table"]
    touched = ensure_tables(spark, shapes, catalog)
    for definition in in_order(definitions):
        # a view of silver has to wait for silver's first update: the refresh creates it
        if definition.type == "view" and all(
            exists(spark, catalog, table) for table in tables_of(definition.sql)
        ):
            spark.sql(create_view(definition, catalog))
    said("gold", started, tables=len(shapes), created_or_altered=len(touched))


@dataclass
class GoldRefresh:
    """Brings gold up to date in one currency."""

    spark: SparkSession
    catalog: str
    currency: str
    done: dict[str, Mapping[str, Position]] = field(default_factory=dict)
    outcome: dict[str, str] = field(default_factory=dict)

    def refresh_all(self, definitions: dict[str, Gold]) -> dict[str, str]:
        """All tables in order, independent ones side by side; gives what was computed, and why.

        A table that fails stops those that read it, and no other.
        """
        feeds = Feeds(self.spark, self.catalog, self.currency)
        feeds.read_positions()
        wanted = in_order(definitions)
        sources = {feed for d in wanted if d.type == "table" for feed in feeds_of(d)}
        feeds.look_at((s for s in sources if not s.startswith("gold.")), WORKERS)
        try:
            with ThreadPoolExecutor(WORKERS) as pool:
                failed = run_in_order(wanted, lambda d: self._refresh(d, feeds), pool)
        finally:
            feeds.write_positions(self.done)
        if failed:
            raise GoldError("; ".join(f"{table}: {why}" for table, why in sorted(failed.items())))
        return self.outcome

    def _refresh(self, definition: Gold, feeds: Feeds) -> None:
        if definition.type == "view":
            if not exists(self.spark, self.catalog, definition.table):
                self.spark.sql(create_view(definition, self.catalog))
            return
        started = time.monotonic()
        work = feeds.work(definition)
        if not work.is_nothing:
            self._compute(definition, work)
            self.outcome[definition.table] = work.reason
        if work.positions != feeds.known_of(definition):
            self.done[definition.table] = work.positions
        said(definition.table, started, refreshed=work.reason)

    def _compute(self, definition: Gold, work: Work) -> None:
        query = qualify(query_of(definition), self.catalog)
        given = parameters(query, self.currency, work.touched)
        rows = f"(\n{query}\n)"
        if work.touched is not None and definition.refresh is not None:
            within = f"{quoted(definition.refresh.by)} IN ({values(work.touched)})"
            rows = f"(SELECT * FROM {rows} WHERE {within})"
        table = full_name(self.catalog, definition.table)
        if work.is_first and row_count(self.spark, table) == 0:
            statement = insert_statement(definition, self.catalog, rows)
        else:
            statement = merge_statement(definition, self.catalog, rows, work.touched)
        self.spark.sql(statement, args=given)
