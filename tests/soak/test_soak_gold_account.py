"""Gold of a simulated account: day by day or at once, it ends the same, and its money adds up.

Costs of runs and statements are checked against DuckDB's calculation over the same source files.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from health_monitor.gold.engine import GoldRefresh, setup
from health_monitor.spec import Definitions, Gold
from health_monitor.spec.sql import tables_of

from emulator.account.simulate import simulate
from tests.tables.silver_from_files import SilverFromFiles, silver_of
from tools.independent_attribution import Attributed, Costs, attribution
from tools.independent_cost import priced_groups

pytestmark = pytest.mark.spark
CATALOG = "spark_catalog"
SCHEMAS = ("silver", "gold", "platform")
LAST = date(2026, 11, 21)
MONEY = Decimal("0.000000001")
# A picture lacks what is gone or forgotten, and shows what is new or described anew
PICTURES = {
    "access.workspaces_latest": "SELECT * FROM {source}",
    "information_schema.tables": """
        SELECT * EXCLUDE (n) REPLACE (
          CASE WHEN n = 1 AND {place} >= 2 THEN 'described anew' ELSE comment END AS comment,
          last_altered + {place} * INTERVAL 1 DAY AS last_altered
        )
        FROM (
          SELECT *, ROW_NUMBER() OVER (ORDER BY table_catalog, table_schema, table_name) AS n
          FROM {source}
        )
        WHERE NOT (n = 2 AND {place} = 3) AND NOT (n = 3 AND {place} < 2)
    """,
    "data_classification.results": """
        SELECT * EXCLUDE (n) REPLACE (
          CASE WHEN n = 1 AND {place} >= 2 THEN 'LOW' ELSE confidence END AS confidence
        )
        FROM (
          SELECT *, ROW_NUMBER() OVER (ORDER BY table_id, column_name, class_tag) AS n
          FROM {source}
        )
        WHERE NOT (n = 2 AND {place} = 3) AND NOT (n = 3 AND {place} < 2)
    """,
}
RULES_CHECKED = """
    INSERT INTO spark_catalog.platform.expectation_results
      (table_full_name, rule, level, update_id, checked_at, records_checked, records_failed)
    VALUES
      ('c.silver.silver_usage', 'a', 'warn', '{day}', TIMESTAMP'{day} 02:00:00', 10, 1),
      ('c.silver.silver_usage', 'b', 'drop', '{day}', TIMESTAMP'{day} 02:00:01', 10, 0)
"""


@pytest.fixture
def schemas(databricks: Any) -> Iterator[Any]:
    """Empty schemas, and none left behind."""
    for name in SCHEMAS:
        databricks.sql(f"DROP SCHEMA IF EXISTS {CATALOG}.{name} CASCADE")
        databricks.sql(f"CREATE SCHEMA {CATALOG}.{name}")
    yield databricks
    for name in SCHEMAS:
        databricks.sql(f"DROP SCHEMA IF EXISTS {CATALOG}.{name} CASCADE")


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six days of two workspaces; prices change and overlap in the first."""
    out = tmp_path_factory.mktemp("account") / "small"
    simulate(out, days=6, seed=5, workspaces=2, usage_rows=3000, end=LAST)
    for source, changed in PICTURES.items():
        _take_pictures(out / "tables" / source, changed)
    return out / "tables"


def _take_pictures(folder: Path, changed: str) -> None:
    """A file for each of the last four days, with what changed from day to day."""
    current = folder / "current.parquet"
    for place in range(4):
        day = LAST - timedelta(days=3 - place)
        query = changed.format(source=f"read_parquet('{current}')", place=place)
        duckdb.execute(f"COPY ({query}) TO '{folder / f'{day}.parquet'}' (FORMAT parquet)")
    current.unlink()


