"""A source and a gold table that are new, as files only, go through all layers; what `make new`
writes passes its own cases.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from health_monitor.bronze.engine import Ingestor
from health_monitor.bronze.shape import bronze_shape
from health_monitor.gold.engine import GoldRefresh, setup
from health_monitor.silver.rows import broken_rules, checked_columns
from health_monitor.spec import Definitions, load_definitions
from health_monitor.tables import ensure_tables

from tests.tables.conftest import DEFINITIONS, column_types, frame
from tests.tables.test_tables_cases import check_gold, check_silver
from tools.bench_reference import Straightforward
from tools.scaffold import new

pytestmark = pytest.mark.spark
CATALOG = "spark_catalog"
SCHEMAS = ("bronze", "silver", "gold", "platform", "support")
ADDED = Path(__file__).parent / "added"
SUMMARY = "gold.summary_tickets"
QUARANTINE = "record string, broken_rules array<string>, quarantined_at timestamp, batch string"
SOURCE = "workspace_id string, ticket_id string, opened_at timestamp, severity string"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of this repository's definitions."""
    shutil.copytree(DEFINITIONS, tmp_path / "workloads" / "definitions")
    return tmp_path


@pytest.fixture
def spark_with_schemas(databricks: Any) -> Iterator[Any]:
    for name in SCHEMAS:
        databricks.sql(f"DROP SCHEMA IF EXISTS {CATALOG}.{name} CASCADE")
        databricks.sql(f"CREATE SCHEMA {CATALOG}.{name}")
    yield databricks
    for name in SCHEMAS:
        databricks.sql(f"DROP SCHEMA IF EXISTS {CATALOG}.{name} CASCADE")


def test_an_added_source_goes_through_all_layers(spark_with_schemas: Any, tree: Path) -> None:
    shutil.copytree(ADDED, tree / "workloads" / "definitions", dirs_exist_ok=True)
    layers = Layers(spark_with_schemas, load_definitions(tree / "workloads" / "definitions"))
    layers.set_up()
    layers.arrive(
        ticket("1", "a", "2026-01-01T08:00:00", "HIGH"),
        ticket("1", "b", "2026-01-01T09:00:00", "LOW"),
        ticket("2", "a", "2026-01-02T00:00:00", "LOW"),
        ticket("2", None, "2026-01-02T01:00:00", "LOW"),
    )
    assert layers.refresh() == {SUMMARY: "first time"}
    assert layers.counts() == {
        ("2026-01-01", "1", "one"): (2, 1),
        ("2026-01-02", "2", None): (1, 0),
    }
    layers.arrive(ticket("1", "c", "2026-01-02T10:00:00", "HIGH"))
    assert layers.refresh() == {SUMMARY: "1 values of opened_date changed"}
    assert layers.counts() == {
        ("2026-01-01", "1", "one"): (2, 1),
        ("2026-01-02", "1", "one"): (1, 1),
        ("2026-01-02", "2", None): (1, 0),
    }

    # What the bench measures against does the same work, in its way
    layers.arrive(ticket("2", "d", "2026-01-02T11:00:00", "HIGH"))
    timing = Straightforward(spark_with_schemas, layers.alone(), CATALOG).refresh()
    assert timing.tables.keys() == {layers.bronze.table, layers.silver.table, SUMMARY}
    assert layers.counts() == {
        ("2026-01-01", "1", "one"): (2, 1),
        ("2026-01-02", "1", "one"): (1, 1),
        ("2026-01-02", "2", None): (2, 1),
    }
    set_aside = spark_with_schemas.table(f"{CATALOG}.{layers.silver.quarantine}").collect()
    assert [row.broken_rules for row in set_aside] == [["has_key"]]


