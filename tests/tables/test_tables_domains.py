"""Gold of one domain is refreshed alone, and beside another refresh nothing comes in twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from health_monitor.gold.engine import GoldRefresh, setup
from health_monitor.gold.merge import insert_statement
from health_monitor.gold.order import of_domain
from health_monitor.spec import Gold

pytestmark = pytest.mark.spark
CATALOG = "spark_catalog"
SCHEMAS = ("silver", "gold", "platform")
SOURCE = "silver.silver_work"
WATERMARKS = "platform.gold_watermarks"


def summed(name: str, domain: str, reads: str) -> Gold:
    """A gold table that adds up another one by day."""
    comment = "What it is. Technical: none."
    return Gold.model_validate(
        {
            "kind": "gold",
            "domain": domain,
            "name": name,
            "path": f"gold/{domain}/{name}.yml",
            "comment": comment,
            "grain": "day",
            "key": ["day"],
            "columns": {
                "day": {"type": "date", "comment": comment},
                "amount": {"type": "bigint", "comment": comment},
            },
            "sql": f"SELECT day, SUM(amount) AS amount FROM {reads} GROUP BY day",
            "refresh": {
                "by": "day",
                "feeds": [{"table": reads, "touches": "SELECT DISTINCT day FROM changes"}],
            },
        }
    )


GOLD = {
    d.name: d
    for d in (
        summed("hours", "compute", SOURCE),
        summed("costs", "billing", "gold.hours"),
        summed("idle", "compute", "gold.hours"),
        summed("people", "access", SOURCE),
    )
}
ALL = {d.table for d in GOLD.values()}


@pytest.fixture
def spark_with_gold(databricks: Any) -> Iterator[Any]:
    """A source with a day, and gold tables that have read it."""
    for name in SCHEMAS:
        databricks.sql(f"DROP SCHEMA IF EXISTS {CATALOG}.{name} CASCADE")
        databricks.sql(f"CREATE SCHEMA {CATALOG}.{name}")
    databricks.sql(
        f"CREATE TABLE {CATALOG}.{SOURCE} (day DATE, amount BIGINT) USING DELTA "
        "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
    )
    databricks.sql(f"INSERT INTO {CATALOG}.{SOURCE} VALUES (DATE'2026-01-01', 1)")
    setup(databricks, GOLD, CATALOG)
    assert refresh(databricks, GOLD).keys() == ALL
    yield databricks
    for name in SCHEMAS:
        databricks.sql(f"DROP SCHEMA IF EXISTS {CATALOG}.{name} CASCADE")


def refresh(spark: Any, gold: dict[str, Gold]) -> dict[str, str]:
    return GoldRefresh(spark, CATALOG, "USD").refresh_all(gold)


def content(spark: Any) -> dict[str, list[Any]]:
    tables = {table: spark.table(f"{CATALOG}.{table}") for table in ALL}
    return {table: sorted(map(tuple, rows.collect())) for table, rows in tables.items()}


def versions(spark: Any) -> dict[str, int]:
    return {
        table: spark.sql(f"DESCRIBE HISTORY {CATALOG}.{table} LIMIT 1").collect()[0]["version"]
        for table in ALL
    }


def test_a_domain_alone_leaves_the_rest_to_the_next_refresh(spark_with_gold: Any) -> None:
    spark = spark_with_gold
    days = "(DATE'2026-01-01', 2), (DATE'2026-01-02', 5)"
    spark.sql(f"INSERT INTO {CATALOG}.{SOURCE} VALUES {days}")
    before = versions(spark)
    assert refresh(spark, of_domain(GOLD, "billing")).keys() == {"gold.hours", "gold.costs"}
    after = versions(spark)
    assert {table for table in ALL if after[table] != before[table]} == {"gold.hours", "gold.costs"}

    assert refresh(spark, GOLD).keys() == {"gold.idle", "gold.people"}
    assert refresh(spark, GOLD) == {}
    in_two_steps = content(spark)
    for table in (*ALL, WATERMARKS):
        spark.sql(f"DELETE FROM {CATALOG}.{table}")
    assert refresh(spark, GOLD).keys() == ALL
    assert content(spark) == in_two_steps
    assert [amount for _, amount in in_two_steps["gold.costs"]] == [3, 5]


def test_first_rows_of_two_runs_are_not_double(spark_with_gold: Any) -> None:
    spark, people = spark_with_gold, GOLD["people"]
    table = f"{CATALOG}.{people.table}"
    # The first rows are there. Had they met others, Delta had refused them: no blind append.
    last = spark.sql(f"DESCRIBE HISTORY {table} LIMIT 1").collect()[0]
    assert (last["operation"], last["isBlindAppend"]) == ("WRITE", False)
    rows = f"(SELECT day, amount FROM {CATALOG}.{SOURCE})"
    spark.sql(insert_statement(people, CATALOG, rows))
    assert spark.table(table).count() == 1
