"""The engines on Delta tables: late prices and corrections reach gold, and a rerun changes nothing.

The figures are checked against a calculation in plain Python over the same source files.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from health_monitor.bronze.engine import Ingestor
from health_monitor.bronze.fitting import SourceError
from health_monitor.bronze.shape import bronze_shape
from health_monitor.gold.engine import GoldRefresh, setup
from health_monitor.operations.reconciliation import days_that_differ, reconcile
from health_monitor.silver.rows import broken_rules, checked_columns, quarantined
from health_monitor.spec import Definitions
from health_monitor.tables import ensure_platform_tables, ensure_tables

from emulator.account.simulate import simulate
from tests.parquet_order import has_bounds, ordered_rows
from tests.tables.conftest import column_types
from tests.tables.silver_from_files import silver_of

pytestmark = pytest.mark.spark
CATALOG = "spark_catalog"
SCHEMAS = ("bronze", "silver", "gold", "platform", "billing")
SOURCES = ("usage", "list_prices", "account_prices")
GOLD = (
    "compute_activity",
    "compute_hours",
    "dim_cost_allocation",
    "dim_pricing",
    "fact_usage",
    "summary_cost",
    "fact_cost_summary",
)
NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
QUANTUM = Decimal(1).scaleb(-18)


@pytest.fixture
def schemas(databricks: Any) -> Iterator[Any]:
    """Empty schemas, and none left behind."""
    for name in SCHEMAS:
        databricks.sql(f"DROP SCHEMA IF EXISTS {CATALOG}.{name} CASCADE")
        databricks.sql(f"CREATE SCHEMA {CATALOG}.{name}")
    yield databricks
    for name in SCHEMAS:
        databricks.sql(f"DROP SCHEMA IF EXISTS {CATALOG}.{name} CASCADE")


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """Three weeks of a small account; prices change and overlap in the first."""
    out = tmp_path / "account"
    simulate(out, days=20, seed=5, workspaces=1, usage_rows=1000, end=NOW.date())
    return out / "tables"


def test_gold_follows_its_sources(schemas: Any, definitions: Definitions, account: Path) -> None:
    platform = Platform(schemas, definitions, account)
    platform.set_up()
    days = sorted((account / "billing.usage").glob("*.parquet"))
    platform.source_usage(days[:-3])
    platform.source_prices("price_start_time < TIMESTAMP'2026-11-01'")
    platform.refresh()
    assert platform.costs() == expected_costs(account, days[:-3], "2026-11-01")
    assert platform.status("billing.account_prices") == "not_assessed"
    for table in ("bronze.bronze_usage", "gold.fact_usage", "gold.fact_cost_summary"):
        misplaced, rows = ordered_rows(schemas, f"{CATALOG}.{table}", "usage_date")
        assert (misplaced, rows > 10) == (0, True), table
    assert has_bounds(schemas, f"{CATALOG}.gold.fact_usage", "usage_start_time")

    # Three more days with corrections of earlier ones, prices that come late, a new column
    schemas.sql(f"ALTER TABLE {CATALOG}.billing.usage ADD COLUMNS (quota STRING)")
    platform.source_usage(days[-3:])
    platform.source_prices("price_start_time >= TIMESTAMP'2026-11-01'")
    outcome = platform.refresh()
    assert outcome["gold.fact_usage"].endswith("values of usage_date changed")
    assert platform.costs() == expected_costs(account, days, "2100-01-01")
    assert "quota" in schemas.table(f"{CATALOG}.bronze.bronze_usage").columns
    assert platform.source_agrees(days)

    versions = platform.versions()
    assert platform.refresh() == {}
    assert platform.versions() == versions


def test_a_missing_source_is_named(schemas: Any, definitions: Definitions) -> None:
    ensure_platform_tables(schemas, CATALOG)
    usage = definitions.bronze["usage"]
    ensure_tables(schemas, [bronze_shape(usage)], CATALOG)
    ingestor = Ingestor(schemas, CATALOG, CATALOG, NOW)
    with pytest.raises(SourceError, match=r"spark_catalog\.billing\.usage.*does not exist"):
        ingestor.ingest_all([usage])
    schemas.sql(f"CREATE TABLE {CATALOG}.billing.usage (record_id STRING) USING DELTA")
    with pytest.raises(SourceError, match=r"billing\.usage has no column account_id, .*record_id"):
        ingestor.ingest_all([usage])


class Platform:
    """The layers of the cost slice, with silver by its row functions instead of a pipeline."""

    def __init__(self, spark: Any, definitions: Definitions, account: Path) -> None:
        self.spark = spark
        self.account = account
        self.bronze = {name: definitions.bronze[name] for name in SOURCES}
        self.silver = {name: definitions.silver[name] for name in SOURCES}
        self.gold = {name: definitions.gold[name] for name in GOLD}
        self.definitions = definitions

    def set_up(self) -> None:
        ensure_platform_tables(self.spark, CATALOG)
        ensure_tables(self.spark, [bronze_shape(d) for d in self.bronze.values()], CATALOG)
        for silver in self.silver.values():
            types = column_types(self.definitions, silver.table)
            self._create(silver.table, types)
            quarantine = {"record": "string", "broken_rules": "array<string>"}
            self._create(
                silver.quarantine, {**quarantine, "quarantined_at": "timestamp", "batch": "string"}
            )
        for name in set(silver_of(self.definitions, set(GOLD))) - set(SOURCES):
            table = self.definitions.silver[name].table
            self._create(table, column_types(self.definitions, table))
        setup(self.spark, {**self.gold, "dim_sku": self.definitions.gold["dim_sku"]}, CATALOG)

    def _create(self, table: str, types: dict[str, str]) -> None:
        columns = ", ".join(f"`{name}` {type_}" for name, type_ in types.items())
        self.spark.sql(
            f"CREATE TABLE {CATALOG}.{table} ({columns}) USING DELTA "
            "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
        )

    def source_usage(self, files: list[Path]) -> None:
        self._append("billing.usage", self.spark.read.parquet(*map(str, files)))

    def source_prices(self, condition: str) -> None:
        prices = self.spark.read.parquet(str(self.account / "billing.list_prices"))
        self._append("billing.list_prices", prices.where(condition))

    def _append(self, table: str, rows: Any) -> None:
        writer = rows.write.format("delta").mode("append").option("mergeSchema", "true")
        writer.saveAsTable(f"{CATALOG}.{table}")

    def refresh(self) -> dict[str, str]:
        Ingestor(self.spark, CATALOG, CATALOG, NOW).ingest_all(self.bronze.values())
        for name in ("usage", "list_prices"):
            self._refine(name)
        outcome = GoldRefresh(self.spark, CATALOG, "USD").refresh_all(self.gold)
        if outcome:
            reconcile(self.spark, CATALOG)
        assert days_that_differ(self.spark, CATALOG) == 0
        return outcome

    def _refine(self, name: str) -> None:
        from pyspark.sql import functions as F

        silver = self.silver[name]
        known = self.spark.table(f"{CATALOG}.{silver.table}").select("row_key")
        columns = list(column_types(self.definitions, silver.table))
        arrived = self.spark.table(f"{CATALOG}.bronze.{silver.reads}")
        rows = checked_columns(arrived.join(known, "row_key", "left_anti"), silver)
        fresh = rows.where(F.size(broken_rules(silver)) == 0).select(*columns)
        if not fresh.isEmpty():
            self._append(silver.table, fresh)
            self.spark.sql(f"TRUNCATE TABLE {CATALOG}.{silver.quarantine}")
            self._append(silver.quarantine, quarantined(rows, silver))

    def costs(self) -> dict[tuple[Any, ...], Any]:
        rows = self.spark.sql(
            "SELECT usage_date, workspace_id, sku_name, effective_cost, record_count "
            f"FROM {CATALOG}.gold.fact_cost_summary"
        ).collect()
        return {tuple(row)[:3]: tuple(row)[3:] for row in rows}

    def status(self, source: str) -> str:
        table = self.spark.table(f"{CATALOG}.platform.source_status")
        return str(table.where(f"source = '{source}'").collect()[-1]["status"])

    def source_agrees(self, files: list[Path]) -> bool:
        names = ", ".join(f"'{file}'" for file in files)
        (expected,) = (
            duckdb.connect()
            .execute(
                "SELECT SUM(usage_quantity) FROM (SELECT DISTINCT record_id, usage_quantity "
                f"FROM read_parquet([{names}]) WHERE record_id IS NOT NULL)"
            )
            .fetchall()[0]
        )
        found = self.spark.sql(f"SELECT SUM(usage_quantity) FROM {CATALOG}.gold.fact_usage")
        return bool(found.collect()[0][0] == expected)

    def versions(self) -> dict[str, int]:
        tables = [d.table for d in (*self.bronze.values(), *self.gold.values())]
        return {
            table: self.spark.sql(f"DESCRIBE HISTORY {CATALOG}.{table}").collect()[0]["version"]
            for table in [*tables, "platform.reconciliation", "platform.gold_watermarks"]
            if table not in ("gold.fact_cost_summary", "gold.compute_activity")
        }


def expected_costs(account: Path, files: list[Path], known_until: str) -> dict[Any, Any]:
    """Cost and records per day, workspace and SKU, in plain Python."""
    names = ", ".join(f"'{file}'" for file in files)
    usage = (
        duckdb.connect()
        .execute(
            "SELECT DISTINCT record_id, usage_date, COALESCE(workspace_id, '0'), sku_name, cloud, "
            f"usage_unit, usage_end_time, usage_quantity FROM read_parquet([{names}]) "
            "WHERE record_id IS NOT NULL"
        )
        .fetchall()
    )
    windows: dict[Any, list[Any]] = {}
    for sku, cloud, unit, start, end, price in (
        duckdb.connect()
        .execute(
            "SELECT sku_name, cloud, usage_unit, price_start_time, price_end_time, "
            f"pricing.effective_list.\"default\" FROM '{account}/billing.list_prices/*.parquet' "
            f"WHERE currency_code = 'USD' AND price_start_time < '{known_until}' ORDER BY 4"
        )
        .fetchall()
    ):
        windows.setdefault((sku, cloud, unit), []).append([start, end, price])
    found: dict[Any, Any] = {}
    for _, day, workspace, sku, cloud, unit, ended, quantity in usage:
        # The last window that had begun decides, if it had not ended: that is the cut at the next
        begun = [w for w in windows.get((sku, cloud, unit), []) if w[0] <= ended]
        price = begun[-1][2] if begun and (begun[-1][1] is None or ended < begun[-1][1]) else None
        cost, records = found.get((day, workspace, sku), (None, 0))
        if price is not None:
            exact = (quantity * price).quantize(QUANTUM, ROUND_HALF_UP)
            cost = exact if cost is None else cost + exact
        found[(day, workspace, sku)] = (cost, records + 1)
    return found
