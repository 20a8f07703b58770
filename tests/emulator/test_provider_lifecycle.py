"""The offline provider under the real terraform, against a workspace in memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.emulator.provider_fake import TOKEN, FakeServer, FakeWorkspace
from tests.emulator.provider_terraform import Terraform

pytestmark = pytest.mark.terraform
SOURCE = "# Databricks notebook source\nprint(1)\n"


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("provider")


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as running:
        yield running


@pytest.fixture
def workspace(server: FakeServer) -> FakeWorkspace:
    return server.workspace


@pytest.fixture
def terraform(tmp_path: Path, mirror: Path, server: FakeServer) -> Terraform:
    return Terraform(tmp_path / "stack", mirror, server.host, TOKEN)


def task(key: str, **more: Any) -> dict[str, Any]:
    return {"task_key": key, "notebook_task": {"notebook_path": "/Shared/n"}, **more}


def stack(source: Path) -> dict[str, Any]:
    source.write_text(SOURCE)
    first = {"name": "first", "task": [task("only", max_retries=1)], "tags": {"team": "finops"}}
    second = {
        "name": "second",
        "task": [
            task("b", depends_on=[{"task_key": "a"}]),
            {"task_key": "a", "run_job_task": {"job_id": "${databricks_job.first.id}"}},
        ],
        "queue": {"enabled": True},
    }
    return {
        "databricks_schema": {"gold": {"catalog_name": "c", "name": "gold", "owner": "me"}},
        "databricks_notebook": {"n": {"path": "/Shared/a/n", "source": str(source)}},
        "databricks_workspace_file": {
            "kept": {"path": "/Shared/a/kept.sql", "content_base64": "c2VsZWN0IDE="},
            "lost": {"path": "/Shared/a/lost.sql", "content_base64": "c2VsZWN0IDI="},
        },
        "databricks_file": {"wheel": {"path": "/Volumes/c/gold/v/x.whl", "source": str(source)}},
        "databricks_job": {"first": first, "second": second},
    }


def test_deploy_drift_repair_and_destroy(
    terraform: Terraform, workspace: FakeWorkspace, tmp_path: Path
) -> None:
    source = tmp_path / "n.py"
    terraform.write(stack(source))
    terraform.apply()
    jobs = {j["settings"]["name"]: j for j in workspace.of("jobs").values()}
    run_job = jobs["second"]["settings"]["tasks"][0]["run_job_task"]
    assert run_job == {"job_id": jobs["first"]["job_id"]}
    assert workspace.of("schemas")["c.gold"]["owner"] == "me"

    # A state written by a provider with fewer attributes is completed.
    state_file = terraform.folder / "terraform.tfstate"
    state = json.loads(state_file.read_text())
    schema = next(r for r in state["resources"] if r["type"] == "databricks_schema")
    del schema["instances"][0]["attributes"]["comment"]
    state_file.write_text(json.dumps(state))
    assert terraform.changes() == {}
    code, text = terraform.plan("-refresh-only")
    assert code == 0, text

    jobs["first"]["settings"]["tasks"][0]["max_retries"] = 5
    workspace.of("schemas")["c.gold"]["comment"] = "by hand"
    workspace.of("workspace")["/Shared/a/n"].update(content="print(2)", modified_at=1)
    workspace.of("workspace")["/Shared/a/kept.sql"].update(modified_at=1)  # touched, not changed
    del workspace.of("workspace")["/Shared/a/lost.sql"]
    workspace.files["/Volumes/c/gold/v/x.whl"] = (b"other", time.time())
    assert terraform.changes() == {
        "databricks_job.first": "update",
        "databricks_schema.gold": "update",
        "databricks_notebook.n": "update",
        "databricks_workspace_file.lost": "create",
        "databricks_file.wheel": "update",
    }
    terraform.apply()
    assert jobs["first"]["settings"]["tasks"][0]["max_retries"] == 1
    assert workspace.of("workspace")["/Shared/a/n"]["content"] == SOURCE
    assert workspace.files["/Volumes/c/gold/v/x.whl"][0] == SOURCE.encode()
    assert terraform.changes() == {}

    source.write_text(SOURCE + "print(3)\n")
    assert terraform.changes() == {
        "databricks_notebook.n": "update",
        "databricks_file.wheel": "update",
    }

    terraform.destroy()
    folders = {entry["object_type"] for entry in workspace.of("workspace").values()}
    assert folders == {"DIRECTORY"}
    assert not (workspace.of("jobs") or workspace.of("schemas") or workspace.files)


def test_replace_import_and_reference_to_what_is_replaced(
    terraform: Terraform, workspace: FakeWorkspace
) -> None:
    workspace.of("schemas")["c.old"] = {
        "catalog_name": "c",
        "name": "old",
        "full_name": "c.old",
        "comment": "theirs",
        "owner": "admin@fake",
    }
    resources = {
        "databricks_schema": {"s": {"catalog_name": "c", "name": "old", "comment": "theirs"}},
        "databricks_volume": {
            "v": {
                "catalog_name": "c",
                "schema_name": "${databricks_schema.s.name}",
                "name": "v",
                "volume_type": "MANAGED",
            }
        },
    }
    terraform.write(resources)
    imported = terraform.run("import", "-no-color", "databricks_schema.s", "c.old")
    assert imported.returncode == 0, imported.stderr
    assert terraform.changes() == {"databricks_volume.v": "create"}
    terraform.apply()

    resources["databricks_schema"]["s"]["name"] = "new"
    terraform.write(resources)
    assert terraform.changes() == {
        "databricks_schema.s": "replace",
        "databricks_volume.v": "replace",
    }
    terraform.apply()
    assert set(workspace.of("schemas")) == {"c.new"}
    assert set(workspace.of("volumes")) == {"c.new.v"}

    # A volume may be renamed in place.
    resources["databricks_volume"]["v"]["name"] = "w"
    terraform.write(resources)
    assert terraform.changes() == {"databricks_volume.v": "update"}


def test_tables_are_made_and_altered_by_statements(
    terraform: Terraform, workspace: FakeWorkspace
) -> None:
    column = {"name": "a", "type_text": "bigint", "type_json": "{}", "nullable": True}
    workspace.of("tables")["c.s.t"] = {
        "catalog_name": "c",
        "schema_name": "s",
        "name": "t",
        "table_type": "MANAGED",
        "data_source_format": "DELTA",
        "columns": [column],
        "properties": {"mine": "1", "delta.minReaderVersion": "1"},
    }
    table: dict[str, Any] = {
        "catalog_name": "c",
        "schema_name": "s",
        "name": "t",
        "table_type": "MANAGED",
        "column": [{"name": "a", "type": "bigint"}],
        "properties": {"mine": "1"},
        "warehouse_id": "w",
    }
    terraform.write({"databricks_sql_table": {"t": table}})
    terraform.apply()
    # What the table's owner sets beside is not Terraform's.
    workspace.of("tables")["c.s.t"]["properties"]["delta.enableRowTracking"] = "true"
    assert terraform.changes() == {}
    column["comment"] = "by hand"
    table["comment"] = "costs"
    terraform.write({"databricks_sql_table": {"t": table}})
    terraform.apply()
    statements = [body["statement"] for _, path, body in workspace.calls if "statements" in path]
    assert statements == [
        "CREATE TABLE `c`.`s`.`t` (`a` bigint) TBLPROPERTIES ('mine' = '1')",
        "COMMENT ON TABLE `c`.`s`.`t` IS 'costs'",
        "ALTER TABLE `c`.`s`.`t` ALTER COLUMN `a` COMMENT ''",
    ]
    table["column"][0]["type"] = "string"
    terraform.write({"databricks_sql_table": {"t": table}})
    assert terraform.changes() == {"databricks_sql_table.t": "replace"}


def test_what_a_training_job_serves_is_not_undone(
    terraform: Terraform, workspace: FakeWorkspace
) -> None:
    endpoint = {"name": "e", "lifecycle": {"ignore_changes": ["config"]}}
    terraform.write({"databricks_model_serving": {"e": endpoint}})
    terraform.apply()
    made = workspace.of("endpoints")["e"]
    assert "config" not in made and made["state"]["config_update"] == "NOT_UPDATING"
    assert terraform.state("databricks_model_serving.e")["serving_endpoint_id"] == made["id"]
    entity = {"name": "champion", "entity_name": "c.s.m", "entity_version": "1"}
    routes = [{"served_model_name": "champion", "traffic_percentage": 100}]
    made["config"] = {"served_entities": [entity], "traffic_config": {"routes": routes}}
    assert terraform.changes() == {}
    code, text = terraform.plan("-refresh-only")
    assert code == 2 and "champion" in text


def test_errors_say_what_where_and_why(terraform: Terraform, workspace: FakeWorkspace) -> None:
    schema = {"catalog_name": "c", "name": "forbidden"}
    terraform.write({"databricks_schema": {"s": schema}})
    text = terraform.fails("apply", "-auto-approve", "-input=false")
    assert "cannot create schema: The value of 'name' is not allowed" in text
    assert "INVALID_PARAMETER_VALUE: The value of 'name' is not allowed" in text
    assert '"name": "forbidden"' in text  # the line that Terraform points at

    terraform.write({"databricks_notebook": {"n": {"path": "/n", "source": "/no/such/file"}}})
    text = terraform.fails("plan")
    assert "cannot read the source file" in text and '"source": "/no/such/file"' in text

    both = {"path": "/n", "source": "x", "content_base64": "eA=="}
    terraform.write({"databricks_notebook": {"n": both}})
    assert "Set source or content_base64, not both." in terraform.fails("validate")


def test_what_was_half_made_stays_in_the_state(
    terraform: Terraform, workspace: FakeWorkspace
) -> None:
    schema = {"catalog_name": "c", "name": "gold", "owner": "nobody"}
    terraform.write({"databricks_schema": {"s": schema}})
    text = terraform.fails("apply", "-auto-approve", "-input=false")
    assert "There is no principal nobody" in text
    assert terraform.state("databricks_schema.s")["id"] == "c.gold"
    terraform.destroy()
    assert workspace.of("schemas") == {}


def test_a_failed_change_leaves_the_state_as_it_was(terraform: Terraform) -> None:
    resources = {"databricks_job": {"j": {"name": "good", "task": [task("t")]}}}
    terraform.write(resources)
    terraform.apply()
    resources["databricks_job"]["j"]["name"] = "forbidden"
    terraform.write(resources)
    assert "not this name" in terraform.fails("apply", "-auto-approve", "-input=false")
    resources["databricks_job"]["j"]["name"] = "good"
    terraform.write(resources)
    assert terraform.changes() == {}


def test_a_workspace_elsewhere_is_refused(tmp_path: Path, mirror: Path) -> None:
    terraform = Terraform(tmp_path, mirror, "https://adb-1.azuredatabricks.net", "t")
    terraform.write({"databricks_schema": {"s": {"catalog_name": "c", "name": "n"}}})
    text = terraform.fails("plan", "-input=false")
    assert "only a workspace on this machine can be used" in text
    assert "adb-1.azuredatabricks.net" in text


def test_the_provider_ends_with_whoever_started_it(terraform: Terraform) -> None:
    launcher = next(Path(terraform.environment["TF_CLI_CONFIG_FILE"]).parent.rglob("terraform-p*"))
    cookie = {
        "TF_PLUGIN_MAGIC_COOKIE": "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"
    }
    starter = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.argv[1]], stdout=subprocess.PIPE, text=True)\n"
        "print(child.pid, child.stdout.readline(), flush=True)\n"
        "time.sleep(60)\n"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", starter, str(launcher)],
        env={**terraform.environment, **cookie},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    pid, _, line = started.stdout.readline().partition(" ")
    started.kill()
    started.wait()
    assert line.startswith("1|6|unix|")
    deadline = time.monotonic() + 10
    while _alive(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _alive(int(pid))
    assert not Path(line.split("|")[3]).parent.exists()


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
