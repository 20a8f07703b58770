"""The silver pipeline itself: what a rule refuses, what became of it, and its way back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from health_monitor.bronze.shape import bronze_shape
from health_monitor.silver.replay import Replay
from health_monitor.silver.results import Results
from health_monitor.spec import Definitions, load_definitions
from health_monitor.tables import ensure_tables, platform_shape

from tests.emulator.pipeline_support import Events
from tests.tables.conftest import column_types, frame
from tests.tables.silver_update import CATALOG, update_silver

pytestmark = pytest.mark.spark
SCHEMAS = ("bronze", "silver", "platform")
NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
COMMENT = "comment: 'What it is. Technical: how it is made.'"
BRONZE = f"""{COMMENT}
source: events.NAME
mode: append
key: [id]
columns:
  id: {{type: string, {COMMENT}}}
  amount: {{type: int, {COMMENT}}}
"""
SILVER = f"""{COMMENT}
reads: bronze_NAME
keeps: KEEPS
key: [id]
expectations:
  warn: {{is_small: amount < 100}}
  drop: {{is_positive: amount > LIMIT}}
"""
PLATFORM = ("expectation_results", "silver_batches", "quarantine_replays")


class Platform:
    """Bronze tables, the pipeline that reads them, and what is known of its updates."""

    def __init__(self, spark: Any, folder: Path) -> None:
        self.spark, self.folder = spark, folder
        self.now = NOW
        self.definitions = self.write_definitions(limit=0)
        shapes = [platform_shape(f"platform.{name}") for name in PLATFORM]
        shapes += [bronze_shape(d) for d in self.definitions.bronze.values()]
        ensure_tables(spark, shapes, CATALOG)

    def write_definitions(self, limit: int) -> Definitions:
        for kind, text in (("bronze", BRONZE), ("silver", SILVER)):
            folder = self.folder / "definitions" / kind / "test"
            folder.mkdir(parents=True, exist_ok=True)
            for name, keeps in (("facts", "rows"), ("states", "latest\nsequence_by: ingested_at")):
                body = text.replace("NAME", name).replace("KEEPS", keeps)
                (folder / f"{name}.yml").write_text(body.replace("LIMIT", str(limit)))
        self.definitions = load_definitions(self.folder / "definitions")
        return self.definitions

    def arrive(self, **amounts: int) -> None:
        self.now += timedelta(hours=1)
        at = self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        rows = [
            {"id": id_, "amount": amount, "row_key": id_, "ingested_at": at}
            for id_, amount in amounts.items()
        ]
        for name in self.definitions.bronze:
            table = f"bronze.bronze_{name}"
            written = frame(self.spark, rows, column_types(self.definitions, table)).write
            written.mode("append").saveAsTable(f"{CATALOG}.{table}")

    def update(self) -> Events:
        return update_silver(self.spark, self.folder / "definitions", self.folder / "state")

    def replay(self) -> dict[str, int]:
        self.now += timedelta(hours=1)
        silver = self.definitions.silver.values()
        return Replay(self.spark, CATALOG, self.now).replay_all(silver)

    def ids(self, table: str) -> list[str]:
        return sorted(row[0] for row in self.spark.table(f"{CATALOG}.{table}").collect())


@pytest.fixture
def platform(databricks: Any, tmp_path: Path) -> Iterator[Platform]:
    for name in SCHEMAS:
        databricks.sql(f"DROP SCHEMA IF EXISTS {CATALOG}.{name} CASCADE")
        databricks.sql(f"CREATE SCHEMA {CATALOG}.{name}")
    yield Platform(databricks, tmp_path)
    for name in SCHEMAS:
        databricks.sql(f"DROP SCHEMA IF EXISTS {CATALOG}.{name} CASCADE")


def test_a_repaired_rule_lets_its_rows_come_back_once(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.arrive(good=5, large=500, negative=-1, worse=-50)
    events = platform.update()
    tables = ("silver.silver_facts", "silver.silver_states")
    assert [platform.ids(table) for table in tables] == [["good", "large"]] * 2
    check_results(platform, events)
    assert platform.replay() == {}

    # The rule is repaired. The first attempt dies before it has cleared up after itself.
    platform.write_definitions(limit=-10)
    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(Replay, "_delete_old", _die)
        platform.replay()
    assert set(platform.replay()) == {"silver.silver_states"}
    platform.arrive(late=7)
    platform.update()
    assert platform.replay() == {}
    platform.update()
    expected = ["good", "large", "late", "negative"]
    assert [platform.ids(table) for table in tables] == [expected] * 2
    bronze = ["good", "large", "late", "negative", "worse"]
    assert [platform.ids(f"bronze.bronze_{name}") for name in ("facts", "states")] == [bronze] * 2


def _die(*_: object) -> None:
    raise InterruptedError


def check_results(platform: Platform, events: Events) -> None:
    """Results and batches say what happened, and say it once."""
    results = Results(platform.spark, CATALOG, platform.definitions.silver.values())
    for _ in range(2):
        results.write(events.all)
    last = results.last_seen()
    assert last is not None and last.isoformat() >= events.all[0]["timestamp"]
    rows = platform.spark.table(f"{CATALOG}.platform.expectation_results").collect()
    found = {
        (r.table_full_name, r.rule): (r.level, r.records_checked, r.records_failed) for r in rows
    }
    assert len(rows) == len(found) == 6
    for table in ("silver_facts", "silver_states"):
        name = f"{CATALOG}.silver.{table}"
        assert found[name, "is_small"] == ("warn", 4, 1)
        assert found[name, "is_positive"] == ("drop", 4, 2)
        assert found[name, "fits_its_columns"] == ("drop", 4, 0)
    batches = platform.spark.table(f"{CATALOG}.platform.silver_batches").collect()
    figures = [(b.rows_in, b.rows_valid, b.rows_quarantined, b.is_complete) for b in batches]
    assert figures == [(4, 2, 2, True)] * 2