def test_gold_is_a_function_of_what_is_visible(
    schemas: Any, definitions: Definitions, account: Path
) -> None:
    gold = {name: d for name, d in definitions.gold.items() if d.sql}
    silver = SilverFromFiles(
        schemas, definitions, account, silver_of(definitions, set(gold)), CATALOG
    )
    silver.create()
    setup(schemas, gold, CATALOG)
    for day in ("2026-11-19", "2026-11-20", "2026-11-21"):
        silver.bring(day)
        schemas.sql(RULES_CHECKED.format(day=day))
        outcome = GoldRefresh(schemas, CATALOG, "USD").refresh_all(gold)
    assert outcome["gold.fact_usage"].endswith("values of usage_date changed")
    tables = [d.table for d in gold.values() if d.type == "table"]
    versions = _versions(schemas, tables)
    assert GoldRefresh(schemas, CATALOG, "USD").refresh_all(gold) == {}
    assert _versions(schemas, tables) == versions

    day_by_day = _copies(schemas, tables)
    schemas.sql(f"TRUNCATE TABLE {CATALOG}.platform.gold_watermarks")
    for table in tables:
        schemas.sql(f"TRUNCATE TABLE {CATALOG}.{table}")
    GoldRefresh(schemas, CATALOG, "USD").refresh_all(gold)
    different = [table for table in tables if _differs(schemas, table, day_by_day[table])]
    assert different == []

    _check_money(schemas, account)
    _check_identities(schemas)
    _check_quantities(schemas, account)
    for definition in gold.values():
        for key in definition.foreign_keys:
            parent = definitions.gold[key.references.removeprefix("gold.")]
            assert _orphans(schemas, definition.table, key.columns, parent.table, parent.key) == 0


@pytest.mark.parametrize("seed", [7, 11, 23])
def test_identities_hold_whatever_the_account(
    schemas: Any, definitions: Definitions, tmp_path: Path, seed: int
) -> None:
    out = tmp_path / "account"
    simulate(out, days=8, seed=seed, workspaces=3, usage_rows=4000, end=LAST)
    gold = _with_feeds(
        definitions, "fact_usage", "fact_job_run_timeline", "fact_query_history", "summary_cost"
    )
    account = out / "tables"
    silver = SilverFromFiles(
        schemas, definitions, account, silver_of(definitions, set(gold)), CATALOG
    )
    silver.create()
    setup(schemas, gold, CATALOG)
    silver.bring(LAST.isoformat())
    GoldRefresh(schemas, CATALOG, "USD").refresh_all(gold)
    _check_money(schemas, account)
    _check_identities(schemas)
    _check_quantities(schemas, account)


def _with_feeds(definitions: Definitions, *names: str) -> dict[str, Gold]:
    """Gold tables, those that they are computed from, and those that their keys refer to."""
    found: dict[str, Gold] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = definitions.gold[name]
            reads = [*tables_of(found[name].sql), *(k.references for k in found[name].foreign_keys)]
            waiting += [t.removeprefix("gold.") for t in reads if t.startswith("gold.")]
    return found


def _check_quantities(spark: Any, account: Path) -> None:
    """Every record of the source once, all record types: in fact_usage and in its summary."""
    files = str(account / "billing.usage" / "*.parquet")
    expected = duckdb.execute(
        "SELECT SUM(usage_quantity), COUNT(*) FROM (SELECT DISTINCT ON (record_id) * "
        "FROM read_parquet($files, union_by_name = true) WHERE record_id IS NOT NULL "
        "AND usage_quantity IS NOT NULL)",
        {"files": files},
    ).fetchall()[0]
    found = spark.sql(
        f"SELECT SUM(usage_quantity), COUNT(*) FROM {CATALOG}.gold.fact_usage"
    ).collect()[0]
    assert (found[0], found[1]) == (expected[0], expected[1])
    costs = spark.sql(
        f"SELECT (SELECT SUM(effective_cost) FROM {CATALOG}.gold.fact_usage), "
        f"(SELECT SUM(effective_cost) FROM {CATALOG}.gold.summary_cost)"
    ).collect()[0]
    assert costs[0] == costs[1]


