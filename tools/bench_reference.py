"""The straightforward way: one table after the other, each read whole, transformed and merged,
whether or not anything is new. A reference to measure against, and nothing that anybody runs.

It shares the platform's definitions and row functions, and none of what the platform does to skip
work. Where rows never change it inserts what is missing, as anybody would.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from health_monitor.bronze.source import conformed, with_row_key
from health_monitor.gold.merge import merge_statement
from health_monitor.gold.order import in_order
from health_monitor.gold.query import parameters, query_of
from health_monitor.runtime import full_name, temporary_view
from health_monitor.silver.rows import broken_rules, checked_columns, quarantined
from health_monitor.spec import Bronze, Definitions, Gold, Silver, qualify
from health_monitor.spec.sql import quoted

from tools.bench_platform import CURRENCY, Timing

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

READ_LATER = ("ingested_at", "row_key")


class Straightforward:
    """Refreshes the tables of a catalog in the straightforward way."""

    def __init__(self, spark: SparkSession, definitions: Definitions, catalog: str) -> None:
        self._spark = spark
        self._definitions = definitions
        self._catalog = catalog
        self._now = datetime.now(UTC)

    def refresh(self) -> Timing:
        """All tables of all layers."""
        timing = Timing()
        for bronze in self._definitions.bronze.values():
            self._timed(timing, bronze, self._bronze)
        for silver in self._definitions.silver.values():
            self._timed(timing, silver, self._silver)
        for gold in in_order(self._definitions.gold):
            if gold.type == "table":
                self._timed(timing, gold, self._gold)
        return timing

    def _timed(self, timing: Timing, table: Any, refresh: Any) -> None:
        started = time.perf_counter()
        with timing.layer(table.kind):
            refresh(table)
        timing.tables[table.table] = time.perf_counter() - started

    def _bronze(self, table: Bronze) -> None:
        from pyspark.sql import functions as F

        source = full_name(self._catalog, table.source)
        if not self._spark.catalog.tableExists(source):
            return
        target = self._table(table.table).schema
        rows = conformed(self._spark.table(source), table, target, table.source)
        key = table.key
        if table.mode == "daily_snapshot":
            rows, key = (
                rows.withColumn("snapshot_date", F.lit(self._now.date())),
                [*key, "snapshot_date"],
            )
        newest_by = table.watermark.column if table.watermark and table.mode != "append" else None
        rows = with_row_key(rows, key, newest_by).withColumn("ingested_at", F.lit(self._now))
        self._merge(table.table, rows, ["row_key"], changes=table.mode != "append")

    def _silver(self, table: Silver) -> None:
        from pyspark.sql import functions as F

        rows = checked_columns(self._table(f"bronze.{table.reads}"), table)
        broken = quarantined(rows, table)
        self._merge(table.quarantine, broken, ["record", "batch"], changes=False)
        valid = rows.where(F.size(broken_rules(table)) == 0)
        if table.keeps == "rows":
            self._merge(table.table, valid, ["row_key"], changes=False)
        elif table.keeps == "latest":
            self._merge(table.table, _latest(valid, table), table.key, changes=True)
        else:
            self._merge(
                table.table, _versions(valid, table), [*table.key, "__START_AT"], changes=True
            )

    def _gold(self, table: Gold) -> None:
        query = qualify(query_of(table), self._catalog)
        arguments = parameters(query, CURRENCY, None)
        with temporary_view(self._spark, self._spark.sql(query, args=arguments)) as view:
            self._spark.sql(merge_statement(table, self._catalog, view, None))

    def _merge(self, table: str, rows: DataFrame, key: list[str], *, changes: bool) -> None:
        columns = [quoted(name) for name in rows.columns if name in self._table(table).columns]
        on = " AND ".join(f"t.{quoted(name)} <=> s.{quoted(name)}" for name in key)
        sets = ", ".join(f"{name} = s.{name}" for name in columns)
        update = f"WHEN MATCHED THEN UPDATE SET {sets} " if changes else ""
        values = ", ".join(f"s.{name}" for name in columns)
        with temporary_view(self._spark, rows) as view:
            self._spark.sql(
                f"MERGE INTO {full_name(self._catalog, table)} AS t USING {view} AS s ON {on} "
                f"{update}WHEN NOT MATCHED THEN INSERT ({', '.join(columns)}) VALUES ({values})"
            )

    def _table(self, table: str) -> DataFrame:
        return self._spark.table(full_name(self._catalog, table))


def _latest(rows: DataFrame, table: Silver) -> DataFrame:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    newest = Window.partitionBy(*table.key).orderBy(F.col(str(table.sequence_by)).desc())
    numbered = rows.withColumn("place", F.row_number().over(newest))
    return numbered.where(F.col("place") == 1).drop("place")


def _versions(rows: DataFrame, table: Silver) -> DataFrame:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    sequence = str(table.sequence_by)
    untracked = {*READ_LATER, sequence, *table.key, *table.untracked}
    content = F.to_json(F.struct(*(F.col(quoted(c)) for c in rows.columns if c not in untracked)))
    by_time = Window.partitionBy(*table.key).orderBy(sequence)
    once = rows.dropDuplicates([*table.key, sequence]).withColumn("content", content)
    before = F.lag("content").over(by_time)
    starts = once.withColumn("starts", before.isNull() | (before != F.col("content")))
    versions = starts.where("starts").drop("content", "starts")
    return versions.withColumn("__START_AT", F.col(sequence)).withColumn(
        "__END_AT", F.lead(sequence).over(by_time)
    )
