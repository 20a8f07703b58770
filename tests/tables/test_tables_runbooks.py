"""The runbooks' checks on tables in which one thing of each kind is wrong, and the drill."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from health_monitor.operations.checks import ask, ask_all, record
from health_monitor.operations.recovery_drill import DrillError, drill, scratch_of
from health_monitor.semantic.statements import create_function
from health_monitor.spec import Definitions

from tests.tables.conftest import column_types, frame, read_case

pytestmark = pytest.mark.spark
CATALOG = "spark_catalog"
SCHEMAS = ("bronze", "gold", "platform")
CASE = Path(__file__).parent / "runbook_checks" / "something_is_wrong.yml"
VALUES = {
    "principals": "admins,engineers",
    "admins": "admins",
    "job_prefix": "health_monitor_prod_",
}
BY_HAND = (
    "GRANT ALL PRIVILEGES ON SCHEMA {0}.gold TO `admins`",
    "GRANT ALL PRIVILEGES ON SCHEMA {0}.gold TO `engineers`",
    "GRANT USE SCHEMA ON SCHEMA {0}.gold TO `readers`",
    "GRANT SELECT ON TABLE {0}.gold.fact_usage TO `eve@x.io`",
    "ALTER TABLE {0}.gold.fact_usage ALTER COLUMN custom_tags SET TAGS ('contains_pii' = 'true')",
)


@pytest.fixture
def schemas(databricks: Any) -> Iterator[Any]:
    """Empty schemas, and none left behind."""
    databricks.conf.set("spark.sql.session.timeZone", "UTC")
    for name in SCHEMAS:
        databricks.sql(f"DROP SCHEMA IF EXISTS {CATALOG}.{name} CASCADE")
        databricks.sql(f"CREATE SCHEMA {CATALOG}.{name}")
    yield databricks
    for name in SCHEMAS:
        databricks.sql(f"DROP SCHEMA IF EXISTS {CATALOG}.{name} CASCADE")


def test_every_check_finds_what_is_wrong(schemas: Any, definitions: Definitions) -> None:
    case = read_case(CASE)
    for table, rows in case["given"].items():
        given = frame(schemas, rows, column_types(definitions, table))
        given.write.format("delta").saveAsTable(f"{CATALOG}.{table}")
    schemas.sql(create_function(definitions.functions["get_source_status"], CATALOG))
    for statement in BY_HAND:
        schemas.sql(statement.format(CATALOG))

    outcomes = ask_all(schemas, definitions.checks.values(), CATALOG, VALUES)
    told = {o.check: {"status": o.status, "lines": list(o.lines)} for o in outcomes}
    assert told == case["expected"]

    record(schemas, CATALOG, "a_runbook", outcomes, datetime(2026, 1, 20, 7, tzinfo=UTC))
    kept = schemas.table(f"{CATALOG}.platform.check_results").collect()
    assert len(kept) == len(outcomes)
    row = next(row for row in kept if row["check_name"] == "cost_by_sku")
    assert (row["runbook"], row["status"], row["findings"]) == ("a_runbook", "reported", 2)
    assert row["detail"].splitlines() == case["expected"]["cost_by_sku"]["lines"]

    schemas.sql(f"DROP TABLE {CATALOG}.platform.reconciliation")
    lost = ask(schemas, definitions.checks["cost_agrees_with_source"], CATALOG, VALUES)
    assert (lost.status, lost.findings, lost.is_wrong) == ("not_checked", None, True)


def test_the_drill_brings_back_an_earlier_version_and_leaves_the_table_alone(schemas: Any) -> None:
    table = f"{CATALOG}.gold.some"
    schemas.sql(f"CREATE TABLE {table} (id BIGINT, tags MAP<STRING, STRING>) USING DELTA")
    with pytest.raises(DrillError, match=r"gold\.some has 1 version in its history"):
        drill(schemas, "gold.some", CATALOG)
    schemas.sql(f"INSERT INTO {table} VALUES (1, MAP('a', 'b')), (2, NULL)")
    schemas.sql(f"DELETE FROM {table} WHERE id = 1")
    scratch = f"{CATALOG}.{scratch_of('gold.some')}"
    # What a drill left that was killed.
    schemas.sql(f"CREATE TABLE {scratch} (other STRING) USING DELTA")
    held = drill(schemas, "gold.some", CATALOG)
    assert (held.version, held.current, held.before.row_count) == (1, 2, 2)
    assert held.before == held.after
    assert held.outcome.status == "ok"
    assert [row["id"] for row in schemas.table(table).collect()] == [2]
    history = schemas.sql(f"DESCRIBE HISTORY {table}").collect()
    assert max(row["version"] for row in history) == 2
    assert not schemas.catalog.tableExists(scratch)
