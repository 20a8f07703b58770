"""Runs the jobs that were deployed: what the Jobs API's run routes call."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from emulator.compute import graph
from emulator.compute.graph import Outcome
from emulator.compute.job_execution import JobExecution, Services
from emulator.compute.manager import Compute
from emulator.compute.parameters import job_parameters as with_values
from emulator.compute.pipeline_updates import PipelineRunner
from emulator.compute.runs import (
    Document,
    RunRecord,
    is_final,
    new_run,
    now_ms,
    set_ended,
    set_state,
)
from emulator.compute.spec import TaskFolder
from emulator.errors import ApiError, invalid_parameter, invalid_state, not_found
from emulator.store import Store

PARALLEL_TASKS = 2
MAXIMUM_DEPTH = 3
LOG_LIMIT = 5 * 1024 * 1024


class JobRunner:
    """Reads jobs from the Store (kind "job"), keeps runs there (kinds "run" and "task_run")."""

    def __init__(
        self, compute: Compute, store: Store, pipelines: PipelineRunner | None = None
    ) -> None:
        self._compute = compute
        self._store = store
        self._services = Services(
            compute=compute,
            store=store,
            pipelines=pipelines or PipelineRunner(compute, store),
            slots=threading.Semaphore(PARALLEL_TASKS),
            children=_Children(self),
            workspace_url=compute.workspace_url,
        )
        self._active: dict[int, JobExecution] = {}
        self._changed = threading.Condition()

    def run_now(
        self,
        job_id: str,
        *,
        job_parameters: dict[str, str] | None = None,
        trigger: str = "ONE_TIME",
        idempotency_token: str | None = None,
        depth: int = 0,
    ) -> int:
        """Start a run, or queue it; its run_id."""
        job = self._job(job_id)
        if idempotency_token:
            known = self._store.get("run_token", idempotency_token)
            if known is not None:
                return int(known["run_id"])
        settings = job["settings"]
        graph.check_graph(settings.get("tasks") or [])
        try:
            rows = with_values(settings.get("parameters") or [], job_parameters)
        except ValueError as error:
            raise invalid_parameter(str(error)) from error
        document = new_run(
            self._store,
            job,
            parameters=rows,
            url=self._compute.workspace_url(),
            trigger=trigger,
            overriding=job_parameters,
        )
        record = RunRecord(self._store, document)
        if idempotency_token:
            self._store.put("run_token", idempotency_token, {"run_id": record.run_id})
        self._begin(JobExecution(self._services, job, record, depth=depth))
        return record.run_id

    def get(self, run_id: int) -> Document:
        """The run as runs/get shows it; a task's run id gives that task (and its iterations)."""
        run = self._store.get("run", str(run_id))
        if run is not None:
            return run
        task = self._store.get("task_run", str(run_id))
        if task is None:
            raise not_found(f"Run {run_id} does not exist.")
        shown = {**task["entry"], "job_id": task["job_id"], "job_run_id": task["job_run_id"]}
        if task["iterations"]:
            shown["iterations"] = task["iterations"]
        return shown

    def list(
        self, job_id: str | None = None, *, active_only: bool = False, completed_only: bool = False
    ) -> list[Document]:
        """Runs, the newest first."""
        runs = self._store.find("run", **({"job_id": int(job_id)} if job_id else {}))
        if active_only:
            runs = [run for run in runs if not is_final(run)]
        if completed_only:
            runs = [run for run in runs if is_final(run)]
        return sorted(runs, key=lambda run: int(run["run_id"]), reverse=True)

    def cancel(self, run_id: int) -> None:
        """Ask a run to end. It ends soon after; canceling an ended one does nothing."""
        self.get(run_id)
        with self._changed:
            execution = self._active.get(run_id)
            if execution is not None:
                execution.cancel.set()
            self._changed.notify_all()

    def cancel_all(self, job_id: str) -> None:
        """Ask all active runs of a job to end."""
        for run in self.list(job_id, active_only=True):
            self.cancel(run["run_id"])

    def output(self, task_run_id: int) -> Document:
        """What one task's run gave, as runs/get-output shows it."""
        task = self._store.get("task_run", str(task_run_id))
        if task is None:
            raise not_found(f"Run {task_run_id} does not exist, or has several tasks.")
        entry = task["entry"]
        shown: Document = {
            "metadata": {
                **entry,
                "job_id": task["job_id"],
                "job_run_id": task["job_run_id"],
                "run_name": entry["task_key"],
                "run_type": "JOB_RUN",
            }
        }
        if task["error"]:
            shown["error"] = task["error"]
        if task["error_trace"]:
            shown["error_trace"] = task["error_trace"]
        if "notebook_task" in entry:
            value = task["value"]
            shown["notebook_output"] = (
                {} if value is None else {"result": value, "truncated": False}
            )
        if task["child_run_id"] is not None:
            shown["run_job_output"] = {"run_id": task["child_run_id"]}
        return {**shown, **self._logs(task_run_id)}

    def repair(
        self,
        run_id: int,
        rerun_tasks: Sequence[str] | None = None,
        *,
        rerun_all_failed_tasks: bool = False,
        rerun_dependent_tasks: bool = False,
    ) -> int:
        """Run tasks of an ended run again: the named ones, or all that did not succeed."""
        run = self.get(run_id)
        if "tasks" not in run or not is_final(run):
            raise invalid_state(f"Run {run_id} has not ended, so it cannot be repaired.")
        job = self._job(str(run["job_id"]))
        again = _tasks_to_repeat(
            job["settings"].get("tasks") or [],
            run,
            rerun_tasks,
            all_failed=rerun_all_failed_tasks,
            dependents=rerun_dependent_tasks,
        )
        repair_id = self._store.next_id("run")
        history = run.get("repair_history", [])
        run["repair_history"] = [
            *history,
            {"id": repair_id, "type": "REPAIR", "start_time": now_ms()},
        ]
        run["end_time"] = 0
        set_state(run, "PENDING")
        finished, values = self._what_stays(run, again)
        record = RunRecord(self._store, run)
        self._begin(JobExecution(self._services, job, record, finished=finished, values=values))
        return repair_id

    def recover(self) -> None:
        """Close what a workspace process that was killed left running."""
        message = "The workspace ended while this run was active."
        for run in self._store.find("run"):
            if is_final(run) or run["run_id"] in self._active:
                continue
            for item in (*run["tasks"], run):
                if not is_final(item):
                    set_state(item, "INTERNAL_ERROR", "FAILED", message)
                    set_ended(item)
            self._store.put("run", str(run["run_id"]), run)
        self._services.pipelines.recover()

    def wait(self, run_id: int, timeout: float | None = None) -> Document:
        """Wait until the run has ended (or the time is over); the run."""
        with self._changed:
            self._changed.wait_for(lambda: run_id not in self._active, timeout)
        return self.get(run_id)

    def _begin(self, execution: JobExecution) -> None:
        """Start the run's thread, unless too many runs of its job are active."""
        with self._changed:
            full = self._is_full(execution)
            queue = execution.settings.get("queue") or {}
            if full and not queue.get("enabled"):
                message = "Maximum concurrent runs of this job reached."
                execution.record.set_state("SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED", message)
                return
            if full:
                execution.record.set_state("QUEUED", message="Waiting for another run to end.")
            self._active[execution.record.run_id] = execution
        execution.announce()
        name = f"run-{execution.record.run_id}"
        threading.Thread(target=self._run, args=(execution,), name=name, daemon=True).start()

    def _is_full(self, execution: JobExecution) -> bool:
        """Whether as many older runs of the job are active as may run at once."""
        limit = int(execution.settings.get("max_concurrent_runs") or 1)
        own = execution.record.run_id
        job_id = execution.job["job_id"]
        older = [
            run_id
            for run_id, other in self._active.items()
            if other.job["job_id"] == job_id and run_id < own
        ]
        return len(older) >= limit

    def _run(self, execution: JobExecution) -> None:
        run_id = execution.record.run_id
        try:
            with self._changed:
                self._changed.wait_for(
                    lambda: execution.cancel.is_set() or not self._is_full(execution)
                )
            queued = now_ms() - execution.record.read()["start_time"]
            execution.record.update(queue_duration=queued)
            execution.run()
        except Exception as error:
            message = f"The emulator failed: {type(error).__name__}: {error}"
            execution.cancel.set()
            execution.record.set_state("INTERNAL_ERROR", "FAILED", message)
            raise
        finally:
            with self._changed:
                self._active.pop(run_id, None)
                self._changed.notify_all()

    def _job(self, job_id: str) -> Document:
        job = self._store.get("job", str(job_id))
        if job is None:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Job {job_id} does not exist.")
        return job

    def _what_stays(
        self, run: Document, again: set[str]
    ) -> tuple[dict[str, Outcome], dict[str, dict[str, Any]]]:
        finished, values = {}, {}
        for entry in run["tasks"]:
            if entry["task_key"] in again:
                set_state(entry, "BLOCKED")
                continue
            condition = (entry.get("condition_task") or {}).get("outcome")
            finished[entry["task_key"]] = Outcome(entry["state"]["result_state"], condition)
            kept = self._store.get("task_run", str(entry["run_id"]))
            values[entry["task_key"]] = kept["task_values"] if kept else {}
        return finished, values

    def _logs(self, task_run_id: int) -> Document:
        path = TaskFolder(self._compute.settings.runs / str(task_run_id)).log
        if not path.is_file():
            return {}
        size = path.stat().st_size
        with path.open("rb") as log:
            log.seek(max(0, size - LOG_LIMIT))
            text = log.read().decode(errors="replace")
        return {"logs": text, "logs_truncated": size > LOG_LIMIT}


