"""The synthesized stacks: what is in them, and what must hold for every resource."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from health_monitor.spec import DefinitionErrors

from infra.constructs.base import address
from infra.environment import SilverPipeline, load_environment
from infra.paths import ROOT
from infra.stack_order import ALL_STACKS, DEPENDS_ON
from tests.infra.conftest import FIXTURE_DEFINITIONS, Stacks, synthesize

SNAPSHOTS = Path(__file__).parent / "snapshots"
TEMPLATE = re.compile(r"\$\{[^}]*\}")
REFERENCE = re.compile(r"terraform_remote_state\.\w+\.outputs\.\w+|var\.\w+|databricks_\w+\.\w+")
HOLDS_DATA = {
    "databricks_catalog",
    "databricks_schema",
    "databricks_volume",
    "databricks_sql_table",
    "databricks_registered_model",
}


def resources(stack: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for kind, named in sorted(stack["resource"].items()):
        for name, body in sorted(named.items()):
            yield kind, name, body


def all_resources(stacks: Stacks) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for stack in stacks.values():
        yield from resources(stack)


def of_kind(stacks: Stacks, kind: str) -> dict[str, dict[str, Any]]:
    return {name: body for found, name, body in all_resources(stacks) if found == kind}


def summary(stack: dict[str, Any]) -> str:
    """Types, names and references of a stack, one line a resource."""
    lines = []
    for kind, name, body in resources(stack):
        depends = body.get("depends_on", [])
        templates = " ".join(TEMPLATE.findall(json.dumps(body)))
        references = {*REFERENCE.findall(templates), *depends}
        shown = body.get("name") or body.get("display_name") or body.get("path") or ""
        arrow = f" -> {', '.join(sorted(references))}" if references else ""
        lines.append(f"{kind}.{name} {shown!r}{arrow}")
    lines += [f"output.{name}" for name in sorted(stack.get("output", {}))]
    lines += [f"variable.{name}" for name in sorted(stack.get("variable", {}))]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", ALL_STACKS)
def test_snapshot(stacks_of: dict[str, Stacks], name: str) -> None:
    """UPDATE_SNAPSHOTS=1 writes them anew."""
    found = summary(stacks_of["prod"][name])
    file = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        file.write_text(found, encoding="utf-8")
    assert found == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_every_job_can_be_operated(stacks_of: dict[str, Stacks], environment: str) -> None:
    jobs = of_kind(stacks_of[environment], "databricks_job")
    assert len(jobs) == 26
    for name, job in jobs.items():
        assert job["timeout_seconds"] > 0, name
        assert job["queue"] == {"enabled": True}, name
        assert job["max_concurrent_runs"] == 1, name
        told = job["email_notifications"]
        assert told["on_failure"] == told["on_duration_warning_threshold_exceeded"], name
        (slow,) = job["health"]["rules"]
        assert slow["value"] == job["timeout_seconds"] * 3 // 4, name
        assert job["run_as"]["service_principal_name"], name
        assert {"project", "owner", "layer"} <= set(job["tags"]), name


def test_work_is_tried_again_as_the_environment_says(stacks_of: dict[str, Stacks]) -> None:
    for environment, retries in (("local", None), ("dev", 1), ("staging", 2), ("prod", 2)):
        jobs = of_kind(stacks_of[environment], "databricks_job")
        (work,) = jobs["job_gold_refresh"]["task"]
        assert work.get("max_retries") == retries
        assert work.get("min_retry_interval_millis") == (None if retries is None else 300_000)
        # A pipeline and a called job try again by themselves.
        assert "max_retries" not in jobs["job_silver_refresh"]["task"][0]
        assert all("max_retries" not in task for task in jobs["job_data_refresh"]["task"])


def test_data_belongs_to_admins_and_to_what_writes_it(stacks_of: dict[str, Stacks]) -> None:
    writer = {"local": "health_monitor_admins", "prod": "${var.run_as_service_principal}"}
    for environment, expected in writer.items():
        owners = {
            kind: body["owner"]
            for kind, _, body in all_resources(stacks_of[environment])
            if kind in HOLDS_DATA
        }
        assert owners.pop("databricks_sql_table") == expected
        assert owners.pop("databricks_registered_model") == expected
        assert set(owners.values()) == {"health_monitor_admins"}


def test_production_refuses_an_urgent_alert_that_is_paused(tmp_path: Path) -> None:
    prod = load_environment("prod")
    paused = prod.schedules.model_copy(update={"pause_status": "PAUSED"})
    environment = prod.model_copy(update={"schedules": paused})
    with pytest.raises(DefinitionErrors) as caught:
        synthesize("prod", tmp_path, environment=environment)
    (problem,) = caught.value.problems
    file = FIXTURE_DEFINITIONS / "alerts" / "cost" / "no_usage.yml"
    assert str(problem) == (
        f"{file}:3: an alert of severity critical (P1) must not be paused in production; "
        "set schedules.pause_status to UNPAUSED in environments/prod.yml"
    )
    # Elsewhere it may rest.
    staging = environment.model_copy(update={"production": False})
    alerts = of_kind(synthesize("prod", tmp_path, environment=staging), "databricks_alert_v2")
    assert alerts["alert_no_usage"]["schedule"]["pause_status"] == "PAUSED"


def test_layers_call_downwards_only(stacks_of: dict[str, Stacks]) -> None:
    jobs = of_kind(stacks_of["prod"], "databricks_job")
    rank = {"atomic": 0, "composite": 1, "master": 2}
    for name, job in jobs.items():
        for task in job["task"]:
            if "run_job_task" not in task:
                continue
            called = re.search(r"job_[a-z_]+?(?=\.id|_id\})", task["run_job_task"]["job_id"])
            assert called is not None, task
            layers = rank[jobs[called[0]]["tags"]["layer"]], rank[job["tags"]["layer"]]
            assert layers[0] < layers[1], f"{name} calls {called[0]}"


def test_tasks_depend_on_tasks_that_exist(stacks_of: dict[str, Stacks]) -> None:
    for name, job in of_kind(stacks_of["prod"], "databricks_job").items():
        keys = [task["task_key"] for task in job["task"]]
        assert len(keys) == len(set(keys)), name
        for task in job["task"]:
            assert {item["task_key"] for item in task.get("depends_on", [])} <= set(keys), name


def test_wheel_tasks_name_the_wheel_that_is_uploaded(stacks_of: dict[str, Stacks]) -> None:
    stacks = stacks_of["dev"]
    (wheel,) = of_kind(stacks, "databricks_file").values()
    seen = 0
    for job in of_kind(stacks, "databricks_job").values():
        for task in job["task"]:
            if "python_wheel_task" in task:
                (environment,) = job["environment"]
                assert environment["environment_key"] == task["environment_key"]
                assert wheel["path"] in environment["spec"]["dependencies"]
                seen += 1
    assert seen > 5
    (pipeline,) = of_kind(stacks, "databricks_pipeline").values()
    assert pipeline["environment"]["dependencies"] == [wheel["path"]]


def test_logical_ids_are_fixed_and_say_what_they_are(stacks_of: dict[str, Stacks]) -> None:
    by_environment = [
        {(kind, name) for kind, name, _ in all_resources(stacks_of[environment])}
        for environment in ("local", "prod")
    ]
    # An empty account has no groups; elsewhere they come from an identity provider.
    groups = {(kind, name) for kind, name in by_environment[0] if kind == "databricks_group"}
    assert by_environment[0] - groups == by_environment[1]
    for kind, name in by_environment[0]:
        # cdktf's own names end in a hash of the path; a fixed one does not.
        assert re.fullmatch(r"[a-z]+_[a-z0-9_]+", name), f"{kind}.{name}"
        assert not re.search(r"_[0-9A-F]{8}$", name), f"{kind}.{name}"


def test_a_resource_stands_in_its_stack_under_a_name_that_terraform_takes() -> None:
    from cdktf import App, TerraformStack

    stack = TerraformStack(App(), "one")
    assert address(stack, "job", "bronze_setup") == "job_bronze_setup"
    with pytest.raises(TypeError, match=r"job x stands in App, which is no stack"):
        address(App(), "job", "x")
    for name in ("two words", "a.b", "ä", "x" * 300):
        with pytest.raises(ValueError, match=r"is no Terraform name: letters, digits"):
            address(stack, "job", name)


def test_what_holds_data_cannot_be_destroyed_outside_local(stacks_of: dict[str, Stacks]) -> None:
    for environment, stacks in stacks_of.items():
        expected = environment != "local"
        seen = set()
        for kind, name, body in all_resources(stacks):
            if kind in HOLDS_DATA:
                seen.add(kind)
                assert body.get("lifecycle", {}).get("prevent_destroy", False) is expected, name
                assert body.get("force_destroy", False) in (False, not expected), name
        assert seen == HOLDS_DATA


def test_no_secret_and_no_machine_in_the_configuration(stacks_of: dict[str, Stacks]) -> None:
    for environment, stacks in stacks_of.items():
        for name, stack in stacks.items():
            text = json.dumps(stack)
            assert stack["provider"]["databricks"] == [{}], f"{environment} {name}"
            for forbidden in ("token", str(ROOT), tempfile.gettempdir(), "access_key", "slack.com"):
                assert forbidden not in text, f"{forbidden} in {environment} {name}"
    governance = stacks_of["prod"]["governance"]
    destinations = governance["resource"]["databricks_notification_destination"]
    slack = destinations["destination_slack"]["config"]["slack"]
    assert slack == {"url": "${var.slack_url}"}
    assert governance["variable"]["slack_url"]["sensitive"] is True


def test_stacks_read_only_what_earlier_stacks_export(stacks_of: dict[str, Stacks]) -> None:
    stacks = stacks_of["dev"]
    for name, stack in stacks.items():
        text = json.dumps(stack.get("resource"))
        used = set(re.findall(r"terraform_remote_state\.([a-z]+)\.outputs\.([a-z_]+)", text))
        assert {other for other, _ in used} <= set(DEPENDS_ON[name])
        for other, output in used:
            assert output in stacks[other]["output"]
        assert set(stack.get("data", {}).get("terraform_remote_state", {})) == {o for o, _ in used}


def test_state_lies_in_s3_with_a_lock_file(stacks_of: dict[str, Stacks]) -> None:
    keys = set()
    for environment, stacks in stacks_of.items():
        for name, stack in stacks.items():
            backend = stack["terraform"]["backend"]["s3"]
            assert backend["use_lockfile"] is True
            assert backend["key"] == f"{environment}/{name}.tfstate"
            # Only a server that is not AWS is spoken to without AWS's checks.
            assert backend.get("skip_credentials_validation", False) is (environment == "local")
            keys.add((backend["bucket"], backend["key"]))
    assert len(keys) == 20


def test_sql_names_the_catalog_of_the_environment(stacks_of: dict[str, Stacks]) -> None:
    alerts = of_kind(stacks_of["dev"], "databricks_alert_v2")
    query = alerts["alert_no_usage"]["query_text"]
    assert "FROM health_monitor_dev.gold.fact_usage -- not gold.other" in query
    dashboard = of_kind(stacks_of["dev"], "databricks_dashboard")["dashboard_cost"]
    assert "health_monitor_dev.gold.fact_usage" in dashboard["serialized_dashboard"]


def test_alerts_tell_the_destinations_that_the_environment_has(
    stacks_of: dict[str, Stacks],
) -> None:
    for environment, expected in (("dev", 2), ("prod", 3)):
        alert = of_kind(stacks_of[environment], "databricks_alert_v2")["alert_no_usage"]
        assert len(alert["evaluation"]["notification"]["subscriptions"]) == expected
        pause = alert["schedule"]["pause_status"]
        assert pause == ("UNPAUSED" if environment == "prod" else "PAUSED")


def test_thresholds_are_fixed_or_columns(stacks_of: dict[str, Stacks]) -> None:
    alerts = of_kind(stacks_of["dev"], "databricks_alert_v2")
    fixed = alerts["alert_no_usage"]["evaluation"]["threshold"]
    column = alerts["alert_unusual_cost"]["evaluation"]["threshold"]
    assert fixed == {"value": {"double_value": 1}}
    assert column == {"column": {"name": "score_threshold"}}


def test_monitor_has_slices_and_metrics_of_all_kinds(stacks_of: dict[str, Stacks]) -> None:
    (monitor,) = of_kind(stacks_of["prod"], "databricks_quality_monitor").values()
    assert monitor["slicing_exprs"] == ["workspace_id"]
    kinds = [metric["type"].rpartition("_")[2] for metric in monitor["custom_metrics"]]
    assert kinds == ["AGGREGATE", "DERIVED", "DRIFT"]
    assert monitor["schedule"][0]["timezone_id"] == "UTC"
    (paused,) = of_kind(stacks_of["dev"], "databricks_quality_monitor").values()
    assert "schedule" not in paused


def test_the_next_definition_is_one_more_resource(
    stacks_of: dict[str, Stacks], tmp_path: Path
) -> None:
    definitions = tmp_path / "definitions"
    shutil.copytree(FIXTURE_DEFINITIONS, definitions)
    alerts = definitions / "alerts" / "cost"
    for suffix in ("yml", "sql"):
        shutil.copy(alerts / f"no_usage.{suffix}", alerts / f"another.{suffix}")
    view = definitions / "functions" / "cost"
    text = (view / "get_daily_usage.sql").read_text(encoding="utf-8")
    (view / "get_more.sql").write_text(text.replace("get_daily_usage", "get_more"))
    grown = synthesize("dev", tmp_path, definitions)

    def flat(stacks: Stacks) -> dict[tuple[str, str], dict[str, Any]]:
        return {(kind, name): body for kind, name, body in all_resources(stacks)}

    before, after = flat(stacks_of["dev"]), flat(grown)
    assert set(after) - set(before) == {
        ("databricks_alert_v2", "alert_another"),
        ("databricks_workspace_file", "file_functions_cost_get_more_sql"),
    }
    assert all(after[key] == before[key] for key in before)


def test_bronze_is_read_at_one_and_results_follow_silver(stacks_of: dict[str, Stacks]) -> None:
    jobs = of_kind(stacks_of["prod"], "databricks_job")
    schedule = jobs["job_bronze_ingestion"]["schedule"]
    assert (schedule["quartz_cron_expression"], schedule["timezone_id"]) == ("0 0 1 * * ?", "UTC")
    assert schedule["pause_status"] == "UNPAUSED"
    update, results = jobs["job_silver_refresh"]["task"]
    assert results["depends_on"] == [{"task_key": update["task_key"]}]
    given = results["python_wheel_task"]["named_parameters"]["pipeline"]
    assert given == update["pipeline_task"]["pipeline_id"]
    (pipeline,) = of_kind(stacks_of["prod"], "databricks_pipeline").values()
    assert (pipeline["serverless"], pipeline["photon"]) == (True, True)


def test_silver_and_gold_are_brought_up_to_date_every_hour(stacks_of: dict[str, Stacks]) -> None:
    job = of_kind(stacks_of["prod"], "databricks_job")["job_hourly_refresh"]
    assert job["schedule"]["quartz_cron_expression"] == "0 30 * * * ?"
    silver, gold = job["task"]
    assert gold["depends_on"] == [{"task_key": silver["task_key"]}]
    assert "job_silver_refresh" in silver["run_job_task"]["job_id"]
    assert "job_gold_refresh" in gold["run_job_task"]["job_id"]


def test_a_pipeline_that_never_stops_is_not_started_by_a_job(tmp_path: Path) -> None:
    silver = SilverPipeline(continuous=True)
    environment = load_environment("prod").model_copy(update={"silver_pipeline": silver})
    stacks = synthesize("prod", tmp_path, environment=environment)
    (pipeline,) = of_kind(stacks, "databricks_pipeline").values()
    assert pipeline["continuous"] is True
    (results,) = of_kind(stacks, "databricks_job")["job_silver_refresh"]["task"]
    assert "depends_on" not in results
    assert "pipeline_task" not in results


def test_who_is_told_follows_the_severity(stacks_of: dict[str, Stacks]) -> None:
    mails = {"on_failure", "on_duration_warning_threshold_exceeded"}
    expected = {
        "job_gold_refresh": [],
        "job_refresh_orchestrator": ["slack"],
        "job_daily_health_check": ["slack"],
        "job_annual_recovery_drill": ["slack", "pagerduty"],
    }
    prod = of_kind(stacks_of["prod"], "databricks_job")
    for name, destinations in expected.items():
        ids = [
            {"id": f"${{data.terraform_remote_state.governance.outputs.destination_{d}_id}}"}
            for d in destinations
        ]
        assert prod[name].get("webhook_notifications", {}) == {what: ids for what in mails if ids}
        assert set(prod[name]["email_notifications"]) == mails
    # Nobody is called at night outside production.
    staging = of_kind(stacks_of["staging"], "databricks_job")["job_annual_recovery_drill"]
    assert len(staging["webhook_notifications"]["on_failure"]) == 1
    alerts = of_kind(stacks_of["prod"], "databricks_alert_v2")
    told = alerts["alert_unusual_cost"]["evaluation"]["notification"]["subscriptions"]
    assert [t["destination_id"].rpartition(".")[2] for t in told] == ["destination_email_id}"]


def test_serverless_is_billed_to_the_policy_of_the_environment(
    stacks_of: dict[str, Stacks],
) -> None:
    billed = ("databricks_job", "databricks_pipeline", "databricks_model_serving")
    for environment, expected in (("local", None), ("prod", "${var.budget_policy_id}")):
        found = {
            (kind, body.get("budget_policy_id"))
            for kind, _, body in all_resources(stacks_of[environment])
            if kind in billed
        }
        assert found == {(kind, expected) for kind in billed}


def test_each_runbook_has_its_job_its_schedule_and_its_page(stacks_of: dict[str, Stacks]) -> None:
    jobs = of_kind(stacks_of["prod"], "databricks_job")
    expected = {
        "daily_health_check": "0 30 7 * * ?",
        "weekly_cost_review": "0 0 8 ? * MON",
        "monthly_retraining": "0 0 3 2 * ?",
        "quarterly_security_audit": "0 0 8 2 1,4,7,10 ?",
        "annual_recovery_drill": "0 0 9 15 1 ?",
    }
    for name, cron in expected.items():
        schedule = jobs[f"job_{name}"]["schedule"]
        assert (schedule["quartz_cron_expression"], schedule["timezone_id"]) == (cron, "UTC")
        assert name in (ROOT / "docs" / "runbooks" / f"{name}.md").read_text(encoding="utf-8")


def test_a_stack_runs_no_job_of_a_later_one(tmp_path: Path) -> None:
    definitions = tmp_path / "definitions"
    shutil.copytree(FIXTURE_DEFINITIONS, definitions)
    file = definitions / "jobs" / "ml" / "ml_refresh.yml"
    text = file.read_text(encoding="utf-8")
    file.write_text(f"{text}  gold_refresh: {{job: gold_refresh}}\n", encoding="utf-8")
    with pytest.raises(DefinitionErrors) as caught:
        synthesize("dev", tmp_path, definitions)
    assert str(caught.value) == (
        f"{file}:{text.count(chr(10)) + 1}: stack ml runs jobs of ml, governance; "
        "gold_refresh is in pipelines"
    )
