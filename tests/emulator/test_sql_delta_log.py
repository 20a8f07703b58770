"""What the emulator reads from a Delta table's log is what Spark says of the same table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.sql.catalog_store import CatalogStore
from emulator.sql.delta_log import DeltaLog
from emulator.sql.session import install, original_sql

pytestmark = pytest.mark.spark

TABLES = {
    "plain": ["CREATE TABLE log_room.plain (a INT)"],
    "described": [
        "CREATE TABLE log_room.described (a INT NOT NULL COMMENT 'one', b VARCHAR(10), "
        "c STRUCT<d: DECIMAL(38, 18)>) COMMENT 'what it is' "
        "TBLPROPERTIES ('delta.enableRowTracking' = 'true', 'mine' = 'yes')",
        "ALTER TABLE log_room.described ADD COLUMNS (e TIMESTAMP COMMENT 'later')",
        "COMMENT ON TABLE log_room.described IS 'what it is now'",
    ],
    "partitioned": [
        "CREATE TABLE log_room.partitioned (a INT, day DATE) PARTITIONED BY (day)",
        "INSERT INTO log_room.partitioned VALUES (1, DATE'2026-01-01'), (2, DATE'2026-01-02')",
        "INSERT OVERWRITE log_room.partitioned VALUES (3, DATE'2026-01-03')",
    ],
    "clustered": [
        "CREATE TABLE log_room.clustered (a INT, b INT) CLUSTER BY (b, a)",
        "INSERT INTO log_room.clustered VALUES (1, 2)",
    ],
    "changed": [
        "CREATE TABLE log_room.changed (a INT, b STRING) TBLPROPERTIES "
        "('delta.enableDeletionVectors' = 'true', 'delta.enableChangeDataFeed' = 'true')",
        "INSERT INTO log_room.changed SELECT id, 'x' FROM range(0, 100, 1, 1)",
        "DELETE FROM log_room.changed WHERE a = 7",
        "DELETE FROM log_room.changed WHERE a = 8",
        "UPDATE log_room.changed SET b = 'y' WHERE a = 9",
        "MERGE INTO log_room.changed t USING (SELECT 1 AS a, 'z' AS b) s ON t.a = s.a "
        "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
    ],
    "with_feed": [
        "CREATE TABLE log_room.with_feed (a INT) "
        "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')",
        "ALTER TABLE log_room.with_feed ADD CONSTRAINT positive CHECK (a > 0)",
    ],
    "with_checkpoint": [
        "CREATE TABLE log_room.with_checkpoint (a INT)",
        *["INSERT INTO log_room.with_checkpoint VALUES (1)"] * 11,
    ],
}
UNCLEAR = {
    "renamed_columns": [
        "CREATE TABLE log_room.renamed_columns (a INT) "
        "TBLPROPERTIES ('delta.columnMapping.mode' = 'name')",
        "ALTER TABLE log_room.renamed_columns RENAME COLUMN a TO b",
    ],
    "own_times": [
        "CREATE TABLE log_room.own_times (a INT) "
        "TBLPROPERTIES ('delta.enableInCommitTimestamps' = 'true')",
    ],
}

LEFT_TO_SPARK = {"renamed_columns": "DESCRIBE DETAIL", "own_times": "DESCRIBE"}


@pytest.fixture
def room(spark: Any, tmp_path: Path) -> Any:
    """A session that speaks the dialect, with an empty schema log_room."""
    install(spark, CatalogStore(tmp_path / "catalog.db"))
    spark.sql("DROP SCHEMA IF EXISTS log_room CASCADE")
    spark.sql("CREATE SCHEMA log_room")
    yield spark
    spark.sql("DROP SCHEMA log_room CASCADE")


def watched(room: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[str]]:
    """Spark's own sql, and what the dialect asks of it from now on."""
    spark_sql = original_sql(room)
    asked: list[str] = []

    def noted(text: str, **kwargs: Any) -> Any:
        asked.append(text)
        return spark_sql(text, **kwargs)

    monkeypatch.setattr(room, "_emulator_original_sql", noted)
    return spark_sql, asked


def answer(frame: Any) -> tuple[Any, list[dict[str, Any]]]:
    return frame.schema, [row.asDict(recursive=True) for row in frame.collect()]


