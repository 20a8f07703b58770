"""What tests do to the deployed platform: refresh it, import again, kill parts of it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import psutil
from databricks.sdk import WorkspaceClient

from tests.e2e.conftest import Platform
from tools.services import Workspace
from tools.source import import_tables

ALL_LAYERS = "data_refresh"


def deployed_job(client: WorkspaceClient, name: str) -> int:
    """The id of a job, by its name without the environment's prefix."""
    (job,) = client.jobs.list(name=f"health_monitor_local_{name}")
    return int(str(job.job_id))


def refresh(platform: Platform, name: str = ALL_LAYERS, *, twice: bool = False) -> None:
    """Run a job that brings tables up to date; a second run waits for the first."""
    client = platform.client
    job_id = deployed_job(client, name)
    first = client.jobs.run_now(job_id=job_id)
    if twice:
        second = client.jobs.run_now(job_id=job_id)
        state = client.jobs.get_run(second.run_id).state
        assert state is not None and str(state.life_cycle_state).endswith("QUEUED")
        assert state.state_message == "Waiting for another run to end."
        client.jobs.cancel_run_and_wait(second.run_id)
    run = first.result()
    assert run.state is not None and str(run.state.result_state).endswith("SUCCESS")


def import_folder(platform: Platform, folder: Path) -> None:
    found = platform.variables
    workspace = Workspace(found["DATABRICKS_HOST"], found["DATABRICKS_TOKEN"])
    import_tables(workspace, folder, lambda _: None)


def kill_spark_while(platform: Platform, task: str) -> None:
    """Start the refresh, and kill Spark once silver is written in part: the run fails, with why."""
    client = platform.client
    before = silver_commits(platform)
    run_id = client.jobs.run_now(job_id=deployed_job(client, ALL_LAYERS)).run_id
    deadline = time.monotonic() + 600
    while True:
        run = client.jobs.get_run(run_id)
        states = {
            str(t.task_key): str(t.state and t.state.life_cycle_state) for t in run.tasks or []
        }
        if states[task].endswith("RUNNING") and silver_commits(platform) > before:
            break
        assert time.monotonic() < deadline, states
        time.sleep(0.05)
    kill_noted(platform.folder / "workspace" / "compute.json")
    while not str(client.jobs.get_run(run_id).state).count("TERMINATED"):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    ended = client.jobs.get_run(run_id)
    assert ended.state is not None and str(ended.state.result_state).endswith("FAILED")
    assert ended.tasks is not None
    outcome = {t.task_key: str(t.state and t.state.result_state) for t in ended.tasks}
    assert outcome[task].endswith("FAILED"), outcome


def silver_commits(platform: Platform) -> int:
    tables = platform.folder / "workspace" / "warehouse" / "silver.db"
    return sum(1 for _ in tables.glob("*/_delta_log/*.json"))


def kill_workspace(platform: Platform) -> None:
    kill_noted(platform.folder / "run" / "workspace.json")


def kill_noted(file: Path) -> None:
    """SIGKILL to the process whose pid stands in a file."""
    psutil.Process(json.loads(file.read_text())["pid"]).kill()
