"""Job runs over a compute that only notes what it was asked: order, retries, cancel, repair."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk.service.jobs import Run, RunLifeCycleState, RunOutput, RunResultState

from emulator.compute.jobs import JobRunner
from emulator.compute.spec import TaskResult, TaskSpec
from emulator.errors import ApiError
from emulator.settings import Settings
from emulator.store import Store


class FakeCompute:
    """Answers each task by its key; by default with success."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.specs: list[TaskSpec] = []
        self.answers: dict[str, Callable[[TaskSpec, threading.Event], TaskResult]] = {}
        self.running = 0
        self.most_running = 0
        self._lock = threading.Lock()

    def workspace_url(self) -> str:
        return "http://127.0.0.1:9"

    def run_task(self, spec: TaskSpec, *, on_output=None, cancel: threading.Event) -> TaskResult:
        with self._lock:
            self.specs.append(spec)
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        try:
            answer = self.answers.get(spec.task_key)
            return answer(spec, cancel) if answer else TaskResult("SUCCESS")
        finally:
            with self._lock:
                self.running -= 1

    def keys(self) -> list[str]:
        return [spec.task_key for spec in self.specs]


class Bench:
    def __init__(self, folder: Path) -> None:
        settings = Settings(state=folder, jars=folder)
        self.store = Store(settings.workspace_db)
        self.compute = FakeCompute(settings)
        self.runner = JobRunner(self.compute, self.store)  # type: ignore[arg-type]

    def job(self, *tasks: dict[str, Any], job_id: int = 1, **settings: Any) -> str:
        whole = {"name": f"job {job_id}", "tasks": list(tasks), **settings}
        document = {"job_id": job_id, "settings": whole}
        self.store.put("job", str(job_id), document)
        return str(job_id)

    def run(self, *tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
        parameters = more.pop("job_parameters", None)
        run_id = self.runner.run_now(self.job(*tasks, **more), job_parameters=parameters)
        return self.end(run_id)

    def end(self, run_id: int) -> dict[str, Any]:
        run = self.runner.wait(run_id, timeout=20)
        assert run["state"]["life_cycle_state"] in ("TERMINATED", "SKIPPED"), run["state"]
        return run


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def notebook(key: str, *upstream: str, parameters: dict[str, str] | None = None, **more: Any):
    return {
        "task_key": key,
        "depends_on": [{"task_key": name} for name in upstream],
        "notebook_task": {"notebook_path": f"/n/{key}", "base_parameters": parameters or {}},
        **more,
    }


def states(run: dict[str, Any]) -> dict[str, str]:
    return {entry["task_key"]: entry["state"]["result_state"] for entry in run["tasks"]}


def failing(message: str = "ValueError: boom"):
    return lambda _spec, _cancel: TaskResult("FAILED", error=message, error_trace="trace")


def until_canceled(_spec: TaskSpec, cancel: threading.Event) -> TaskResult:
    assert cancel.wait(15)
    return TaskResult("CANCELED")


def test_values_and_parameters_reach_the_tasks_in_order(bench):
    bench.compute.answers["a"] = lambda _s, _c: TaskResult(
        "SUCCESS", value="out", task_values={"n": 3}
    )
    run = bench.run(
        notebook("b", "a", parameters={"n": "{{tasks.a.values.n}}", "day": "own"}),
        notebook("a"),
        parameters=[{"name": "day", "default": "1"}],
        job_parameters={"day": "2"},
    )
    assert bench.compute.keys() == ["a", "b"]
    assert bench.compute.specs[1].payload["base_parameters"] == {"n": "3", "day": "2"}
    assert bench.compute.specs[1].task_values == {"a": {"n": 3}}
    assert run["state"]["result_state"] == "SUCCESS"
    first = next(entry for entry in run["tasks"] if entry["task_key"] == "a")
    output = bench.runner.output(first["run_id"])
    assert output["notebook_output"] == {"result": "out", "truncated": False}


def test_the_run_reads_as_the_sdk_reads_it(bench):
    bench.compute.answers["a"] = failing()
    shown = bench.run(notebook("a"), notebook("b", "a"))
    run = Run.from_dict(shown)
    assert run.state is not None and run.tasks is not None and run.status is not None
    assert run.state.life_cycle_state is RunLifeCycleState.TERMINATED
    assert run.state.result_state is RunResultState.FAILED
    assert run.status.termination_details is not None
    assert run.status.termination_details.as_dict()["code"] == "RUN_EXECUTION_ERROR"
    assert "Task a failed with message: ValueError: boom" in (run.state.state_message or "")
    assert states(shown) == {"a": "FAILED", "b": "UPSTREAM_FAILED"}
    assert run.end_time and run.start_time and run.end_time >= run.start_time
    output = RunOutput.from_dict(bench.runner.output(run.tasks[0].run_id or 0))
    assert (output.error, output.error_trace) == ("ValueError: boom", "trace")
    assert output.metadata is not None and output.metadata.job_id == 1


def test_two_independent_tasks_run_at_once_and_no_more(bench):
    meet = threading.Barrier(2)

    def wait_for_another(_spec: TaskSpec, _cancel: threading.Event) -> TaskResult:
        meet.wait(10)
        return TaskResult("SUCCESS")

    for key in "abcd":
        bench.compute.answers[key] = wait_for_another
    run = bench.run(*(notebook(key) for key in "abcd"))
    assert run["state"]["result_state"] == "SUCCESS"
    assert bench.compute.most_running == 2


def test_retries_are_attempts_with_ids_of_their_own(bench):
    answers = iter([failing("first")(None, None), TaskResult("SUCCESS")])
    bench.compute.answers["a"] = lambda _s, _c: next(answers)
    run = bench.run(notebook("a", max_retries=2, min_retry_interval_millis=1))
    assert run["state"]["result_state"] == "SUCCESS"
    entry = run["tasks"][0]
    assert entry["attempt_number"] == 1
    ids = [int(spec.task_run_id) for spec in bench.compute.specs]
    assert ids[1] == entry["run_id"] and ids[0] != ids[1]
    assert bench.runner.output(ids[0])["error"] == "first"


def test_condition_branches(bench):
    check = {
        "task_key": "check",
        "condition_task": {"op": "GREATER_THAN", "left": "{{job.parameters.n}}", "right": "5"},
    }
    many = notebook("many", depends_on=[{"task_key": "check", "outcome": "true"}])
    few = notebook("few", depends_on=[{"task_key": "check", "outcome": "false"}])
    parameters = [{"name": "n", "default": "10"}]
    run = bench.run(check, many, few, parameters=parameters)
    assert states(run) == {"check": "SUCCESS", "many": "SUCCESS", "few": "EXCLUDED"}
    assert run["tasks"][0]["condition_task"]["outcome"] == "true"
    assert run["state"]["result_state"] == "SUCCESS"


def test_for_each_runs_its_task_per_input(bench):
    bench.compute.answers["one"] = lambda spec, _c: TaskResult(
        "FAILED" if spec.payload["base_parameters"]["x"] == "b" else "SUCCESS", error="bad"
    )
    loop = {
        "task_key": "all",
        "for_each_task": {
            "inputs": '["a", "b", "c"]',
            "concurrency": 2,
            "task": notebook("one", parameters={"x": "{{input}}"}),
        },
    }
    run = bench.run(loop)
    entry = run["tasks"][0]
    statistics = entry["for_each_task"]["stats"]["task_run_stats"]
    assert (statistics["succeeded_iterations"], statistics["failed_iterations"]) == (2, 1)
    assert "1 of 3 iterations" in entry["state"]["state_message"]
    iterations = bench.runner.get(entry["run_id"])["iterations"]
    assert [i["state"]["result_state"] for i in iterations] == ["SUCCESS", "FAILED", "SUCCESS"]


def test_a_child_job_gets_parameters_and_gives_its_result(bench):
    bench.job(notebook("inner"), job_id=2, parameters=[{"name": "p", "default": "x"}])
    outer = {
        "task_key": "outer",
        "run_job_task": {"job_id": 2, "job_parameters": {"p": "{{job.id}}"}},
    }
    run = bench.run(outer)
    child = bench.runner.get(run["tasks"][0]["run_job_output"]["run_id"])
    assert bench.compute.specs[0].payload["base_parameters"] == {"p": "1"}
    assert child["trigger"] == "RUN_JOB_TASK"
    bench.compute.answers["inner"] = failing("inner broke")
    run = bench.run(outer)
    assert run["state"]["result_state"] == "FAILED"
    assert "inner broke" in run["state"]["state_message"]


def test_jobs_that_run_each_other_end(bench):
    run = bench.run({"task_key": "again", "run_job_task": {"job_id": 1}}, max_concurrent_runs=9)
    assert "nested 3 deep" in run["state"]["state_message"]


def test_canceling_ends_the_running_task_and_starts_no_other(bench):
    bench.compute.answers["a"] = until_canceled
    run_id = bench.runner.run_now(bench.job(notebook("a"), notebook("b", "a", run_if="ALL_DONE")))
    _until(lambda: bench.compute.running == 1)
    bench.runner.cancel(run_id)
    run = bench.end(run_id)
    assert states(run) == {"a": "CANCELED", "b": "CANCELED"}
    assert run["state"]["result_state"] == "CANCELED"
    assert run["state"]["user_cancelled_or_timedout"] is True


def test_a_run_that_takes_too_long_times_out(bench):
    bench.compute.answers["a"] = until_canceled
    run = bench.run(notebook("a"), timeout_seconds=1)
    assert run["state"]["result_state"] == "TIMEDOUT"


@pytest.mark.parametrize("queue", [True, False])
def test_a_second_run_is_queued_or_skipped(bench, queue):
    bench.compute.answers["a"] = until_canceled
    job = bench.job(notebook("a"), queue={"enabled": queue})
    first = bench.runner.run_now(job)
    _until(lambda: bench.compute.running == 1)
    second = bench.runner.run_now(job)
    waiting = bench.runner.get(second)
    assert waiting["state"]["life_cycle_state"] == ("QUEUED" if queue else "SKIPPED")
    assert [task["task_key"] for task in waiting["tasks"]] == (["a"] if queue else [])
    del bench.compute.answers["a"]
    bench.runner.cancel(first)
    bench.end(first)
    expected = "SUCCESS" if queue else "MAXIMUM_CONCURRENT_RUNS_REACHED"
    assert bench.end(second)["state"]["result_state"] == expected


def test_repair_runs_what_failed_and_what_waits_for_it(bench):
    bench.compute.answers["a"] = lambda _s, _c: TaskResult("SUCCESS", task_values={"n": 1})
    bench.compute.answers["b"] = failing()
    tasks = (notebook("a"), notebook("b", "a", parameters={"n": "{{tasks.a.values.n}}"}))
    run = bench.run(*tasks, notebook("c", "b"))
    del bench.compute.answers["b"]
    bench.compute.specs.clear()
    bench.runner.repair(run["run_id"], rerun_all_failed_tasks=True)
    repaired = bench.end(run["run_id"])
    assert bench.compute.keys() == ["b", "c"]
    assert bench.compute.specs[0].payload["base_parameters"] == {"n": "1"}
    assert repaired["state"]["result_state"] == "SUCCESS"
    assert {e["task_key"]: e["attempt_number"] for e in repaired["tasks"]} == {
        "a": 0,
        "b": 1,
        "c": 1,
    }
    assert len(repaired["repair_history"]) == 1
    with pytest.raises(ApiError, match="All tasks"):
        bench.runner.repair(run["run_id"], rerun_all_failed_tasks=True)


def test_wheel_tasks_name_their_environment(bench):
    wheel = {"package_name": "p", "entry_point": "main", "named_parameters": {"a": "1"}}
    task = {"task_key": "w", "python_wheel_task": wheel, "environment_key": "default"}
    environments = [
        {"environment_key": "default", "spec": {"dependencies": ["/Volumes/c/s/v/p.whl"]}}
    ]
    parameters = [{"name": "b", "default": "2"}]
    bench.run(task, environments=environments, parameters=parameters)
    assert bench.compute.specs[0].dependencies == ["/Volumes/c/s/v/p.whl"]
    assert bench.compute.specs[0].payload["named_parameters"] == {"a": "1", "b": "2"}
    run = bench.run(task)
    assert "no environment 'default'" in run["state"]["state_message"]
    del task["environment_key"]
    run = bench.run(task)
    assert "needs an environment_key" in run["state"]["state_message"]


def test_what_a_dead_workspace_left_running_is_closed(bench):
    run = bench.run(notebook("a"))
    run["state"] = {"life_cycle_state": "RUNNING", "state_message": ""}
    run["tasks"][0]["state"] = {"life_cycle_state": "RUNNING", "state_message": ""}
    bench.store.put("run", str(run["run_id"]), run)
    JobRunner(bench.compute, bench.store).recover()
    closed = bench.runner.get(run["run_id"])
    for item in (closed, closed["tasks"][0]):
        assert item["state"]["life_cycle_state"] == "INTERNAL_ERROR"
        assert "The workspace ended" in item["state"]["state_message"]


def test_an_error_of_the_emulator_ends_the_run(bench):
    def no_space(_spec: TaskSpec, _cancel: threading.Event) -> TaskResult:
        raise OSError(28, "No space left on device")

    bench.compute.answers["a"] = no_space
    run = bench.run(notebook("a"))
    assert run["state"]["result_state"] == "FAILED"
    assert "No space left on device" in run["state"]["state_message"]


def test_unknown_jobs_parameters_and_kinds_are_refused(bench):
    with pytest.raises(ApiError, match="Job 99 does not exist"):
        bench.runner.run_now("99")
    with pytest.raises(ApiError, match="no parameter typo"):
        bench.runner.run_now(bench.job(notebook("a")), job_parameters={"typo": "1"})
    run = bench.run({"task_key": "d", "dashboard_task": {"dashboard_id": "1"}})
    assert "dashboard_task does not run in the emulator" in run["state"]["state_message"]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def test_a_task_repeats_once_it_has_succeeded(bench: Bench) -> None:
    ends = iter([TaskResult("FAILED", error="no"), *[TaskResult("SUCCESS")] * 3])
    bench.compute.answers["load"] = lambda *_: next(ends)
    for _ in range(3):
        bench.run(notebook("load"))
    bench.run(notebook("load"), job_id=2)
    assert [spec.repeats for spec in bench.compute.specs] == [False, False, True, False]
