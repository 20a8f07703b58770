"""One attempt of one task of a job run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emulator.compute import task_kinds
from emulator.compute.parameters import (
    UnknownReferenceError,
    for_each_inputs,
    holds,
    resolve,
)
from emulator.compute.runs import Document, is_final, new_task_entry, set_ended, set_state
from emulator.errors import ApiError
from emulator.store import Store

if TYPE_CHECKING:
    from emulator.compute.job_execution import JobExecution

logger = logging.getLogger(__name__)
POLL_SECONDS = 0.2
MESSAGE_LENGTH = 2000


@dataclass
class TaskEnd:
    """How an attempt ended ("" while it has not), and what it left."""

    result: str
    message: str = ""
    condition: str | None = None
    value: Any = None
    error: str | None = None
    error_trace: str | None = None
    task_values: dict[str, Any] = field(default_factory=dict)
    child_run_id: int | None = None
    iterations: list[Document] = field(default_factory=list)


class TaskAttempt:
    """Runs the task once and writes its entry as it goes."""

    def __init__(
        self,
        execution: JobExecution,
        task: Document,
        put: Callable[[Document], None],
        number: int,
        item: Any,
    ) -> None:
        self._execution = execution
        self._services = execution.services
        self._task = task
        self._put = put
        self._item = item
        run = execution.record.read()
        self._entry = new_task_entry(self._services.store, run, task, attempt=number)
        limit = int(task.get("timeout_seconds") or 0)
        self._deadline = time.monotonic() + limit if limit else None

    def run(self) -> TaskEnd:
        self._show(TaskEnd(""))
        try:
            end = self._run()
        except (task_kinds.TaskSettingsError, UnknownReferenceError, ApiError) as error:
            end = TaskEnd("FAILED", str(error), error=str(error))
        except Exception as error:  # a thread's error would be lost, and its run would never end
            logger.exception("task %s of run %s", self._task["task_key"], self._entry["run_id"])
            text = f"The emulator failed: {type(error).__name__}: {error}"
            end = TaskEnd("FAILED", text, error=text)
        self._settle(end)
        self._show(end)
        return end

    def _show(self, end: TaskEnd) -> None:
        keep_attempt(self._services.store, self._execution.record.read(), self._entry, end)
        self._put(self._entry)

    def _run(self) -> TaskEnd:
        kind = task_kinds.kind_of(self._task)
        if kind == "for_each_task":
            return self._for_each()
        scope = self._execution.scope(self._task, self._entry, self._item)
        task = {**self._task, kind: resolve(self._task[kind], scope)}
        self._entry[kind] = task[kind]
        if kind == "condition_task":
            return self._condition(task[kind])
        if kind == "run_job_task":
            return self._run_job(task[kind])
        return self._in_slot(lambda: self._process_or_pipeline(kind, task))

    def _process_or_pipeline(self, kind: str, task: Document) -> TaskEnd:
        return self._pipeline(task[kind]) if kind == "pipeline_task" else self._process(task)

    def _process(self, task: Document) -> TaskEnd:
        spec = task_kinds.process_spec(
            task,
            self._execution.settings,
            self._services.store,
            task_run_id=self._entry["run_id"],
            job_parameters=self._execution.parameters,
            task_values=dict(self._execution.task_values),
            repeats=self._has_succeeded(),
        )
        result = self._services.compute.run_task(spec, cancel=self._execution.cancel)
        return TaskEnd(
            result.status,
            (result.error or "")[:MESSAGE_LENGTH],
            value=result.value,
            error=result.error,
            error_trace=result.error_trace,
            task_values=result.task_values,
        )

    def _has_succeeded(self) -> bool:
        """Whether this task of the job has ended well in an earlier run."""
        job_id = self._execution.record.read()["job_id"]
        entries = (run["entry"] for run in self._services.store.find("task_run", job_id=job_id))
        return any(
            entry["task_key"] == self._task["task_key"]
            and entry["state"].get("result_state") == "SUCCESS"
            for entry in entries
        )

    def _condition(self, condition: Document) -> TaskEnd:
        outcome = holds(condition["op"], str(condition["left"]), str(condition["right"]))
        text = "true" if outcome else "false"
        self._entry["condition_task"] = {**condition, "outcome": text}
        return TaskEnd("SUCCESS", condition=text)

    def _run_job(self, settings: Document) -> TaskEnd:
        children = self._services.children
        parameters = settings.get("job_parameters") or {}
        self._set_running()
        child = children.start(str(settings["job_id"]), parameters, self._execution)
        run = children.get(child)
        while not is_final(run):
            ended = self._ended_from_outside()
            if ended is not None:
                children.cancel(child)
                ended.child_run_id = child
                return ended
            time.sleep(POLL_SECONDS)
            run = children.get(child)
        state = run["state"]
        if state.get("result_state") in ("SUCCESS", "SUCCESS_WITH_FAILURES"):
            return TaskEnd("SUCCESS", child_run_id=child)
        reason = state["state_message"] or state.get("result_state", state["life_cycle_state"])
        message = f"Run {child} of job {run['run_name']} did not succeed: {reason}"
        return TaskEnd("FAILED", message[:MESSAGE_LENGTH], error=message, child_run_id=child)

    def _pipeline(self, settings: Document) -> TaskEnd:
        pipelines = self._services.pipelines
        pipeline_id = settings["pipeline_id"]
        update_id = pipelines.start_update(
            pipeline_id,
            full_refresh=bool(settings.get("full_refresh")),
            full_refresh_selection=settings.get("full_refresh_selection"),
            refresh_selection=settings.get("refresh_selection"),
            cause="JOB_TASK",
        )
        while not pipelines.wait(pipeline_id, update_id, POLL_SECONDS):
            ended = self._ended_from_outside()
            if ended is not None:
                pipelines.stop(pipeline_id)
                pipelines.wait(pipeline_id, update_id, None)
                return ended
        update = pipelines.get_update(pipeline_id, update_id)
        if update["state"] == "COMPLETED":
            return TaskEnd("SUCCESS")
        message = pipelines.failure(pipeline_id, update_id)
        result = "CANCELED" if update["state"] == "CANCELED" else "FAILED"
        return TaskEnd(result, message[:MESSAGE_LENGTH], error=message)

    def _for_each(self) -> TaskEnd:
        settings = self._task["for_each_task"]
        scope = self._execution.scope(self._task, self._entry, None)
        inputs = for_each_inputs(resolve(settings["inputs"], scope))
        iterations: dict[int, Document] = {}

        def put(position: int, entry: Document) -> None:
            iterations[position] = entry
            self._show_iterations(len(inputs), list(iterations.values()))

        def iterate(position: int) -> TaskEnd:
            return self._execution.run_task(
                settings["task"], lambda entry: put(position, entry), item=inputs[position]
            )

        self._set_running()
        with ThreadPoolExecutor(int(settings.get("concurrency") or 1)) as pool:
            ends = list(pool.map(iterate, range(len(inputs))))
        entries = [iterations[position] for position in sorted(iterations)]
        bad = [end for end in ends if end.result != "SUCCESS"]
        if not bad:
            return TaskEnd("SUCCESS", iterations=entries)
        result = "CANCELED" if all(end.result == "CANCELED" for end in bad) else "FAILED"
        message = f"{len(bad)} of {len(inputs)} iterations did not succeed: {bad[0].message}"
        return TaskEnd(result, message[:MESSAGE_LENGTH], error=message, iterations=entries)

    def _show_iterations(self, total: int, entries: list[Document]) -> None:
        done = [entry for entry in entries if is_final(entry)]
        good = [entry for entry in done if entry["state"].get("result_state") == "SUCCESS"]
        statistics = {
            "total_iterations": total,
            "scheduled_iterations": len(entries),
            "active_iterations": len(entries) - len(done),
            "completed_iterations": len(done),
            "succeeded_iterations": len(good),
            "failed_iterations": len(done) - len(good),
        }
        settings = {**self._task["for_each_task"], "stats": {"task_run_stats": statistics}}
        self._entry["for_each_task"] = settings
        self._show(TaskEnd("", iterations=entries))

    def _in_slot(self, work: Callable[[], TaskEnd]) -> TaskEnd:
        """Wait for one of the few places where work is done, then do it."""
        queued = time.monotonic()
        set_state(self._entry, "QUEUED")
        self._show(TaskEnd(""))
        while not self._services.slots.acquire(timeout=POLL_SECONDS):
            ended = self._ended_from_outside()
            if ended is not None:
                return ended
        try:
            self._entry["queue_duration"] = int((time.monotonic() - queued) * 1000)
            self._set_running()
            return work()
        finally:
            self._services.slots.release()

    def _ended_from_outside(self) -> TaskEnd | None:
        if self._execution.cancel.is_set():
            return TaskEnd(self._execution.cancel_result, "The run was canceled.")
        if self._deadline is not None and time.monotonic() > self._deadline:
            seconds = self._task["timeout_seconds"]
            return TaskEnd("TIMEDOUT", f"The task did not end within {seconds} s.")
        return None

    def _set_running(self) -> None:
        set_state(self._entry, "RUNNING")
        self._show(TaskEnd(""))

    def _settle(self, end: TaskEnd) -> None:
        if end.child_run_id is not None:
            self._entry["run_job_output"] = {"run_id": end.child_run_id}
        set_state(self._entry, "TERMINATED", end.result, end.message)
        set_ended(self._entry)


def keep_attempt(store: Store, run: Document, entry: Document, end: TaskEnd) -> None:
    """Keep what one attempt of a task gave (so far), for runs/get-output."""
    document = {
        "run_id": entry["run_id"],
        "job_run_id": run["run_id"],
        "job_id": run["job_id"],
        "entry": entry,
        "value": end.value,
        "error": end.error,
        "error_trace": end.error_trace,
        "task_values": end.task_values,
        "child_run_id": end.child_run_id,
        "iterations": end.iterations,
    }
    store.put("task_run", str(entry["run_id"]), document)