@pytest.mark.parametrize("name", [*TABLES, *UNCLEAR])
def test_history_and_detail_are_those_of_spark(
    room: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for statement in (TABLES | UNCLEAR)[name]:
        room.sql(statement)
    spark_sql, asked = watched(room, monkeypatch)
    for statement in (
        f"DESCRIBE HISTORY log_room.{name} LIMIT 1",
        f"DESCRIBE HISTORY log_room.{name} LIMIT 3",
        f"DESCRIBE HISTORY log_room.{name}",
        f"DESCRIBE DETAIL log_room.{name}",
    ):
        asked.clear()
        schema, rows = answer(room.sql(statement))
        wanted_schema, wanted = answer(spark_sql(statement))
        assert [(f.name, f.dataType) for f in schema] == [
            (f.name, f.dataType) for f in wanted_schema
        ]
        assert [_sorted(row) for row in rows] == [_sorted(row) for row in wanted]
        is_spark_asked = any("DESCRIBE" in text for text in asked)
        assert is_spark_asked == statement.startswith(LEFT_TO_SPARK.get(name, "-")), statement


@pytest.mark.parametrize("name", TABLES)
def test_the_catalogs_entry_is_what_spark_says(room: Any, name: str, tmp_path: Path) -> None:
    for statement in TABLES[name]:
        room.sql(statement)
    table = CatalogStore(tmp_path / "catalog.db").table(f"spark_catalog.log_room.{name}")
    assert table is not None
    detail = original_sql(room)(f"DESCRIBE DETAIL log_room.{name}").collect()[0]
    fields = room.table(f"log_room.{name}").schema.fields
    assert table.comment == detail["description"]
    assert table.properties == detail["properties"]
    assert table.storage_location == detail["location"]
    assert (table.partition_by, table.cluster_by) == (
        detail["partitionColumns"],
        detail["clusteringColumns"],
    )
    assert [(c.name, c.nullable, c.comment) for c in table.columns] == [
        (f.name, f.nullable, f.metadata.get("comment")) for f in fields
    ]
    types = [
        f.metadata.get("__CHAR_VARCHAR_TYPE_STRING", f.dataType.simpleString()) for f in fields
    ]
    assert [c.type_text for c in table.columns] == types


@pytest.mark.parametrize("name", TABLES)
def test_rows_are_counted_without_reading_them(
    room: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for statement in TABLES[name]:
        room.sql(statement)
    spark_sql, asked = watched(room, monkeypatch)
    statement = f"SELECT COUNT(*) FROM log_room.{name}"
    schema, rows = answer(room.sql(statement))
    wanted_schema, wanted = answer(spark_sql(statement))
    assert (schema.simpleString(), rows) == (wanted_schema.simpleString(), wanted)
    assert asked == []


def test_other_counts_are_counted_by_spark(room: Any) -> None:
    for statement in TABLES["changed"]:
        room.sql(statement)
    room.sql("CREATE VIEW log_room.seen AS SELECT * FROM log_room.changed WHERE a < 10")
    room.sql("SELECT * FROM log_room.changed WHERE a < 5").createOrReplaceTempView("changed")
    counts = {
        "log_room.changed": 98,
        "log_room.changed WHERE a > 90": 9,
        "log_room.changed VERSION AS OF 1": 100,
        "log_room.seen": 8,
        "changed": 5,
    }
    for text, expected in counts.items():
        assert room.sql(f"SELECT COUNT(*) FROM {text}").collect() == [(expected,)], text


def test_a_log_that_was_cleaned_is_left_to_spark(room: Any) -> None:
    for statement in TABLES["with_checkpoint"]:
        room.sql(statement)
    location = room.sql("DESCRIBE DETAIL log_room.with_checkpoint").collect()[0]["location"]
    log = Path(location.removeprefix("file:")) / "_delta_log"
    for version in range(5):
        (log / f"{version:020}.json").unlink()
        (log / f".{version:020}.json.crc").unlink(missing_ok=True)
    assert DeltaLog(location).rows() is None
    assert room.sql("DESCRIBE DETAIL log_room.with_checkpoint").collect()[0]["numFiles"] == 11
    versions = room.sql("DESCRIBE HISTORY log_room.with_checkpoint LIMIT 2").collect()
    assert [row["version"] for row in versions] == [11, 10]
    assert room.sql("DESCRIBE HISTORY log_room.with_checkpoint").count() == 7


def _sorted(row: dict[str, Any]) -> dict[str, Any]:
    """Features come in no order."""
    features = row.get("tableFeatures")
    return row | {"tableFeatures": sorted(features)} if features else row
