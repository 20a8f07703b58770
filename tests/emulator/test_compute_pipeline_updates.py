"""Updates of pipelines over a compute that only notes what it was asked."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from emulator.compute.jobs import JobRunner
from emulator.compute.pipeline_updates import PipelineRunner, event_stream
from emulator.compute.spec import TaskResult, TaskSpec
from emulator.errors import ApiError
from emulator.settings import Settings
from emulator.store import Store


class FakeCompute:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.specs: list[TaskSpec] = []
        self.result = TaskResult("SUCCESS", value={"state": "COMPLETED", "error": None})
        self.until_canceled = False

    def workspace_url(self) -> str:
        return "http://127.0.0.1:9"

    def run_task(self, spec: TaskSpec, *, on_output=None, cancel: threading.Event) -> TaskResult:
        self.specs.append(spec)
        if self.until_canceled:
            assert cancel.wait(15)
            return TaskResult("CANCELED")
        return self.result


class Bench:
    def __init__(self, folder: Path) -> None:
        self.settings = Settings(state=folder, jars=folder)
        self.store = Store(self.settings.workspace_db)
        self.compute = FakeCompute(self.settings)
        self.runner = PipelineRunner(self.compute, self.store)  # type: ignore[arg-type]

    def file(self, path: str, text: str, kind: str = "FILE") -> None:
        target = self.settings.workspace_files / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        self.store.put("workspace_object", path, {"path": path, "object_type": kind})

    def pipeline(self, *libraries: dict[str, Any], **spec: Any) -> None:
        document = {"name": "silver", "schema": "silver", "libraries": list(libraries), **spec}
        self.store.put("pipeline", "p", {"pipeline_id": "p", "name": "silver", "spec": document})

    def update(self, **arguments: Any) -> dict[str, Any]:
        update_id = self.runner.start_update("p", **arguments)
        assert self.runner.wait("p", update_id, 20)
        return self.runner.get_update("p", update_id)

    def last_event(self) -> dict[str, Any]:
        return self.store.events(event_stream("p"))[-1]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.file("/Shared/p/main", "# Databricks notebook source\nx", "NOTEBOOK")
    bench.file("/Shared/p/more/b.py", "y")
    bench.file("/Shared/p/more/readme.md", "text")
    return bench


def test_an_update_runs_its_libraries_in_its_environment(bench):
    bench.pipeline(
        {"notebook": {"path": "/Shared/p/main"}},
        {"glob": {"include": "/Workspace/Shared/p/**"}},
        environment={"dependencies": ["/Volumes/a/b/c/x.whl"]},
        configuration={"catalog": "main"},
    )
    update = bench.update(full_refresh=True, refresh_selection=["t"])
    assert (update["state"], update["full_refresh"]) == ("COMPLETED", True)
    spec = bench.compute.specs[0]
    assert spec.dependencies == ["/Volumes/a/b/c/x.whl"]
    assert [(s["path"], s["kind"]) for s in spec.payload["sources"]] == [
        ("/Workspace/Shared/p/main", "notebook"),
        ("/Workspace/Shared/p/more/b.py", "file"),
    ]
    assert spec.payload["configuration"] == {"catalog": "main"}
    assert spec.payload["refresh_selection"] == ["t"]


def test_an_update_repeats_a_completed_one_unless_all_is_to_be_computed(bench):
    bench.pipeline({"notebook": {"path": "/Shared/p/main"}})
    for full_refresh in (False, False, True):
        bench.update(full_refresh=full_refresh)
    assert [spec.repeats for spec in bench.compute.specs] == [False, True, False]


@pytest.mark.parametrize(
    ("library", "complaint"),
    [
        ({"notebook": {"path": "/Shared/gone"}}, "/Shared/gone does not exist"),
        ({"glob": {"include": "/Shared/none/**"}}, "matches no source file"),
        ({"jar": "x.jar"}, "must be a notebook, a file or a glob"),
    ],
)
def test_wrong_libraries_fail_the_update(bench, library, complaint):
    bench.pipeline(library)
    update = bench.update()
    assert update["state"] == "FAILED"
    assert complaint in bench.runner.failure("p", update["update_id"])
    event = bench.last_event()
    assert (event["level"], event["event_type"]) == ("ERROR", "update_progress")
    assert complaint in event["message"]


def test_a_failed_engine_and_a_failed_process_fail_the_update(bench):
    bench.pipeline({"file": {"path": "/Shared/p/more/b.py"}})
    bench.compute.result = TaskResult("SUCCESS", value={"state": "FAILED", "error": "t: bad"})
    update = bench.update()
    assert update["state"] == "FAILED"
    assert bench.runner.failure("p", update["update_id"]) == "t: bad"
    bench.compute.result = TaskResult("FAILED", error="Spark ended while the task ran: killed")
    update = bench.update()
    assert update["state"] == "FAILED"
    assert "Spark ended" in bench.last_event()["message"]


def test_one_update_at_a_time_and_it_can_be_stopped(bench):
    bench.pipeline({"file": {"path": "/Shared/p/more/b.py"}})
    bench.compute.until_canceled = True
    update_id = bench.runner.start_update("p")
    with pytest.raises(ApiError, match="already exists"):
        bench.runner.start_update("p")
    bench.runner.stop("p")
    assert bench.runner.wait("p", update_id, 20)
    assert bench.runner.get_update("p", update_id)["state"] == "CANCELED"


def test_a_pipeline_task_of_a_job_gives_the_updates_error(bench):
    bench.pipeline({"file": {"path": "/Shared/p/more/b.py"}})
    task = {"task_key": "silver", "pipeline_task": {"pipeline_id": "p", "full_refresh": False}}
    bench.store.put("job", "1", {"job_id": 1, "settings": {"name": "j", "tasks": [task]}})
    jobs = JobRunner(bench.compute, bench.store, bench.runner)
    assert jobs.wait(jobs.run_now("1"), 20)["state"]["result_state"] == "SUCCESS"
    assert bench.store.find("pipeline_update")[0]["cause"] == "JOB_TASK"
    bench.compute.result = TaskResult("SUCCESS", value={"state": "FAILED", "error": "t: bad"})
    run = jobs.wait(jobs.run_now("1"), 20)
    assert run["state"]["result_state"] == "FAILED"
    assert "t: bad" in run["state"]["state_message"]


def test_what_a_dead_workspace_left_active_is_closed(bench):
    bench.pipeline({"file": {"path": "/Shared/p/more/b.py"}})
    update = bench.update()
    bench.store.put("pipeline_update", update["update_id"], {**update, "state": "RUNNING"})
    bench.runner.recover()
    assert bench.runner.get_update("p", update["update_id"])["state"] == "FAILED"
