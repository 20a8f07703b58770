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
        if self._is_snapshot:
            rows = rows.withColumn("snapshot_date", F.lit(self._today))
            table = table.where(F.col("snapshot_date") == F.lit(self._today))
            key = [*key, "snapshot_date"]
        newest_by = self._watermark if self.definition.mode == "incremental_merge" else None
        wanted = with_row_key(rows, key, newest_by)
        if table.isEmpty() if self._is_snapshot else row_count(self.spark, self.target) == 0:
            return self._first(wanted)
        merged = self._merge(wanted, table, self._twins(rows))
        written = int(merged["num_inserted_rows"]) + int(merged["num_updated_rows"])
        changed = bool(written or int(merged["num_deleted_rows"]))
        return Outcome(written, changed, self._new_mark() if written else self.mark)

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
    def _is_snapshot(self) -> bool:
        return self.definition.mode == "daily_snapshot"

    @property
    def _appends(self) -> bool:
        return self.definition.mode == "append"

    def _first(self, wanted: DataFrame) -> Outcome:
        """All rows, into a table (or a day of it) that has none: nothing to compare with."""
        from pyspark.sql import functions as F

        if row_count(self.spark, self.source) == 0:
            return Outcome(0, False, None)
        before = row_count(self.spark, self.target)
        rows = wanted.withColumn("ingested_at", F.lit(self.now))
        if watermark := self.definition.watermark:
            # Rows of a day lie together: docs/decisions/0025-a-day-lies-together.md.
            rows = rows.sortWithinPartitions(quoted(watermark.prune_by or watermark.column))
        writer = rows.write.mode("append")
        writer.option("mergeSchema", "true").saveAsTable(self.target)
        mark = None
        if self._watermark:
            mark = high_water(self.spark.table(self.target), self._watermark, self.now)
        return Outcome(row_count(self.spark, self.target) - before, True, mark)

    def _merge(self, wanted: DataFrame, table: DataFrame, twins: Bound | None) -> Mapping[str, Any]:
        """Make bronze hold these rows too, in one statement; gives how many it wrote."""
        from pyspark.sql import functions as F

        rows, on = wanted.withColumn("ingested_at", F.lit(self.now)), "t.row_key = s.row_key"
        update = ""
        if twins is not None:
            table, on = table.where(twins.condition()), f"{on} AND {twins.condition('t')}"
        if not self._appends:
            # What does not differ stays out: Delta rewrites every file that has a match.
            rows = _differing(rows, table, keep_gone=self._is_snapshot)
            update = "WHEN MATCHED THEN UPDATE SET * "
        if self._is_snapshot:
            on += f" AND t.snapshot_date = DATE'{self._today.isoformat()}'"
            update = f"WHEN MATCHED AND s.ingested_at IS NULL THEN DELETE {update}"
        with temporary_view(self.spark, rows) as view:
            return first_row(
                self.spark.sql(
                    f"MERGE WITH SCHEMA EVOLUTION INTO {self.target} AS t USING {view} AS s "
                    f"ON {on} {update}WHEN NOT MATCHED THEN INSERT *"
                )
            )

    def _new_mark(self) -> datetime | None:
        """How far the source is read, now that its news are written."""
        from pyspark.sql import functions as F

        if self._watermark is None:
            return None
        table, since = self.spark.table(self.target), self._since
        rows = table.where(since.condition()) if since else table
        news = rows.where(F.col("ingested_at") == F.lit(self.now))
        found = high_water(news, self._watermark, self.now)
        return max(filter(None, (self.mark, found)), default=None)


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


def _differing(wanted: DataFrame, table: DataFrame, *, keep_gone: bool) -> DataFrame:
    """Wanted rows that a table lacks or has otherwise; perhaps keys of those that it has too much.

    Of the latter all else is NULL, the time of ingestion too.
    """
    columns = [name for name in wanted.columns if name not in NOT_CONTENT]
    known = [name for name in columns if name in table.columns]
    there = table.select("row_key", _content(known).alias("__there"))
    how = "full" if keep_gone else "left"
    both = wanted.withColumn("__content", _content(columns)).join(there, "row_key", how)
    return both.where("NOT __content <=> __there").drop("__content", "__there")


def _content(names: list[str]) -> Column:
    """All values of a row in one, for comparison."""
    from pyspark.sql import functions as F

    return F.to_json(F.struct(*(F.col(quoted(name)) for name in names)))