def _check_money(spark: Any, account: Path) -> None:
    expected = attribution(account)
    runs = spark.sql(
        "SELECT workspace_id, run_id, CAST(effective_cost AS DOUBLE), cost_attribution_class "
        f"FROM {CATALOG}.gold.fact_job_run_timeline"
    ).collect()
    _compare({(r[0], r[1]): Attributed(r[2], r[3]) for r in runs}, expected.runs)
    statements = spark.sql(
        "SELECT workspace_id, statement_id, CAST(attributed_cost AS DOUBLE), NULL "
        f"FROM {CATALOG}.gold.fact_query_history "
        "WHERE attribution_method IN ('busy_share', 'partly_billed')"
    ).collect()
    _compare({(r[0], r[1]): Attributed(r[2], r[3]) for r in statements}, expected.statements)
    idle = spark.sql(
        "SELECT workspace_id, CAST(usage_date AS STRING), CAST(SUM(idle_cost) AS DOUBLE), NULL "
        f"FROM {CATALOG}.gold.fact_usage WHERE idle_cost IS NOT NULL GROUP BY ALL"
    ).collect()
    _compare({(r[0], r[1]): Attributed(r[2], r[3]) for r in idle}, expected.idle)
    billed = sum((group.cost or Decimal(0) for group in priced_groups(account)), Decimal(0))
    found = spark.sql(f"SELECT SUM(effective_cost) FROM {CATALOG}.gold.fact_usage").collect()[0][0]
    assert abs(found - billed) < MONEY


def _compare(found: Costs, expected: Costs) -> None:
    assert len(found) > 100 or len(found) == len(expected)
    assert found.keys() == expected.keys()
    wrong = {
        key: (found[key], expected[key])
        for key in expected
        if found[key].attribution_class != expected[key].attribution_class
        or not _is_close(found[key].cost, expected[key].cost)
    }
    assert wrong == {}


def _is_close(found: float | None, expected: float | None) -> bool:
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)


def _check_identities(spark: Any) -> None:
    """Billed is attributed, shared and idle, per day and workspace; each run is there once."""
    wrong = spark.sql(
        f"""
        SELECT usage_date, workspace_id
        FROM {CATALOG}.gold.fact_usage
        GROUP BY usage_date, workspace_id
        HAVING COALESCE(SUM(effective_cost), 0) <>
          CAST(COALESCE(SUM(attributed_cost), 0) AS DECIMAL(36, 18))
          + CAST(COALESCE(SUM(idle_cost), 0) AS DECIMAL(36, 18))
          + CAST(COALESCE(SUM(CASE WHEN attribution_class = 'shared' THEN effective_cost END), 0)
            AS DECIMAL(36, 18))
        """
    ).collect()
    assert wrong == []
    runs = spark.sql(
        "SELECT COUNT(DISTINCT workspace_id, run_id), "
        f"(SELECT COUNT(*) FROM {CATALOG}.gold.fact_job_run_timeline) "
        f"FROM {CATALOG}.silver.silver_job_run_timeline"
    ).collect()[0]
    assert runs[0] == runs[1] > 0


def _orphans(spark: Any, child: str, columns: list[str], parent: str, key: list[str]) -> int:
    on = " AND ".join(f"c.{a} = p.{b}" for a, b in zip(columns, key, strict=True))
    present = " AND ".join(f"c.{name} IS NOT NULL" for name in columns)
    query = (
        f"SELECT COUNT(*) FROM {CATALOG}.{child} AS c "
        f"LEFT ANTI JOIN {CATALOG}.{parent} AS p ON {on} WHERE {present}"
    )
    return int(spark.sql(query).collect()[0][0])


def _versions(spark: Any, tables: list[str]) -> dict[str, int]:
    return {
        table: spark.sql(f"DESCRIBE HISTORY {CATALOG}.{table} LIMIT 1").collect()[0]["version"]
        for table in [*tables, "platform.gold_watermarks"]
    }


def _copies(spark: Any, tables: list[str]) -> dict[str, set[str]]:
    return {table: _rows(spark, table) for table in tables}


def _differs(spark: Any, table: str, before: set[str]) -> bool:
    return _rows(spark, table) != before


def _rows(spark: Any, table: str) -> set[str]:
    rows = spark.sql(f"SELECT TO_JSON(STRUCT(*)) FROM {CATALOG}.{table}").collect()
    return {row[0] for row in rows}
