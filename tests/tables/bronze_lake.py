"""Source tables, and the bronze tables that copy them, on one Spark."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from health_monitor.bronze.engine import Ingestor
from health_monitor.bronze.looks import Look
from health_monitor.bronze.shape import bronze_shape
from health_monitor.spec import Definitions, load_definitions
from health_monitor.tables import ensure_tables, platform_shape

from emulator.sql.catalog_store import CatalogStore
from emulator.sql.session import install
from tests.tables.conftest import frame

CATALOG = "spark_catalog"
SCHEMAS = ("bronze", "silver", "platform", "events", "access", "query", "lakeflow")
NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
COMMENT = "comment: 'What it is. Technical: how it is made.'"
COLUMNS = f"""
columns:
  id: {{type: string, {COMMENT}}}
  at: {{type: timestamp, {COMMENT}}}
  day: {{type: date, {COMMENT}}}
  amount: {{type: "decimal(10,2)", {COMMENT}}}
  more: {{type: "struct<a:int,b:string>", {COMMENT}}}
  note: {{type: string, optional: true, {COMMENT}}}
  labels: {{type: "map<string,string>", optional: true, {COMMENT}}}
"""
TYPES = {"id": "string", "at": "timestamp", "day": "date", "amount": "decimal(10,2)"}
TYPES["more"] = "struct<a:int,b:string>"
KINDS = {
    "facts": "mode: append\nkey: [id]\nwatermark: {column: at, overlap_days: 2, prune_by: day}",
    "states": "mode: incremental_merge\nkey: [id]\nwatermark: {column: at, overlap_days: 2}",
    "pictures": "mode: daily_snapshot\nkey: [id]",
}


class Lake:
    """Sources, and the bronze tables that copy them."""

    def __init__(self, spark: Any, definitions: Definitions) -> None:
        self.spark = spark
        self.definitions = definitions.bronze
        shapes = [bronze_shape(d) for d in self.definitions.values()]
        ensure_tables(spark, [platform_shape("platform.source_status"), *shapes], CATALOG)

    def add(self, source: str, *rows: dict[str, Any], types: dict[str, str] | None = None) -> None:
        writer = frame(self.spark, list(rows), types or TYPES).write.format("delta").mode("append")
        writer.option("mergeSchema", "true").saveAsTable(f"{CATALOG}.events.{source}")

    def sql(self, statement: str) -> Any:
        return self.spark.sql(statement)

    def replace(self, source: str, values: str) -> None:
        """One row instead of all that the source had, in the types that it brings."""
        self.sql(f"CREATE OR REPLACE TABLE {CATALOG}.events.{source} AS SELECT {values}")

    def statuses(self, checked_at: datetime) -> dict[str, str]:
        table = self.spark.table(f"{CATALOG}.platform.source_status")
        rows = table.where(table.checked_at == checked_at).select("source", "status").collect()
        return {row[0]: row[1] for row in rows if row[0].startswith("events.odd_")}

    def ingest(self, *names: str, now: datetime = NOW) -> dict[str, Look]:
        chosen = [self.definitions[name] for name in names or self.definitions]
        looks = Ingestor(self.spark, CATALOG, CATALOG, now).ingest_all(chosen)
        return {look.table.removeprefix("bronze.bronze_"): look for look in looks}

    def rows(self, name: str, *columns: str) -> list[Any]:
        table = self.spark.table(f"{CATALOG}.bronze.bronze_{name}")
        found = [tuple(row) for row in table.select(*columns).collect()]
        return sorted(f[0] if len(columns) == 1 else f for f in found)

    def version(self, name: str) -> int:
        history = self.sql(f"DESCRIBE HISTORY {CATALOG}.bronze.bronze_{name} LIMIT 1")
        return int(history.collect()[0]["version"])


@contextmanager
def open_lake(server: Any, folder: Path, tables: Mapping[str, str]) -> Iterator[Lake]:
    """Sources and bronze tables of some names, each with how it is ingested."""
    from pyspark.sql.connect.session import SparkSession

    definitions = folder / "definitions" / "bronze" / "test"
    definitions.mkdir(parents=True)
    for table, how in tables.items():
        text = f"{COMMENT}\nsource: events.{table}\n{how}{COLUMNS}"
        (definitions / f"{table}.yml").write_text(text)
    spark = SparkSession.builder.remote(server.url).create()
    install(spark, CatalogStore(folder / "catalog.db"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_CONNECT_MODE_ENABLED", "1")
        _schemas(spark, "DROP SCHEMA IF EXISTS {} CASCADE", "CREATE SCHEMA {}")
        yield Lake(spark, load_definitions(folder / "definitions"))
        _schemas(spark, "DROP SCHEMA IF EXISTS {} CASCADE")
        spark.stop()


def _schemas(spark: Any, *statements: str) -> None:
    for name in SCHEMAS:
        for statement in statements:
            spark.sql(statement.format(f"{CATALOG}.{name}"))


def row(id_: str | None, at: str | None, amount: str = "1.00", **more: Any) -> dict[str, Any]:
    day = at[:10] if at else None
    return {"id": id_, "at": at, "day": day, "amount": amount, **more}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
