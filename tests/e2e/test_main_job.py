"""The main job from end to end: deployed by Terraform, run by the Jobs API, right to the cent."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from databricks.sdk.service.jobs import JobSettings

from tests.e2e.conftest import ABSENT, DAYS, Platform, wait_until_none
from tests.e2e.refreshing import import_folder, kill_spark_while, kill_workspace, refresh
from tools.independent_cost import daily_cost, priced_groups
from tools.querying import Warehouse

pytestmark = [pytest.mark.spark, pytest.mark.terraform]
CATALOG = "spark_catalog"
COST = "SELECT usage_date, workspace_id, sku_name, SUM({column}) FROM {table} GROUP BY ALL"


@pytest.fixture(scope="session")
def warehouse(platform: Platform) -> Warehouse:
    return Warehouse.deployed(platform.client)


def by_group(rows: list[list[str | None]]) -> dict[Any, Decimal | None]:
    return {
        (date.fromisoformat(str(day)), workspace, sku): None if cost is None else Decimal(cost)
        for day, workspace, sku, cost in rows
    }


def assert_same_money(ours: dict[Any, Decimal | None], theirs: dict[Any, Decimal | None]) -> None:
    assert ours.keys() == theirs.keys()
    differing = {
        key: (ours[key], theirs[key])
        for key in theirs
        if (ours[key] is None) != (theirs[key] is None)
        or abs((ours[key] or Decimal(0)) - (theirs[key] or Decimal(0))) >= Decimal("0.005")
    }
    assert differing == {}


def assert_gold_agrees(warehouse: Warehouse, expected: dict[Any, Decimal | None]) -> None:
    """fact_usage and summary_cost; the summary calls usage of the account workspace 0."""
    fact = COST.format(column="effective_cost", table=f"{CATALOG}.gold.fact_usage")
    assert_same_money(by_group(warehouse.rows(fact)), expected)
    named = {(day, place or "0", sku): cost for (day, place, sku), cost in expected.items()}
    summary = COST.format(column="effective_cost", table=f"{CATALOG}.gold.summary_cost")
    assert_same_money(by_group(warehouse.rows(summary)), named)


def test_the_report_says_what_happened(platform: Platform) -> None:
    report = platform.first_report
    assert "reconciles with the source files" in report
    assert "provider" in report
    assert "recall" in report and "precision" in report
    assert "p95" in report
    assert "DOES NOT" not in report
    for estimate in ("job runs, attributed", "job runs, estimated", "statements, busy_share"):
        assert estimate in report


def test_a_source_that_is_not_there_is_not_assessed_to_the_end(
    platform: Platform, warehouse: Warehouse
) -> None:
    assert "Not assessed" in platform.first_report
    assert ABSENT in platform.first_report
    unknown = "SELECT source, status, detail FROM {}.gold.get_source_status('not_assessed')"
    assert warehouse.rows(unknown.format(CATALOG)) == [
        [ABSENT, "not_assessed", f"{CATALOG}.{ABSENT} is not there"]
    ]
    for table in ("fact_usage", "compute_costs"):
        known = f"SELECT COUNT(infra_cost), COUNT(*) > 0 FROM {CATALOG}.gold.{table}"
        assert warehouse.row(known) == ["0", "true"], table
    sources = [row for row in table_rows(cost_dashboard(platform)) if ABSENT in row]
    assert len(sources) == 1
    assert "not_assessed" in sources[0]


def test_who_sees_what_is_deployed_with_the_tables(warehouse: Warehouse) -> None:
    """By the job, from definitions: policies, tags down to the pipeline's tables, grants."""
    policies = {row[0] for row in warehouse.rows(f"SHOW POLICIES ON SCHEMA {CATALOG}.gold")}
    assert policies == {"mask_personal_map", "mask_personal_text", "own_activity"}
    shown = f"FROM {CATALOG}.information_schema.{{}} WHERE table_name = '{{}}'"
    tags = "SELECT column_name " + shown + " AND tag_name = 'contains_pii' ORDER BY 1"
    assert warehouse.rows(tags.format("column_tags", "silver_usage")) == [["identity_metadata"]]
    aside = warehouse.rows(tags.format("column_tags", "silver_usage__expectations"))
    assert aside == [["record"]]
    grants = "SELECT privilege_type " + shown + " AND grantee = 'health_monitor_monitoring'"
    granted = warehouse.rows(grants.format("table_privileges", "fact_usage"))
    assert {"SELECT", "MANAGE"} <= {str(row[0]) for row in granted}


