"""The jobs of the runbooks, run by the Jobs API on what the main job left."""

from __future__ import annotations

import re
from collections import defaultdict
from decimal import Decimal

import pytest
from databricks.sdk import WorkspaceClient

from tests.e2e.conftest import Platform
from tests.e2e.refreshing import deployed_job
from tools.independent_cost import daily_cost
from tools.querying import Warehouse

pytestmark = [pytest.mark.spark, pytest.mark.terraform]
CATALOG = "spark_catalog"


def run_of(client: WorkspaceClient, name: str) -> tuple[str, str]:
    """Run a deployed job to its end: its result state, and the log of its first task."""
    run = client.jobs.run_now(job_id=deployed_job(client, name)).result()
    assert run.state is not None and run.tasks
    output = client.jobs.get_run_output(int(str(run.tasks[0].run_id)))
    return str(run.state.result_state).rpartition(".")[2], str(output.logs)


def last_week(platform: Platform) -> dict[str, Decimal]:
    """What each workspace cost in the seven days before the last one, by DuckDB; known costs."""
    costs = daily_cost(platform.tables)
    last = max(day for day, _, _ in costs)
    found: dict[str, Decimal] = defaultdict(Decimal)
    for (day, workspace, _), cost in costs.items():
        if 1 <= (last - day).days <= 7 and cost is not None:
            found[workspace or "0"] += cost
    return found


def test_the_jobs_of_the_runbooks_run_and_keep_what_they_found(
    platform: Platform,
) -> None:
    client = platform.client
    warehouse = Warehouse.deployed(client)
    history = f"DESCRIBE HISTORY {CATALOG}.gold.fact_usage LIMIT 1"
    model = (f"{CATALOG}.ml.cost_anomaly_detector", "champion")
    before = warehouse.row(history)[0], client.model_versions.get_by_alias(*model).version
    checking = ("daily_health_check", "weekly_cost_review", "quarterly_security_audit")
    ended = {name: run_of(client, name) for name in (*checking, "annual_recovery_drill")}
    assert run_of(client, "monthly_retraining")[0] == "SUCCESS"
    after = warehouse.row(history)[0], client.model_versions.get_by_alias(*model).version
    assert after == (before[0], int(str(before[1])) + 1)

    columns = "runbook, check_name, status, findings, detail"
    kept = warehouse.rows(f"SELECT {columns} FROM {CATALOG}.platform.check_results")
    found = {str(name): (status, detail) for _, name, status, _, detail in kept}
    assert len(found) == len(kept)
    for runbook, (state, log) in ended.items():
        own = {name: status for place, name, status, _, _ in kept if place == runbook}
        assert own and all(f"[{status}] {name}: " in log for name, status in own.items()), log
        wrong = {"failed", "not_checked"} & set(own.values())
        assert state == ("FAILED" if wrong else "SUCCESS"), log
        assert runbook not in checking or "not_checked" not in own.values(), log

    count = f"SELECT COUNT(*) FROM {CATALOG}.gold.get_source_status('{{}}')"
    for check, asked_for in (("assessed", "not_assessed"), ("fresh", "stale")):
        asked = next(findings for _, name, _, findings, _ in kept if name == f"sources_are_{check}")
        assert asked == warehouse.row(count.format(asked_for))[0]
    assert found["cost_agrees_with_source"] == ("ok", None)
    assert found["grants_are_those_of_the_platform"] == ("ok", None)
    assert found["only_admins_may_do_all"] == ("ok", None)
    status, detail = found["restore_gold_fact_usage"]
    version = int(str(before[0])) - 1
    earlier = f"SELECT COUNT(*) FROM {CATALOG}.gold.fact_usage VERSION AS OF {version}"
    rows = int(str(warehouse.row(earlier)[0]))
    assert f"version {version} of {before[0]}, {rows} rows, " in str(detail)
    # After the first refresh alone, the version before it is empty, and proves nothing.
    assert status == ("ok" if rows else "not_checked")
    told = re.findall(r"workspace (\S+): ([\d.]+) after", str(found["cost_by_workspace"][1]))
    expected = last_week(platform)
    assert {workspace for workspace, _ in told} == expected.keys()
    for workspace, cost in told:
        assert abs(Decimal(cost) - expected[workspace]) <= Decimal("0.0051"), workspace
