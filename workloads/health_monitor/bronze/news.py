"""What a source has and bronze has not, and how it gets there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from health_monitor.bronze.source import with_row_key
from health_monitor.runtime import first_row, row_count, temporary_view
from health_monitor.spec.kinds import Bronze
from health_monitor.spec.sql import quoted

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

# A time outside of these is a mistake; it must neither hide its row nor move the watermark.
FIRST_POSSIBLE = date(2000, 1, 1)
AHEAD = timedelta(days=1)
NOT_CONTENT = ("row_key", "ingested_at")


class Outcome(NamedTuple):
    """What was written, and how far the source is read now."""

    new_rows: int
    changed: bool
    mark: datetime | None


@dataclass(frozen=True)
class Bound:
    """From when on rows matter; those with a time that cannot be always do."""

    column: str
    type: str
    start: datetime

    def condition(self, table: str = "") -> str:
        """As SQL, on the column of a table with that alias."""
        column = f"{table}.{quoted(self.column)}" if table else quoted(self.column)
        start = f"TIMESTAMP'{self.start:%Y-%m-%d %H:%M:%S.%f}Z'"
        if self.type == "date":
            start = f"DATE'{self.start:%Y-%m-%d}'"
        first = FIRST_POSSIBLE.isoformat()
        return f"({column} IS NULL OR {column} < DATE'{first}' OR {column} >= {start})"


@dataclass(frozen=True)
class News:
    """Finds and writes the news of one table; ``mark`` is how far its source was read."""

    spark: SparkSession
    definition: Bronze
    source: str
    target: str
    now: datetime
    mark: datetime | None

    def bring(self, source: DataFrame) -> Outcome:
        """Write what is new or has changed; what left the source stays.

        A daily snapshot does so within the picture of today, where nothing stays.
        """
        from pyspark.sql import functions as F

        table, key, since = self.spark.table(self.target), self.definition.key, self._since
        rows = source.where(since.condition()) if since else source
        if self.definition.mode == "daily_snapshot":
            rows = rows.withColumn("snapshot_date", F.lit(self._today))
            table = table.where(F.col("snapshot_date") == F.lit(self._today))
            key = [*key, "snapshot_date"]
        newest_by = self._watermark if self.definition.mode == "incremental_merge" else None
        wanted = with_row_key(rows, key, newest_by)
        is_part = self.definition.mode == "daily_snapshot"
        if table.isEmpty() if is_part else row_count(self.spark, self.target) == 0:
            return self._first(wanted)
        twins = self._twins(rows)
        compared = self._compared(wanted, table.where(twins.condition()) if twins else table)
        found = self._found(compared)
        changed = compared.where("NOT __gone").drop("__had", "__gone")
        mark = max(filter(None, (self.mark, utc(found["mark"]))), default=None)
        if found["had"] or found["gone"]:
            written = self._merge(wanted if found["gone"] else changed, twins, found)
            return Outcome(written, True, mark)
        if found["fresh"]:
            self._append(changed)
        return Outcome(found["fresh"], bool(found["fresh"]), mark)

    @property
    def _today(self) -> date:
        return self.now.astimezone(UTC).date()

    @property
    def _watermark(self) -> str | None:
        watermark = self.definition.watermark
        return watermark.column if watermark else None

    def _bound(self, column: str, start: datetime | None) -> Bound | None:
        return Bound(column, self.definition.columns[column].type, start) if start else None

    @property
    def _since(self) -> Bound | None:
        """From where on the source's rows can be news."""
        watermark = self.definition.watermark
        if watermark is None or self.mark is None:
            return None
        start = self.mark - timedelta(days=watermark.overlap_days)
        return self._bound(watermark.column, start)

    def _twins(self, rows: DataFrame) -> Bound | None:
        """From where on bronze's rows can have a key of the given rows."""
        from pyspark.sql import functions as F

        watermark = self.definition.watermark
        if watermark is None:
            return None
        if watermark.prune_by is None:
            return self._since if self._appends else None
        if watermark.prune_by == watermark.column:
            return self._since
        column = F.col(quoted(watermark.prune_by))
        oldest = F.min(F.when(column >= F.lit(FIRST_POSSIBLE), column)).cast("timestamp")
        found = first_row(rows.agg(oldest.alias("oldest")))
        return self._bound(watermark.prune_by, utc(found["oldest"]))

    @property
    def _appends(self) -> bool:
        return self.definition.mode == "append"

    def _compared(self, wanted: DataFrame, table: DataFrame) -> DataFrame:
        """Rows that bronze has not, or has otherwise (``__had``), or has too much (``__gone``)."""
        from pyspark.sql import functions as F

        if self._appends:
            fresh = wanted.join(table.select("row_key"), "row_key", "left_anti")
            return fresh.withColumns({"__had": F.lit(False), "__gone": F.lit(False)})
        columns = [name for name in wanted.columns if name not in NOT_CONTENT]
        known = [name for name in columns if name in table.columns]
        there = table.select("row_key", _content(known).alias("__there"))
        how = "full" if self.definition.mode == "daily_snapshot" else "left"
        both = wanted.withColumn("__content", _content(columns)).join(there, "row_key", how)
        return (
            both.where("NOT __content <=> __there")
            .withColumns({"__had": F.expr("__there IS NOT NULL AND __content IS NOT NULL")})
            .withColumns({"__gone": F.expr("__content IS NULL")})
            .drop("__content", "__there")
        )

    def _found(self, compared: DataFrame) -> Mapping[str, Any]:
        from pyspark.sql import functions as F

        mark = F.lit(None).cast("timestamp")
        if self._watermark:
            mark = _latest(self._watermark, self.now)
        return first_row(
            compared.agg(
                F.expr("COUNT_IF(NOT __had AND NOT __gone)").alias("fresh"),
                F.expr("COUNT_IF(__had)").alias("had"),
                F.expr("COUNT_IF(__gone)").alias("gone"),
                mark.alias("mark"),
            )
        )

    def _first(self, wanted: DataFrame) -> Outcome:
        """All rows, into a table (or a day of it) that has none: nothing to compare with."""
        if row_count(self.spark, self.source) == 0:
            return Outcome(0, False, None)
        before = row_count(self.spark, self.target)
        self._append(wanted)
        mark = None
        if self._watermark:
            mark = high_water(self.spark.table(self.target), self._watermark, self.now)
        return Outcome(row_count(self.spark, self.target) - before, True, mark)

    def _append(self, rows: DataFrame) -> None:
        from pyspark.sql import functions as F

        writer = rows.withColumn("ingested_at", F.lit(self.now)).write.mode("append")
        writer.option("mergeSchema", "true").saveAsTable(self.target)

    def _merge(self, rows: DataFrame, twins: Bound | None, found: Mapping[str, Any]) -> int:
        """Make bronze hold these rows; gives how many were written."""
        from pyspark.sql import functions as F

        on, delete = "t.row_key = s.row_key", ""
        if twins is not None:
            on += f" AND {twins.condition('t')}"
        if self.definition.mode == "daily_snapshot":
            today = f"t.snapshot_date = DATE'{self._today.isoformat()}'"
            on += f" AND {today}"
            delete = f"WHEN NOT MATCHED BY SOURCE AND {today} THEN DELETE" if found["gone"] else ""
        with temporary_view(self.spark, rows.withColumn("ingested_at", F.lit(self.now))) as view:
            self.spark.sql(
                f"MERGE WITH SCHEMA EVOLUTION INTO {self.target} AS t USING {view} AS s ON {on} "
                f"WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT * {delete}"
            )
        return int(found["fresh"]) + int(found["had"])


def high_water(table: DataFrame, column: str, now: datetime) -> datetime | None:
    """The last value of a time column that can be."""
    return utc(first_row(table.agg(_latest(column, now).alias("mark")))["mark"])


def utc(moment: datetime | None) -> datetime | None:
    """A time as Spark gives it (local, without its zone), with its zone."""
    return moment and moment.astimezone(UTC)


def _latest(column: str, now: datetime) -> Column:
    from pyspark.sql import functions as F

    value = F.col(quoted(column)).cast("timestamp")
    return F.max(F.when(value <= F.lit(now + AHEAD), value))


def _content(names: list[str]) -> Column:
    """All values of a row in one, for comparison."""
    from pyspark.sql import functions as F

    return F.to_json(F.struct(*(F.col(quoted(name)) for name in names)))
