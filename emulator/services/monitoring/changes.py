"""Which windows a refresh has to compute: those that changed since the one before.

Databricks reads the change data feed for that, where a table has one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from emulator.services.monitoring.windows import Span, moment_sql

CHANGE_FEED = "delta.enableChangeDataFeed"
FEED_KEPT = timedelta(days=6)
"""A table may forget files of its feed after 7 days (delta.deletedFileRetentionDuration)."""
# Commits whose effect on rows the feed shows; after any other one everything is computed.
IN_FEED = {
    *("WRITE", "MERGE", "UPDATE", "DELETE", "STREAMING UPDATE", "OPTIMIZE"),
    *("VACUUM START", "VACUUM END"),
}


@dataclass(frozen=True)
class Seen:
    """The state of a monitored table that a refresh has read; ``at`` in UTC."""

    table_id: str
    columns: str
    has_feed: bool
    table_version: int
    monitor_version: int
    at: datetime

    def is_alike(self, other: Seen) -> bool:
        """Whether both are of the same table, columns and settings."""
        ours = (self.table_id, self.columns, self.monitor_version)
        return ours == (other.table_id, other.columns, other.monitor_version)

    def document(self) -> dict[str, Any]:
        """As JSON; the moment in microseconds since the epoch."""
        micros = (self.at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
        return {**self.__dict__, "at": micros}

    @classmethod
    def parse(cls, document: dict[str, Any]) -> Seen:
        at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=document["at"])
        return cls(**{**document, "at": at})


def look(spark: Any, table: str, monitor_version: int, now: datetime) -> Seen:
    """The state of the table now; what is read later may be newer, never older."""
    version = spark.sql(f"DESCRIBE HISTORY {table} LIMIT 1").collect()[0]["version"]
    columns = spark.read.table(table).schema.simpleString()
    detail = spark.sql(f"DESCRIBE DETAIL {table}").collect()[0]
    has_feed = detail["properties"].get(CHANGE_FEED) == "true"
    return Seen(detail["id"], columns, has_feed, int(version), monitor_version, now)


def narrowed(
    spark: Any,
    table: str,
    time: str,
    spans: list[Span],
    newest: datetime,
    before: Seen,
    now: Seen,
) -> list[Span]:
    """The spans with their stale windows; as they are when the changes are not known."""
    if not before.is_alike(now) or not _feed_has(spark, table, before.table_version, now):
        return spans
    found = []
    for span, changed in zip(spans, _changed(spark, table, time, spans, before, now), strict=True):
        # The newest rows are gone: the 30 days begin earlier than they did.
        if any(newest < start <= now.at for start in changed):
            return spans
        stale = frozenset(start for start in changed if span.first <= start <= newest)
        found.append(replace(span, stale=stale))
    return found


def _changed(
    spark: Any, table: str, time: str, spans: list[Span], before: Seen, now: Seen
) -> list[set[datetime]]:
    """For each span, the windows with changed rows, or with rows that lay in the future then."""
    times = [spark.read.table(table).where(f"{time} > {moment_sql(before.at)}")]
    if before.table_version != now.table_version:
        changes = f"table_changes('{table}', {before.table_version + 1})"
        times.append(spark.sql(f"SELECT * FROM {changes}"))
    starts = [
        f"{span.granularity.start_sql('__time')} AS w{number}" for number, span in enumerate(spans)
    ]
    found: list[set[datetime]] = [set() for _ in spans]
    # Not one union of both: within a plan, Spark takes the feed for the table that it has already.
    for frame in times:
        windows = frame.selectExpr(f"{time} AS __time").selectExpr(*starts).distinct().toArrow()
        for known, column in zip(found, windows.columns, strict=True):
            known.update(column.drop_null().to_pylist())
    return found


def _feed_has(spark: Any, table: str, version: int, now: Seen) -> bool:
    """Whether the change feed tells all that happened to the rows since a version."""
    if not now.has_feed:
        return False
    history = spark.sql(f"DESCRIBE HISTORY {table}").select("version", "timestamp", "operation")
    commits = [commit for commit in history.toArrow().to_pylist() if commit["version"] > version]
    if len(commits) < now.table_version - version:
        return False
    too_old = datetime.now(UTC) - FEED_KEPT
    return all(c["operation"] in IN_FEED and c["timestamp"] > too_old for c in commits)