def cost_dashboard(platform: Platform) -> str:
    """The Cost dashboard's page."""
    found = platform.variables
    client = platform.client
    shown = next(d for d in client.lakeview.list() if "Cost" in str(d.display_name))
    with httpx.Client(base_url=found["DATABRICKS_HOST"], timeout=300) as browser:
        browser.get("/login", params={"token": found["DATABRICKS_TOKEN"]})
        page = browser.get(f"/ui/dashboards/{shown.dashboard_id}")
    assert page.status_code == 200
    return page.text


def table_rows(page: str) -> list[str]:
    return re.findall(r"<tr.*?</tr>", page, re.DOTALL)


def test_cost_agrees_with_duckdb_over_the_source_files(
    platform: Platform, warehouse: Warehouse
) -> None:
    expected = daily_cost(platform.tables)
    assert len(expected) > 500
    assert_gold_agrees(warehouse, expected)


def test_quantities_agree_and_the_identity_holds_every_day(
    platform: Platform, warehouse: Warehouse
) -> None:
    theirs: dict[date, Decimal] = defaultdict(Decimal)
    for group in priced_groups(platform.tables):
        theirs[group.usage_date] += group.quantity
    ours = warehouse.rows(
        f"SELECT usage_date, SUM(usage_quantity) FROM {CATALOG}.gold.fact_usage GROUP BY 1"
    )
    assert {date.fromisoformat(str(d)): Decimal(str(q)) for d, q in ours} == theirs
    # Added here, in Python: Spark rounds the sum of two full-width decimals.
    billed: dict[Any, Decimal] = {}
    explained: dict[Any, Decimal] = defaultdict(Decimal)
    for day, workspace, kind, cost, unpriced in warehouse.rows(
        "SELECT usage_date, workspace_id, attribution_class, SUM(effective_cost), "
        f"COUNT_IF(effective_cost IS NULL) FROM {CATALOG}.gold.fact_usage GROUP BY ALL"
    ):
        assert kind in {"attributed", "estimated", "shared", "idle", "unpriced"}
        assert (kind == "unpriced") == (cost is None), (day, workspace, kind)
        assert (kind == "unpriced") == (unpriced != "0")
        explained[day, workspace] += Decimal(cost or 0)
    for day, workspace, cost in warehouse.rows(
        "SELECT usage_date, workspace_id, SUM(effective_cost) "
        f"FROM {CATALOG}.gold.fact_usage GROUP BY ALL"
    ):
        billed[day, workspace] = Decimal(cost or 0)
    assert billed == explained


def test_rows_in_are_valid_or_quarantined_or_exact_duplicates(
    platform: Platform, warehouse: Warehouse
) -> None:
    files = str(platform.tables / "billing.usage" / "*.parquet")
    with duckdb.connect() as connection:
        records, without_id = connection.execute(
            "SELECT COUNT(DISTINCT record_id), COUNT(*) FILTER (WHERE record_id IS NULL) "
            "FROM read_parquet($files, union_by_name = true)",
            {"files": files},
        ).fetchall()[0]
    facts = int(str(warehouse.row(f"SELECT COUNT(*) FROM {CATALOG}.gold.fact_usage")[0]))
    statement = f"SELECT COUNT(*) FROM {CATALOG}.silver.silver_usage__expectations"
    quarantined = int(str(warehouse.row(statement)[0]))
    assert without_id > 0
    assert facts == records
    assert quarantined == without_id


def test_functions_and_metric_view_show_the_same_cost(warehouse: Warehouse) -> None:
    days = "MAX(usage_date) - INTERVAL 6 DAYS AS first, MAX(usage_date) AS last"
    first, last, total = warehouse.row(
        f"SELECT MIN(usage_date), MAX(usage_date), SUM(effective_cost) FROM {CATALOG}.gold."
        f"fact_usage JOIN (SELECT {days} FROM {CATALOG}.gold.fact_usage) "
        "WHERE usage_date BETWEEN first AND last"
    )
    function = warehouse.row(
        f"SELECT SUM(effective_cost) FROM {CATALOG}.gold.get_daily_cost_summary("
        f"DATE'{first}', DATE'{last}')"
    )[0]
    view = warehouse.row(
        f"SELECT MEASURE(total_cost) FROM {CATALOG}.gold.cost_analytics "
        f"WHERE usage_date BETWEEN DATE'{first}' AND DATE'{last}'"
    )[0]
    cents = Decimal("0.01")
    assert Decimal(str(function)).quantize(cents) == Decimal(str(total)).quantize(cents)
    assert Decimal(str(view)).quantize(cents) == Decimal(str(total)).quantize(cents)


