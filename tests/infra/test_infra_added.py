"""One more source, and one more gold table, are definitions and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

from health_monitor.gold.order import feeds_of, in_order
from health_monitor.spec import load_definitions

from tests.infra.conftest import synthesize

ROOT = Path(__file__).parents[2]
ADDED = ROOT / "tests" / "tables" / "added"


def test_added_definitions_get_their_job_their_place_and_their_files(tmp_path: Path) -> None:
    tree = tmp_path / "definitions"
    shutil.copytree(ROOT / "workloads" / "definitions", tree)
    before = load_definitions(tree)
    shutil.copytree(ADDED, tree, dirs_exist_ok=True)
    definitions = load_definitions(tree)
    added = {d.path for d in definitions} - {d.path for d in before}
    assert added == {
        "bronze/support/tickets.yml",
        "silver/support/tickets.yml",
        "gold/support/summary_tickets.yml",
    }

    ordered = [table.name for table in in_order(definitions.gold)]
    assert ordered.index("dim_workspace") < ordered.index("summary_tickets")
    assert feeds_of(definitions.gold["summary_tickets"]) == ["silver.silver_tickets"]

    resources = synthesize("local", tmp_path / "synth", tree)["pipelines"]["resource"]
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
