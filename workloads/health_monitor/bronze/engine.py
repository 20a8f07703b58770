"""Brings bronze tables up to date with their sources, in the way that each definition says."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from health_monitor.bronze.source import SourceError, conformed, with_row_key
from health_monitor.runtime import full_name, said, temporary_view
from health_monitor.spec.kinds import Bronze
from health_monitor.spec.sql import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

STALE_AFTER = timedelta(days=3, hours=12)


@dataclass(frozen=True)
class Ingestion:
    """What one look at a source found."""

    source: str
    table: str
    status: str
    detail: str | None
    new_rows: int
    row_count: int


@dataclass(frozen=True)
class Ingestor:
    """Reads sources of ``system_catalog`` into bronze tables of ``catalog``."""

    spark: SparkSession
    catalog: str
    system_catalog: str
    now: datetime

    def ingest_all(self, definitions: Iterable[Bronze]) -> list[Ingestion]:
        """All tables, each on its own: one that fails does not keep the others from the news."""
        found, errors = [], []
        for definition in definitions:
            started = time.monotonic()
            try:
                outcome = self.ingest(definition)
            except SourceError as error:
                errors.append(str(error))
                outcome = self._outcome(definition, "not_assessed", str(error), 0)
            found.append(outcome)
            said(outcome.table, started, status=outcome.status, new_rows=outcome.new_rows)
        self._record(found)
        if errors:
            raise SourceError("\n".join(errors))
        return found

    def ingest(self, definition: Bronze) -> Ingestion:
        """Bring one table up to date."""
        name = f"{self.system_catalog}.{definition.source}"
        if not self.spark.catalog.tableExists(full_name(self.system_catalog, definition.source)):
            if definition.optional:
                return self._outcome(definition, "not_assessed", f"{name} is not there", 0)
            raise SourceError(
                f"{name}, which {definition.table} needs, does not exist or may not be read: "
                f"enable the system schema {definition.source.split('.')[0]} and grant SELECT on it"
            )
        source = self.spark.table(full_name(self.system_catalog, definition.source))
        target = self.spark.table(self._target(definition))
        rows = conformed(source, definition, target.schema, name)
        if definition.mode == "append":
            new_rows = self._append(definition, rows)
        else:
            new_rows = self._merge(definition, rows)
        status, detail = self._freshness(definition)
        return self._outcome(definition, status, detail, new_rows)

    def _target(self, definition: Bronze) -> str:
        return full_name(self.catalog, definition.table)

    def _append(self, definition: Bronze, rows: DataFrame) -> int:
        """Insert what is not there yet; the source's rows never change."""
        from pyspark.sql import functions as F

        target = self.spark.table(self._target(definition))
        since = self._since(definition, target)
        if since is not None and definition.watermark is not None:
            column = F.col(quoted(definition.watermark.column))
            rows = rows.where(column.isNull() | (column >= F.lit(since)))
        candidates = with_row_key(rows, definition.key)
        return self._insert(
            definition, candidates.join(target.select("row_key"), "row_key", "left_anti")
        )

    def _insert(self, definition: Bronze, fresh: DataFrame) -> int:
        from pyspark.sql import functions as F

        if fresh.isEmpty():
            return 0
        fresh.withColumn("ingested_at", F.lit(self.now)).write.mode("append").option(
            "mergeSchema", "true"
        ).saveAsTable(self._target(definition))
        return self._written(definition, "numOutputRows")

    def _since(self, definition: Bronze, target: DataFrame) -> Any:
        from pyspark.sql import functions as F

        if definition.watermark is None:
            return None
        latest = target.agg(F.max(quoted(definition.watermark.column))).collect()[0][0]
        return latest and latest - timedelta(days=definition.watermark.overlap_days)

    def _merge(self, definition: Bronze, rows: DataFrame) -> int:
        """Make the table hold the source's rows; what left the source stays.

        A daily snapshot does so within the picture of today.
        """
        from pyspark.sql import functions as F

        target = self.spark.table(self._target(definition))
        key, delete = definition.key, ""
        if definition.mode == "daily_snapshot":
            today = self.now.astimezone(UTC).date()
            rows = rows.withColumn("snapshot_date", F.lit(today))
            target = target.where(F.col("snapshot_date") == F.lit(today))
            key = [*key, "snapshot_date"]
            delete = self._delete_gone(rows, target, key, today)
        wanted = with_row_key(rows, key)
        if target.isEmpty():
            return self._insert(definition, wanted)
        changed = _changed(wanted, target)
        if not delete and changed.isEmpty():
            return 0
        values = (wanted if delete else changed).withColumn("ingested_at", F.lit(self.now))
        with temporary_view(self.spark, values) as view:
            self.spark.sql(
                f"MERGE WITH SCHEMA EVOLUTION INTO {self._target(definition)} AS t "
                f"USING {view} AS s ON t.row_key = s.row_key "
                f"WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT * {delete}"
            )
        return self._written(definition, "numTargetRowsInserted", "numTargetRowsUpdated")

    def _delete_gone(self, rows: DataFrame, target: DataFrame, key: list[str], today: date) -> str:
        """A clause for rows of today's picture that a later look no longer shows."""
        gone = target.select("row_key").join(with_row_key(rows, key), "row_key", "left_anti")
        if gone.isEmpty():
            return ""
        return (
            f"WHEN NOT MATCHED BY SOURCE AND t.snapshot_date = DATE'{today.isoformat()}' "
            "THEN DELETE"
        )

    def _written(self, definition: Bronze, *metrics: str) -> int:
        """How many rows the last commit wrote."""
        history = self.spark.sql(f"DESCRIBE HISTORY {self._target(definition)} LIMIT 1")
        found = history.collect()[0]["operationMetrics"]
        return sum(int(found.get(metric, 0)) for metric in metrics)

    def _freshness(self, definition: Bronze) -> tuple[str, str | None]:
        """Whether the source still brings news."""
        from pyspark.sql import functions as F

        if definition.watermark is None:
            return "assessed", None
        column = quoted(definition.watermark.column)
        latest = (
            self.spark.table(self._target(definition))
            .agg(F.max(F.col(column).cast("date")))
            .collect()[0][0]
        )
        if latest is None:
            return "stale", "the source has no rows"
        if self.now.date() - latest > STALE_AFTER:
            return "stale", f"nothing after {latest.isoformat()}"
        return "assessed", None

    def _outcome(
        self, definition: Bronze, status: str, detail: str | None, new_rows: int
    ) -> Ingestion:
        count = self.spark.table(self._target(definition)).count()
        return Ingestion(definition.source, definition.table, status, detail, new_rows, count)

    def _record(self, outcomes: list[Ingestion]) -> None:
        """Append to the list of looks: several domains write at once, and appends never clash."""
        if not outcomes:
            return
        target = full_name(self.catalog, "platform.source_status")
        rows = [
            (o.source, o.table, o.status, o.detail, o.new_rows, o.row_count, self.now)
            for o in outcomes
        ]
        schema = self.spark.table(target).schema
        self.spark.createDataFrame(rows, schema).write.mode("append").saveAsTable(target)


def _changed(wanted: DataFrame, target: DataFrame) -> DataFrame:
    """The wanted rows that the target lacks or has otherwise."""
    from pyspark.sql import functions as F

    columns = [name for name in wanted.columns if name not in ("row_key", "ingested_at")]
    known = [name for name in columns if name in target.columns]

    def content(names: list[str]) -> Any:
        return F.to_json(F.struct(*(F.col(quoted(name)) for name in names))).alias("content")

    there = target.select("row_key", content(known))
    return (
        wanted.withColumn("content", content(columns))
        .join(there, ["row_key", "content"], "left_anti")
        .drop("content")
    )