def test_scaffolded_tables_pass_their_cases(databricks: Any, tree: Path) -> None:
    new("bronze", "support/tickets", root=tree)
    new("silver", "support/tickets", root=tree)
    new("gold", "support/fact_tickets", "silver.silver_tickets", root=tree)
    new("gold", "support/fact_bills", root=tree)
    history = "silver.silver_workspaces_latest"
    new("gold", "support/dim_places", history, root=tree)
    definitions = load_definitions(tree / "workloads" / "definitions")
    cases = tree / "tests" / "tables"
    check_silver(databricks, definitions, cases / "silver_tickets" / "first.yml")
    for name in ("fact_tickets", "fact_bills", "dim_places"):
        check_gold(databricks, definitions, cases / name / "first.yml")


def ticket(workspace: str, ticket_id: str | None, opened: str, severity: str) -> dict[str, Any]:
    return {
        "workspace_id": workspace,
        "ticket_id": ticket_id,
        "opened_at": opened,
        "severity": severity,
    }


class Layers:
    """The layers of the added tables, with silver by its row functions instead of a pipeline."""

    def __init__(self, spark: Any, definitions: Definitions) -> None:
        self.spark = spark
        self.definitions = definitions
        self.bronze = definitions.bronze["tickets"]
        self.silver = definitions.silver["tickets"]
        self.gold = {"summary_tickets": definitions.gold["summary_tickets"]}

    def set_up(self) -> None:
        self._create("support.tickets", SOURCE)
        ensure_tables(self.spark, [bronze_shape(self.bronze)], CATALOG)
        types = column_types(self.definitions, self.silver.table)
        self._create(self.silver.table, ", ".join(f"`{n}` {t}" for n, t in types.items()))
        self._create(self.silver.quarantine, QUARANTINE)
        setup(
            self.spark,
            {**self.gold, "dim_workspace": self.definitions.gold["dim_workspace"]},
            CATALOG,
        )
        self.spark.sql(
            f"INSERT INTO {CATALOG}.gold.dim_workspace (workspace_id, valid_from, is_current, "
            "workspace_name) VALUES ('1', TIMESTAMP'2026-01-01', true, 'one')"
        )

    def alone(self) -> Definitions:
        """The added tables without all others."""
        return replace(
            self.definitions,
            bronze={"tickets": self.bronze},
            silver={"tickets": self.silver},
            gold=self.gold,
        )

    def arrive(self, *rows: dict[str, Any]) -> None:
        types = dict(part.split(" ") for part in SOURCE.split(", "))
        self._append("support.tickets", frame(self.spark, list(rows), types))

    def refresh(self) -> dict[str, str]:
        """Bronze, silver and gold; what gold computed, and why."""
        from pyspark.sql import functions as F

        now = datetime(2026, 1, 3, tzinfo=UTC)
        Ingestor(self.spark, CATALOG, CATALOG, now).ingest_all([self.bronze])
        known = self.spark.table(f"{CATALOG}.{self.silver.table}").select("row_key")
        arrived = self.spark.table(f"{CATALOG}.{self.bronze.table}")
        rows = checked_columns(arrived.join(known, "row_key", "left_anti"), self.silver)
        fresh = rows.where(F.size(broken_rules(self.silver)) == 0)
        if not fresh.isEmpty():
            self._append(self.silver.table, fresh.select(*self._columns()))
        return GoldRefresh(self.spark, CATALOG, "USD").refresh_all(self.gold)

    def counts(self) -> dict[tuple[str, str, str | None], tuple[int, int]]:
        rows = self.spark.table(f"{CATALOG}.gold.summary_tickets").collect()
        return {
            (str(r.opened_date), r.workspace_id, r.workspace_name): (r.ticket_count, r.severe_count)
            for r in rows
        }

    def _columns(self) -> list[str]:
        return list(column_types(self.definitions, self.silver.table))

    def _create(self, table: str, columns: str) -> None:
        self.spark.sql(
            f"CREATE TABLE {CATALOG}.{table} ({columns}) USING DELTA "
            "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
        )

    def _append(self, table: str, rows: Any) -> None:
        rows.write.format("delta").mode("append").saveAsTable(f"{CATALOG}.{table}")
