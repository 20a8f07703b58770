"""Which days read a version that came, ended elsewhere or changed: told by changes alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from health_monitor.gold.versions import rows_of_versions
from health_monitor.spec import Definitions

pytestmark = pytest.mark.spark
CATALOG = "spark_catalog"
JOBS = f"{CATALOG}.silver.silver_jobs"
RUNS = f"{CATALOG}.gold.fact_job_run_timeline"
BEFORE, JANUARY, FEBRUARY, MARCH = (
    date(2025, 12, 1),
    date(2026, 1, 10),
    date(2026, 2, 10),
    date(2026, 3, 10),
)


@pytest.fixture
def schemas(databricks: Any) -> Iterator[Any]:
    """A job with one version, and four runs of it; another workspace has the same ids."""
    for name in ("silver", "gold"):
        databricks.sql(f"DROP SCHEMA IF EXISTS {CATALOG}.{name} CASCADE")
        databricks.sql(f"CREATE SCHEMA {CATALOG}.{name}")
    databricks.sql(
        f"CREATE TABLE {JOBS} (workspace_id STRING, job_id STRING, name STRING, "
        "ingested_at TIMESTAMP, __START_AT TIMESTAMP, __END_AT TIMESTAMP) USING DELTA "
        "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
    )
    databricks.sql(
        f"CREATE TABLE {RUNS} (workspace_id STRING, job_id STRING, run_date DATE, "
        "run_start_time TIMESTAMP) USING DELTA"
    )
    runs = ", ".join(
        f"('{workspace}', '7', DATE'{day}', TIMESTAMP'{day} 12:00:00')"
        for workspace, day in (("1", BEFORE), ("1", JANUARY), ("1", FEBRUARY), ("1", MARCH))
    )
    other = "('2', '7', DATE'2026-04-10', TIMESTAMP'2026-04-10 12:00:00')"
    databricks.sql(f"INSERT INTO {RUNS} VALUES {runs}, {other}")
    databricks.sql(
        f"INSERT INTO {JOBS} VALUES ('1', '7', 'old', NULL, TIMESTAMP'2026-01-01', NULL), "
        "('2', '7', 'other', NULL, TIMESTAMP'2026-01-01', NULL)"
    )
    yield databricks
    for name in ("silver", "gold"):
        databricks.sql(f"DROP SCHEMA IF EXISTS {CATALOG}.{name} CASCADE")


def test_versions_touch_the_days_that_read_them(schemas: Any, definitions: Definitions) -> None:
    touched = Touched(schemas, definitions)
    assert touched() == {BEFORE, JANUARY, FEBRUARY, MARCH, date(2026, 4, 10)}

    # a new version ends the old one: what came before the new one stays as it is
    schemas.sql(f"UPDATE {JOBS} SET __END_AT = TIMESTAMP'2026-02-01' WHERE name = 'old'")
    schemas.sql(f"INSERT INTO {JOBS} VALUES ('1', '7', 'new', NULL, TIMESTAMP'2026-02-01', NULL)")
    assert touched() == {FEBRUARY, MARCH}

    # a version that comes late, between two others
    schemas.sql(f"UPDATE {JOBS} SET __END_AT = TIMESTAMP'2026-03-01' WHERE name = 'new'")
    schemas.sql(f"INSERT INTO {JOBS} VALUES ('1', '7', 'last', NULL, TIMESTAMP'2026-03-01', NULL)")
    assert touched() == {MARCH}

    # when a row was read again is no change of it
    schemas.sql(f"UPDATE {JOBS} SET ingested_at = TIMESTAMP'2026-05-05' WHERE workspace_id = '1'")
    assert touched() == set()

    # the first version holds for all time before it
    schemas.sql(f"UPDATE {JOBS} SET name = 'first' WHERE name = 'old'")
    assert touched() == {BEFORE, JANUARY}

    # a version that goes, and the one before that takes its time
    schemas.sql(f"DELETE FROM {JOBS} WHERE name = 'last'")
    schemas.sql(f"UPDATE {JOBS} SET __END_AT = NULL WHERE name = 'new'")
    assert touched() == {MARCH}


class Touched:
    """Asks for the days that the changes since the last question touch."""

    def __init__(self, spark: Any, definitions: Definitions) -> None:
        self.spark = spark
        self.definition = definitions.gold["fact_job_run_timeline"]
        refresh = self.definition.refresh
        assert refresh is not None
        self.feed = next(f for f in refresh.feeds if f.table == "silver.silver_jobs")
        self.read = 0

    def __call__(self) -> set[date]:
        history = self.spark.sql(f"DESCRIBE HISTORY {JOBS} LIMIT 1").collect()
        first, last = self.read + 1, int(history[0]["version"])
        self.read = last
        changes = self.spark.sql(f"SELECT * FROM table_changes('{JOBS}', {first}, {last})")
        changes.createOrReplaceTempView("changes_of_jobs")
        assert self.feed.versions is not None
        query = rows_of_versions(
            self.definition,
            self.feed.table,
            self.feed.versions,
            "changes_of_jobs",
            changes.columns,
            CATALOG,
        )
        return {row[0] for row in self.spark.sql(query).collect()}
