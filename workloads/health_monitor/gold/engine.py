"""Sets gold up, and brings it up to date: what changed is computed again, the rest is left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from health_monitor.gold.feeds import Feeds, Position, Work
from health_monitor.gold.merge import insert_statement, merge_statement, values
from health_monitor.gold.order import in_order
from health_monitor.gold.shape import create_view, gold_shape
from health_monitor.runtime import full_name, said, temporary_view
from health_monitor.spec import Gold, qualify
from health_monitor.spec.sql import quoted, tokens
from health_monitor.tables import ensure_platform_tables, ensure_tables

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def setup(spark: SparkSession, definitions: dict[str, Gold], catalog: str) -> None:
    """Create or complete every gold table and view; no table is ever made anew."""
    started = time.monotonic()
    ensure_platform_tables(spark, catalog)
    shapes = [gold_shape(d) for d in definitions.values() if d.type == "table"]
    touched = ensure_tables(spark, shapes, catalog)
    for definition in in_order(definitions):
        if definition.type == "view":
            spark.sql(create_view(definition, catalog))
    said("gold", started, tables=len(shapes), created_or_altered=len(touched))


@dataclass(frozen=True)
class GoldRefresh:
    """Brings gold up to date in one currency."""

    spark: SparkSession
    catalog: str
    currency: str

    def refresh_all(self, definitions: dict[str, Gold]) -> dict[str, str]:
        """All tables in order; gives those that were computed, and why."""
        feeds = Feeds(self.spark, self.catalog, {"currency": self.currency})
        known = feeds.read_positions()
        done: dict[str, Mapping[str, Position]] = {}
        outcome: dict[str, str] = {}
        try:
            for definition in in_order(definitions):
                if definition.type == "view":
                    continue
                started = time.monotonic()
                before = known.get(definition.table, {})
                work = feeds.work(definition, before)
                if not work.is_nothing:
                    self._compute(definition, work)
                    outcome[definition.table] = work.reason
                if work.positions != before:
                    done[definition.table] = work.positions
                said(definition.table, started, refreshed=work.reason)
        finally:
            feeds.write_positions(done)
        return outcome

    def _compute(self, definition: Gold, work: Work) -> None:
        query = qualify(definition.sql, self.catalog)
        rows = self.spark.sql(query, args=self._arguments(query))
        refresh = definition.refresh
        if work.touched is not None and refresh is not None:
            rows = rows.where(f"{quoted(refresh.by)} IN ({values(work.touched)})")
        with temporary_view(self.spark, rows) as view:
            if self.spark.table(full_name(self.catalog, definition.table)).isEmpty():
                statement = insert_statement(definition, self.catalog, view)
            else:
                statement = merge_statement(definition, self.catalog, view, work.touched)
            self.spark.sql(statement)

    def _arguments(self, query: str) -> dict[str, str]:
        """The parameters that a query names; Spark refuses values without a parameter."""
        named = {token.text for token in tokens(query)}
        return {"currency": self.currency} if "currency" in named else {}
