"""The way back: rows that a rule set aside, and that no rule would set aside today.

Silver streams from bronze, so a row comes back by arriving in bronze once more: it is appended
with a new time of ingestion, and then its old self is deleted, which no stream looks at. A run
that is cut off between the two is finished by the next one. What remains in the quarantine table
is history: a row still waits when bronze holds it as of the batch that was set aside.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from health_monitor.runtime import full_name, said, temporary_view
from health_monitor.silver.rows import batch_of, broken_rules, checked_columns
from health_monitor.spec.kinds import Silver

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

REPLAYS = "platform.quarantine_replays"


@dataclass(frozen=True)
class Replay:
    """Sends rows of quarantine tables through silver again."""

    spark: SparkSession
    catalog: str
    now: datetime

    def replay_all(self, definitions: Iterable[Silver]) -> dict[str, int]:
        """Table -> how many rows go back, for tables where any does."""
        replayed = {}
        for definition in definitions:
            started = time.monotonic()
            rows = self.replay(definition)
            if rows:
                replayed[definition.table] = rows
                said(definition.table, started, replayed=rows)
        self._record(replayed)
        return replayed

    def replay(self, definition: Silver) -> int:
        """Send back what no rule of one table sets aside any more."""
        from pyspark.sql import functions as F

        quarantine = full_name(self.catalog, definition.quarantine)
        if not self.spark.catalog.tableExists(quarantine):
            return 0
        set_aside = self.spark.table(quarantine)
        if set_aside.isEmpty():
            return 0
        name = full_name(self.catalog, f"bronze.{definition.reads}")
        bronze = self.spark.table(name)
        waiting = _waiting(bronze, set_aside)
        repaired = checked_columns(waiting, definition).where(F.size(broken_rules(definition)) == 0)
        again = repaired.select(*bronze.columns).join(
            _arrived_again(bronze), ["row_key", "ingested_at"], "left_anti"
        )
        rows = int(again.count())
        if rows:
            fresh = again.withColumn("ingested_at", F.lit(self.now))
            fresh.write.mode("append").saveAsTable(name)
        self._delete_old(name, set_aside)
        return rows

    def _delete_old(self, name: str, set_aside: DataFrame) -> None:
        """Delete the old selves of rows that arrived again."""
        bronze = self.spark.table(name)
        old = _waiting(bronze, set_aside).join(
            _arrived_again(bronze), ["row_key", "ingested_at"], "left_semi"
        )
        keys = old.select("row_key", "ingested_at")
        if keys.isEmpty():
            return
        with temporary_view(self.spark, keys) as view:
            self.spark.sql(
                f"MERGE INTO {name} AS t USING {view} AS s "
                "ON t.row_key = s.row_key AND t.ingested_at = s.ingested_at "
                "WHEN MATCHED THEN DELETE"
            )

    def _record(self, replayed: dict[str, int]) -> None:
        if not replayed:
            return
        target = full_name(self.catalog, REPLAYS)
        rows = [(f"{self.catalog}.{table}", count, self.now) for table, count in replayed.items()]
        frame = self.spark.createDataFrame(rows, self.spark.table(target).schema)
        frame.write.mode("append").saveAsTable(target)


def _waiting(bronze: DataFrame, set_aside: DataFrame) -> DataFrame:
    """The rows of bronze that are as they were when they were set aside."""
    from pyspark.sql import functions as F

    marks = set_aside.select(
        F.get_json_object("record", "$.row_key").alias("__key"), F.col("batch").alias("__batch")
    )
    same = (F.col("row_key") == F.col("__key")) & (batch_of("ingested_at") == F.col("__batch"))
    return bronze.join(marks, same, "left_semi")


def _arrived_again(bronze: DataFrame) -> DataFrame:
    """Rows that a later arrival has replaced."""
    from pyspark.sql import functions as F
    from pyspark.sql.window import Window

    last = F.max("ingested_at").over(Window.partitionBy("row_key"))
    rows = bronze.select("row_key", "ingested_at", last.alias("__last"))
    return rows.where("ingested_at < __last").select("row_key", "ingested_at")
