"""Proves that a gold table can be brought back: an earlier version, restored beside it.

The table itself is only read. All that is written is a scratch table, which is dropped at the end
and made anew by the next run, whatever became of this one.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from health_monitor.operations.checks import Outcome
from health_monitor.runtime import first_row, full_name

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PREFIX = "platform.recovery_drill_"
# JSON takes maps and structs too, which neither a hash nor EXCEPT compares.
FINGERPRINT = (
    "SELECT COUNT(*) AS row_count, "
    "SUM(CAST(XXHASH64(TO_JSON(STRUCT(*))) AS DECIMAL(38, 0))) AS fingerprint FROM {}"
)


class DrillError(RuntimeError):
    """The drill cannot be held, so nothing is known about a recovery."""


@dataclass(frozen=True)
class Content:
    """What a version of a table holds: two that are equal hold the same rows."""

    row_count: int
    fingerprint: str | None


@dataclass(frozen=True)
class Drill:
    """What was restored, whether it is the same, and how long that took."""

    table: str
    version: int
    current: int
    before: Content
    after: Content
    copied_seconds: float
    restored_seconds: float

    @property
    def outcome(self) -> Outcome:
        """The drill as a check: the same, not the same, or no rows to tell by."""
        text = (
            f"{self.table}: version {self.version} of {self.current}, {self.before.row_count} rows,"
            f" copied in {self.copied_seconds:.1f} s, restored in {self.restored_seconds:.1f} s"
        )
        name = f"restore_{self.table.replace('.', '_')}"
        if self.before.row_count == 0:
            return Outcome(name, "not_checked", None, [f"{text}: no row, so nothing is proved"])
        if self.before == self.after:
            return Outcome(name, "ok", 0, [f"{text}: the same"])
        return Outcome(
            name, "failed", 1, [f"{text}: NOT the same, {self.after.row_count} rows came back"]
        )


def scratch_of(table: str) -> str:
    """The table that a drill writes; DrillError for anything but a gold table."""
    schema, _, name = table.partition(".")
    if schema != "gold" or not name.isidentifier():
        raise DrillError(f"{table!r} is no gold table; name one as gold.<table>")
    return f"{PREFIX}{name}"


def earlier_version(history: Iterable[Mapping[str, Any]], table: str) -> tuple[int, int]:
    """The last version before the current one, and the current one."""
    versions = sorted((int(row["version"]) for row in history), reverse=True)
    if len(versions) < 2:
        raise DrillError(
            f"{table} has {len(versions)} version in its history: there is none to go back to"
        )
    return versions[1], versions[0]


def drill(spark: SparkSession, table: str, catalog: str) -> Drill:
    """Hold the drill with one gold table; the scratch table is gone afterwards."""
    name, scratch = full_name(catalog, table), full_name(catalog, scratch_of(table))
    history = [row.asDict() for row in spark.sql(f"DESCRIBE HISTORY {name}").collect()]
    version, current = earlier_version(history, table)
    earlier = f"{name} VERSION AS OF {version}"
    try:
        started = time.monotonic()
        spark.sql(f"CREATE OR REPLACE TABLE {scratch} AS SELECT * FROM {earlier}")
        copied = time.monotonic() - started
        at = first_row(spark.sql(f"DESCRIBE HISTORY {scratch} LIMIT 1"))["version"]
        spark.sql(f"DELETE FROM {scratch}")
        started = time.monotonic()
        spark.sql(f"RESTORE TABLE {scratch} TO VERSION AS OF {at}")
        restored = time.monotonic() - started
        before = content(spark, earlier)
        after = content(spark, scratch)
    finally:
        spark.sql(f"DROP TABLE IF EXISTS {scratch}")
    return Drill(table, version, current, before, after, copied, restored)


def content(spark: SparkSession, relation: str) -> Content:
    """How many rows a table holds, and the fingerprint of all of them."""
    row = first_row(spark.sql(FINGERPRINT.format(relation)))
    found = row["fingerprint"]
    return Content(int(row["row_count"]), None if found is None else str(found))