def test_long_answers_come_in_chunks(platform: Platform, warehouse: Warehouse) -> None:
    statement = f"SELECT record_id, usage_quantity, sku_name FROM {CATALOG}.gold.fact_usage"
    rows = warehouse.rows(statement)
    count = int(str(warehouse.row(f"SELECT COUNT(*) FROM {CATALOG}.gold.fact_usage")[0]))
    assert len(rows) == count > 10_000
    assert len({row[0] for row in rows}) == count


def test_strangers_get_nothing(platform: Platform) -> None:
    host = platform.variables["DATABRICKS_HOST"]
    answer = httpx.get(f"{host}/api/2.2/jobs/list")
    assert answer.status_code == 401
    foreign = httpx.get(f"{host}/api/2.2/jobs/list", headers={"Host": "evil.example"})
    assert (foreign.status_code, foreign.content) == (403, b"")
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{host.replace('127.0.0.1', _own_address())}/", timeout=3)


def _own_address() -> str:
    """An address of this machine that is not loopback's 127.0.0.1."""
    return "127.0.0.2" if sys.platform == "linux" else "[::1]"


def plan(platform: Platform) -> subprocess.CompletedProcess[str]:
    return platform.tools("infra", "plan", "--env", "local", check=False)


def test_nothing_is_to_do_after_a_deploy_and_drift_is_seen(platform: Platform) -> None:
    first = plan(platform)
    assert first.returncode == 0, first.stdout
    client = platform.client
    job = next(iter(client.jobs.list(name="health_monitor_local_refresh_orchestrator")), None)
    job = job or next(j for j in client.jobs.list() if "refresh_orchestrator" in str(j.settings))
    assert job.job_id is not None and job.settings is not None
    before = job.settings.timeout_seconds
    client.jobs.update(job_id=job.job_id, new_settings=JobSettings(timeout_seconds=77))
    drifted = plan(platform)
    assert drifted.returncode == 2, drifted.stdout
    assert "refresh_orchestrator" in drifted.stdout
    client.jobs.update(job_id=job.job_id, new_settings=JobSettings(timeout_seconds=before))
    assert plan(platform).returncode == 0


def versions(warehouse: Warehouse) -> dict[str, str]:
    found = {}
    for schema in ("bronze", "silver", "gold"):
        for table in warehouse.client.tables.list(CATALOG, schema):
            if table.table_type is not None and "VIEW" in table.table_type.value:
                continue
            history = warehouse.rows(f"DESCRIBE HISTORY {CATALOG}.{schema}.`{table.name}` LIMIT 1")
            found[str(table.full_name)] = str(history[0][0])
    return found


def test_a_refresh_with_nothing_new_changes_nothing(
    platform: Platform, warehouse: Warehouse
) -> None:
    before = versions(warehouse)
    assert len(before) > 20
    import_folder(platform, platform.tables)
    refresh(platform, twice=True)
    after = versions(warehouse)
    assert {name for name in after if before.get(name) != after[name]} == set()


