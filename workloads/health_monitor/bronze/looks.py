"""What each look at a source found, kept so that the next one knows where it may begin."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from health_monitor.runtime import full_name
from health_monitor.spec.kinds import Bronze

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

STATUS = "platform.source_status"
# A shared table loses the files of its old versions after seven days.
FILES_KEPT = timedelta(days=7)


@dataclass(frozen=True)
class Look:
    """What one look at a source found, and what was made of it."""

    source: str
    table: str
    status: str
    detail: str | None
    new_rows: int
    row_count: int
    checked_at: datetime
    source_position: str | None = None
    table_position: str | None = None
    definition_hash: str | None = None
    high_water: datetime | None = None


def definition_hash(definition: Bronze) -> str:
    return hashlib.sha256(definition.model_dump_json().encode()).hexdigest()


def position(spark: SparkSession, name: str) -> str | None:
    """At which of its versions a table is; None where it does not tell (views, some shares)."""
    from pyspark.errors import PySparkException

    try:
        row = spark.sql(f"DESCRIBE HISTORY {name} LIMIT 1").collect()[0]
    except PySparkException:
        return None
    # The time tells a table from another of the same name and version.
    return f"{row['version']} {row['timestamp'].isoformat()}"


def last_looks(spark: SparkSession, catalog: str, tables: Iterable[str]) -> dict[str, Look]:
    """The last look at each source that could be read."""
    from pyspark.sql import functions as F

    rows = spark.table(full_name(catalog, STATUS)).where(
        F.col("definition_hash").isNotNull() & F.col("table_name").isin(list(tables))
    )
    last = rows.groupBy("table_name").agg(
        F.max_by(F.struct(*rows.columns), "checked_at").alias("look")
    )
    looks = (Look(*row["look"]) for row in last.collect())
    return {look.table: replace(look, **_zoned(look)) for look in looks}


def _zoned(look: Look) -> dict[str, Any]:
    """The times of a look with their zone; Spark gives them local, without."""
    high_water = look.high_water and look.high_water.astimezone(UTC)
    return {"checked_at": look.checked_at.astimezone(UTC), "high_water": high_water}


def record(spark: SparkSession, catalog: str, looks: list[Look]) -> None:
    """Append to the list of looks: several domains write at once, and appends never clash."""
    if not looks:
        return
    target = full_name(catalog, STATUS)
    rows = [astuple(look) for look in looks]
    frame = spark.createDataFrame(rows, spark.table(target).schema)
    frame.write.mode("append").saveAsTable(target)


def freshness(
    definition: Bronze, high_water: datetime | None, before: Look | None, now: datetime
) -> tuple[str, str | None]:
    """Whether the source still brings news, and whether all of it was seen in time."""
    if before is not None:
        away = now - before.checked_at
        if definition.retention_days and away > timedelta(days=definition.retention_days):
            kept = f"the source keeps {definition.retention_days} days"
            return "stale", f"not read for {away.days} days, {kept}: rows may be missing"
    if definition.watermark is None or definition.may_be_quiet:
        return "assessed", None
    if high_water is None:
        return "stale", "the source has no rows"
    if now.date() - high_water.date() > warned_after(definition):
        return "stale", f"nothing after {high_water.date().isoformat()}"
    return "assessed", _caught_up(definition, before, now)


def warned_after(definition: Bronze) -> timedelta:
    """Half of the time after which a reader that lags could lose rows."""
    kept = timedelta(days=definition.retention_days) if definition.retention_days else FILES_KEPT
    return min(kept, FILES_KEPT) / 2


def _caught_up(definition: Bronze, before: Look | None, now: datetime) -> str | None:
    if before is None or before.high_water is None:
        return None
    behind = now.date() - before.high_water.date()
    if behind <= warned_after(definition):
        return None
    return f"caught up: it was {behind.days} days behind"