class _Children:
    """Runs that a run_job task starts."""

    def __init__(self, runner: JobRunner) -> None:
        self._runner = runner
        self.get = runner.get
        self.cancel = runner.cancel

    def start(self, job_id: str, parameters: dict[str, str], parent: JobExecution) -> int:
        if parent.depth >= MAXIMUM_DEPTH:
            raise invalid_parameter(f"Run-job tasks may be nested {MAXIMUM_DEPTH} deep, not more.")
        return self._runner.run_now(
            job_id, job_parameters=parameters, trigger="RUN_JOB_TASK", depth=parent.depth + 1
        )


def _tasks_to_repeat(
    tasks: list[Document],
    run: Document,
    named: Sequence[str] | None,
    *,
    all_failed: bool,
    dependents: bool,
) -> set[str]:
    known = {task["task_key"] for task in tasks}
    unknown = sorted(set(named or []) - known)
    if unknown:
        raise invalid_parameter(f"The job has no task {', '.join(unknown)}.")
    again = set(named or [])
    if all_failed or not again:
        good = ("SUCCESS", "EXCLUDED")
        again |= {
            entry["task_key"]
            for entry in run["tasks"]
            if entry["state"].get("result_state") not in good
        }
    again |= known - {entry["task_key"] for entry in run["tasks"]}
    if dependents:
        again |= graph.dependents(tasks, again)
    if not again:
        raise invalid_state(f"All tasks of run {run['run_id']} succeeded; name those to run again.")
    return again