def test_a_correction_that_comes_days_later_changes_its_day(
    platform: Platform, warehouse: Warehouse
) -> None:
    folder = platform.tables / "billing.usage"
    files = str(folder / "*.parquet")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "CREATE TABLE late AS SELECT * REPLACE ('late-' || record_id AS record_id, "
            "'RESTATEMENT' AS record_type, usage_quantity + 3 AS usage_quantity, "
            "(SELECT MAX(ingestion_date) FROM read_parquet($files, union_by_name = true)) "
            "AS ingestion_date) FROM read_parquet($files, union_by_name = true) "
            "WHERE record_type = 'ORIGINAL' AND usage_unit = 'DBU' AND workspace_id IS NOT NULL "
            "AND billing_origin_product = 'JOBS' AND record_id IS NOT NULL "
            "ORDER BY usage_end_time LIMIT 1",
            {"files": files},
        )
        (day,) = connection.execute("SELECT usage_date FROM late").fetchall()[0]
        connection.execute(f"COPY late TO '{folder / 'late.parquet'}'")
    statement = f"SELECT SUM(effective_cost) FROM {CATALOG}.gold.get_daily_cost_summary("
    before = Decimal(str(warehouse.row(f"{statement}DATE'{day}', DATE'{day}')")[0]))
    import_folder(platform, platform.tables)
    kill_spark_while(platform, "silver_refresh")
    # What someone on call runs, who waits for cost and for nothing else.
    refresh(platform, "domain_billing_refresh")
    expected = daily_cost(platform.tables)
    assert_gold_agrees(warehouse, expected)
    assert_no_row_twice(warehouse)
    of_day = sum((c for (d, _, _), c in expected.items() if d == day and c), Decimal(0))
    assert of_day > before
    after = Decimal(str(warehouse.row(f"{statement}DATE'{day}', DATE'{day}')")[0]))
    assert abs(after - of_day) < Decimal("0.01")
    view = warehouse.row(
        f"SELECT MEASURE(total_cost) FROM {CATALOG}.gold.cost_analytics "
        f"WHERE usage_date = DATE'{day}'"
    )[0]
    assert abs(Decimal(str(view)) - of_day) < Decimal("0.01")


def assert_no_row_twice(warehouse: Warehouse) -> None:
    """A row of a source has a key of its own in bronze and in silver, but for its versions."""
    counts = []
    for schema in ("bronze", "silver"):
        for table in warehouse.client.tables.list(CATALOG, schema):
            columns = {column.name for column in table.columns or []}
            if "row_key" in columns and "__START_AT" not in columns:
                counts.append(
                    f"SELECT '{table.name}' AS name, COUNT(*) - COUNT(DISTINCT row_key) AS twice "
                    f"FROM {CATALOG}.{schema}.`{table.name}`"
                )
    assert len(counts) > 40
    assert [row for row in warehouse.rows(" UNION ALL ".join(counts)) if row[1] != "0"] == []


def test_a_killed_workspace_is_named_and_nothing_is_left_running(platform: Platform) -> None:
    """In the middle of a deploy; Spark is killed in the middle of jobs by `make soak`."""
    driver = platform.start("local")
    output: list[str] = []
    for line in driver.stdout or ():
        # The new day is made beside the deploy, and is there before the first stack is.
        if "governance-local" in line and not any("governance-local" in o for o in output):
            kill_workspace(platform)
        output.append(line)
    text = "".join(output)
    assert driver.wait(timeout=120) == 1, text
    assert "The workspace ended in the middle of the work" in " ".join(text.split())
    assert sum(line.startswith("Error:") for line in text.splitlines()) == 1
    assert "Traceback" not in text
    wait_until_none(platform.folder)


def test_a_rerun_goes_on_and_brings_in_the_next_day_only(platform: Platform) -> None:
    """After the kill above: the day that it cut short comes in whole, and no other."""
    days = [path.stem for path in (platform.tables / "billing.usage").glob("2*.parquet")]
    assert len(days) == DAYS + 1
    report = platform.tools("local").stdout
    assert "no new day" in report
    assert "Job setup_orchestrator" not in report
    assert "reconciles with the source files" in report
    again = Warehouse.deployed(platform.client)
    after = again.row(f"SELECT MAX(usage_date) FROM {CATALOG}.gold.fact_usage")[0]
    assert str(after) == max(days)
    # The source that was absent has come with that day: what it tells is known, the rest is not.
    status = f"SELECT status FROM {CATALOG}.gold.get_source_status() WHERE source = '{ABSENT}'"
    assert again.row(status) == ["assessed"]
    known = f"SELECT COUNT(infra_cost) > 0, COUNT(infra_cost) < COUNT(*) FROM {CATALOG}.gold."
    assert again.row(f"{known}fact_usage") == ["true", "true"]
    assert_gold_agrees(again, daily_cost(platform.tables))


def test_other_sources_are_not_mixed_in(platform: Platform, tmp_path: Path) -> None:
    result = platform.tools("local", "--system-tables", str(tmp_path), check=False)
    assert result.returncode == 1
    assert "holds simulated system tables" in result.stdout
