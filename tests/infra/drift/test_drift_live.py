"""Drift of stacks that Terraform really deployed, found, adopted or healed."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from rich.console import Console

from infra.drift.checking import Report
from infra.drift.report import Reporter
from infra.drift.ways import Directions, read_declared
from infra.review.assets import find_assets
from tests.infra.drift.bench import (
    DEFINITIONS,
    FILE,
    NAMING,
    REFRESHES,
    TODAY,
    Bench,
    bench,
    declared,
    found,
    known,
)

pytestmark = pytest.mark.terraform
BY_HAND = "health_monitor_local_by_hand"
EXPECTED = {
    **{f"databricks_job.job_{name}": ["timeout_seconds"] for name in REFRESHES},
    "databricks_job.job_health_summary": ["schedule.pause_status", "tags.b"],
    "databricks_sql_endpoint.warehouse_main": ["auto_stop_mins"],
    "databricks_workspace_file.file_gold": ["content"],
    "databricks_alert_v2.alert_no_usage": ["query_text"],
    "databricks_alert_v2.alert_unusual_cost": ["deleted"],
}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("drift")) as made:
        assert made.check().exit_code == 0
        change_by_hand(made)
        yield made


@pytest.fixture(scope="module")
def report(deployed: Bench) -> Report:
    return deployed.check()


def change_by_hand(made: Bench) -> None:
    outside = made.outside
    for name in REFRESHES:
        outside.edit_job(name, timeout_seconds=1)
    schedule = {"quartz_cron_expression": "0 0 1 * * ?", "timezone_id": "UTC"}
    paused = {**schedule, "pause_status": "PAUSED"}
    outside.edit_job("health_summary", schedule=paused, tags={"owner": "a"})
    warehouses = outside.call("GET", "/api/2.0/sql/warehouses")["warehouses"]
    (main,) = [item for item in warehouses if item["name"] == NAMING.warehouse("main")]
    body = {"name": main["name"], "auto_stop_mins": 99}
    outside.call("POST", f"/api/2.0/sql/warehouses/{main['id']}/edit", body)
    outside.write(FILE, "SELECT 2\nFROM usage\n", format="AUTO")
    alerts = outside.call("GET", "/api/2.0/alerts")["alerts"]
    ids = {item["display_name"].split("] ")[1]: item["id"] for item in alerts}
    path = f"/api/2.0/alerts/{ids['no_usage']}"
    outside.call("PATCH", path, {"query_text": "SELECT 1"}, update_mask="query_text")
    outside.call("DELETE", f"/api/2.0/alerts/{ids['unusual_cost']}")
    job = {"name": BY_HAND, "tasks": [{"task_key": "a"}]}
    outside.call("POST", "/api/2.2/jobs/create", job)
    outside.write("notes.sql", "SELECT 1", format="AUTO")


def reporter() -> Reporter:
    assets = find_assets(DEFINITIONS, "definitions")
    return Reporter("local", Directions(NAMING, assets))


def text_of(report: Report) -> str:
    written = io.StringIO()
    reporter().show(report, Console(file=written, soft_wrap=True, highlight=False, width=100))
    return written.getvalue()


def test_what_changed_outside_is_found_with_both_ways_out(report: Report) -> None:
    assert found(report) == EXPECTED
    assert report.exit_code == 3
    assert {item.address for item in report.unmanaged} == {
        f"databricks_job/{BY_HAND}",
        f"databricks_workspace_file/{NAMING.folder}/notes.sql",
    }
    text = text_of(report)
    assert "3 resources alike, risk medium" in text
    assert text.count("+ timeout_seconds: 1\n") == 1
    assert "adopt:  definitions/alerts/cost/no_usage.sql:1: set query_text to SELECT 1" in text
    assert "adopt:  definitions/alerts/cost/unusual_cost.yml:1: remove what declares it" in text
    assert "set schedule.pause_status to PAUSED" in text and "remove tags.b" in text
    assert "revert: python -m infra deploy --env local --stack observability\n" in text
    assert "(creates it anew, empty and with another id; plan it first)" in text
    assert "revert: databricks jobs delete 1" in text
    assert text.endswith("drift of local: 10 changed outside\n")
    assert max(map(len, text.splitlines())) <= 100


def test_programs_get_the_shape_of_a_review(report: Report) -> None:
    document: dict[str, Any] = json.loads(reporter().as_json(report))
    assert document["exit_code"] == 3 and document["code_changes"] == {}
    paused = next(item for item in document["drift"] if "health_summary" in item["address"])
    shape = {"address", "type", "action", "risk", "reasons", "source"}
    assert shape < paused.keys()
    assert (paused["action"], paused["risk"]) == ("update", "medium")
    assert paused["adopt"][0].startswith("environments/local.yml:")
    deleted = next(item for item in document["drift"] if item["action"] == "delete")
    assert (deleted["risk"], deleted["paths"]) == ("high", ["deleted"])


def test_what_the_code_wants_is_no_drift_and_accepted_drift_does_not_count(
    deployed: Bench,
) -> None:
    changed = declared()["pipelines"]
    changed["databricks_job"]["job_gold_refresh"]["max_concurrent_runs"] = 3
    changed["databricks_job"]["job_new"] = changed["databricks_job"]["job_data_refresh"]
    deployed.configure("pipelines", changed)
    yesterday = TODAY - timedelta(days=1)
    try:
        report = deployed.check(
            known("databricks_job.*", "timeout_seconds", line=1),
            known("databricks_job.job_health_summary", "tags", line=2),
            known("databricks_sql_endpoint.warehouse_main", "auto_stop_mins", yesterday, line=3),
            known("databricks_alert_v2.alert_unusual_cost", "deleted", line=4),
            known(f"databricks_job/{BY_HAND}", "unmanaged", line=5),
            known("databricks_job.job_gone", "timeout_seconds", line=6),
        )
    finally:
        deployed.configure("pipelines", declared()["pipelines"])
    assert report.exit_code == 2
    assert found(report) == {
        "databricks_job.job_health_summary": ["schedule.pause_status"],
        "databricks_sql_endpoint.warehouse_main": ["auto_stop_mins"],
        "databricks_workspace_file.file_gold": ["content"],
        "databricks_alert_v2.alert_no_usage": ["query_text"],
    }
    assert [item.address for item in report.unmanaged] == [
        f"databricks_workspace_file/{NAMING.folder}/notes.sql"
    ]
    assert len(report.accepted) == 6
    text = text_of(report)
    assert f"was accepted until {yesterday} (drift_known.yml:3); it counts again" in text
    assert "drift_known.yml:6: databricks_job.job_gone no longer drifts there" in text
    assert f"accepted until {TODAY} (platform_team): databricks_job.job_gold_refresh" in text
    wanted = {plan.stack: [change.address for change in plan.changes] for plan in report.wanted}
    assert sorted(wanted["pipelines"]) == [
        "databricks_job.job_gold_refresh",
        "databricks_job.job_new",
    ]
    assert wanted["observability"] == []
    assert "the code too wants changes: pipelines" in text_of(report)


def test_a_workspace_that_cannot_be_asked_is_said_in_a_line(deployed: Bench) -> None:
    def refuse() -> WorkspaceClient:
        raise ValueError("default auth: cannot configure default credentials")

    report = deployed.check(stacks=("observability",), connect=refuse)
    assert {*report.stacks} == {"observability"} and report.exit_code == 3
    text = text_of(report)
    assert "the audit log was not asked: default auth: cannot configure" in text
    assert "what is in no state was not looked for: default auth" in text


def test_a_deploy_reverts_it_and_a_state_that_was_not_written_is_named(deployed: Bench) -> None:
    deployed.apply()
    outside = deployed.outside
    outside.call("POST", "/api/2.2/jobs/delete", {"job_id": outside.job("by_hand")})
    outside.call("POST", "/api/2.0/workspace/delete", {"path": f"{NAMING.folder}/notes.sql"})
    report = deployed.check()
    assert (report.findings_count, report.errors, report.exit_code) == (0, [], 0)

    # As a deploy leaves it that was killed: the job is there, and in no state.
    terraform, folder = deployed.planner.terraform, deployed.planner.folder("pipelines")
    subprocess.run(
        [terraform.program, "state", "rm", "databricks_job.job_gold_refresh"],
        cwd=folder,
        env=dict(terraform.variables),
        check=True,
        capture_output=True,
    )
    report = deployed.check()
    (job,) = report.unmanaged
    assert job.name == NAMING.job("gold_refresh") and report.exit_code == 2
    assets = find_assets(DEFINITIONS, "definitions")
    told = Directions(NAMING, assets, read_declared(deployed.planner)).declare(job)
    assert told == [
        "the code declares it (databricks_job.job_gold_refresh); a deploy takes it into the state:",
        "python -m infra deploy --env local --stack pipelines",
    ]
