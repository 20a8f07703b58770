"""One more source, and one more gold table, are definitions and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from health_monitor.gold.order import feeds_of, in_order
from health_monitor.spec import Definitions, load_definitions

from tests.infra.conftest import synthesize

ROOT = Path(__file__).parents[2]
ADDED = ROOT / "tests" / "tables" / "added"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The definitions with those that are added."""
    folder = tmp_path_factory.mktemp("added") / "definitions"
    shutil.copytree(ROOT / "workloads" / "definitions", folder)
    shutil.copytree(ADDED, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def definitions(tree: Path) -> Definitions:
    return load_definitions(tree)


@pytest.fixture(scope="module")
def resources(tree: Path) -> dict[str, Any]:
    """What the stack of the pipelines has of them."""
    found: dict[str, Any] = synthesize("local", tree.parent / "synth", tree)["pipelines"]
    return dict(found["resource"])


def test_added_definitions_get_their_job_their_place_and_their_files(
    definitions: Definitions, resources: dict[str, Any]
) -> None:
    before = load_definitions(ROOT / "workloads" / "definitions")
    added = {d.path for d in definitions} - {d.path for d in before}
    assert added == {
        "bronze/support/tickets.yml",
        "silver/support/tickets.yml",
        "gold/support/summary_tickets.yml",
    }

    ordered = [table.name for table in in_order(definitions.gold)]
    assert ordered.index("dim_workspace") < ordered.index("summary_tickets")
    assert feeds_of(definitions.gold["summary_tickets"]) == ["silver.silver_tickets"]

    jobs = resources["databricks_job"]
    ingest = jobs["job_bronze_support_ingest"]["task"][0]["python_wheel_task"]
    assert ingest["entry_point"] == "bronze_ingest"
    assert ingest["named_parameters"]["domain"] == "support"
    tasks = {task["task_key"]: task for task in jobs["job_data_refresh"]["task"]}
    assert "bronze_support_ingest" in tasks
    waits_for = {after["task_key"] for after in tasks["silver_refresh"]["depends_on"]}
    assert "bronze_support_ingest" in waits_for
    paths = {file["path"] for file in resources["databricks_workspace_file"].values()}
    names = {path.split("/definitions/")[-1] for path in paths}
    assert {*added, "gold/support/summary_tickets.sql"} <= names


def test_each_domain_has_a_job_that_runs_its_own_layers(
    definitions: Definitions, resources: dict[str, Any]
) -> None:
    jobs = resources["databricks_job"]
    domains = definitions.items("domain")
    assert {"billing", "monitoring", "support"} <= {*domains}
    for domain in domains:
        job = jobs[f"job_domain_{domain}_refresh"]
        assert job["tags"]["layer"] == "composite" and "schedule" not in job
        called = {t["task_key"]: t["run_job_task"]["job_id"] for t in job["task"]}
        assert called == {
            "bronze_ingest": f"${{databricks_job.job_bronze_{domain}_ingest.id}}",
            "silver_refresh": "${databricks_job.job_silver_refresh.id}",
            "gold_refresh": f"${{databricks_job.job_gold_{domain}_refresh.id}}",
        }
        after = {
            t["task_key"]: [other["task_key"] for other in t.get("depends_on", [])]
            for t in job["task"]
        }
        assert after == {
            "bronze_ingest": [],
            "silver_refresh": ["bronze_ingest"],
            "gold_refresh": ["silver_refresh"],
        }
        (work,) = jobs[f"job_gold_{domain}_refresh"]["task"]
        assert work["python_wheel_task"]["named_parameters"]["domain"] == domain
