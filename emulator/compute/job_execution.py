"""One run of a job: starts tasks when those before them allow it, until all have ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from emulator.compute import graph
from emulator.compute.graph import Outcome
from emulator.compute.manager import Compute
from emulator.compute.parameters import Scope, job_values
from emulator.compute.pipeline_updates import PipelineRunner
from emulator.compute.runs import Document, RunRecord, new_task_entry, set_ended, set_state
from emulator.compute.task_attempt import TaskAttempt, TaskEnd, keep_attempt
from emulator.settings import WORKSPACE_ID
from emulator.store import Store

POLL_SECONDS = 0.2


class ChildRuns(Protocol):
    """How a run_job task starts, watches and cancels another job's run."""

    def start(self, job_id: str, parameters: dict[str, str], parent: JobExecution) -> int: ...
    def get(self, run_id: int) -> Document: ...
    def cancel(self, run_id: int) -> None: ...


@dataclass(frozen=True)
class Services:
    """What all runs share."""

    compute: Compute
    store: Store
    pipelines: PipelineRunner
    slots: threading.Semaphore
    children: ChildRuns
    workspace_url: Callable[[], str]


class JobExecution:
    """Runs the tasks of one run in threads of its own."""

    def __init__(
        self,
        services: Services,
        job: Document,
        record: RunRecord,
        *,
        depth: int = 0,
        finished: dict[str, Outcome] | None = None,
        values: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        self.services = services
        self.job = job
        self.record = record
        self.depth = depth
        self.settings: Document = job["settings"]
        self.tasks: list[Document] = self.settings.get("tasks") or []
        self.cancel = threading.Event()
        self.cancel_result = "CANCELED"
        self.task_values = dict(values or {})
        self._outcomes: dict[str, Outcome] = dict(finished or {})
        self._messages: dict[str, str] = {}
        self._started: set[str] = set(self._outcomes)
        self._changed = threading.Condition()

    @property
    def parameters(self) -> dict[str, str]:
        rows = self.record.read()["job_parameters"]
        return {row["name"]: row["value"] for row in rows}

    def announce(self) -> None:
        """Show the tasks that are to run, as blocked ones, from the start."""
        run = self.record.read()
        known = {entry["task_key"] for entry in run["tasks"]}
        for task in self.tasks:
            if task["task_key"] not in known:
                entry = new_task_entry(self.services.store, run, task, attempt=0, state="BLOCKED")
                self.record.put_task(entry)
                keep_attempt(self.services.store, run, entry, TaskEnd(""))

    def run(self) -> None:
        """Run to the end. The run's document says how it went."""
        self.record.set_state("RUNNING")
        limit = self.settings.get("timeout_seconds") or 0
        deadline = time.monotonic() + limit if limit else None
        with self._changed:
            while len(self._outcomes) < len(self.tasks):
                self._start_ready()
                self._changed.wait(POLL_SECONDS)
                if deadline is not None and time.monotonic() > deadline:
                    self.cancel_result = "TIMEDOUT"
                    self.cancel.set()
        self._conclude()

    def scope(self, task: Document, entry: Document, item: Any) -> Scope:
        """What ``{{...}}`` means to this attempt of the task."""
        run = self.record.read()
        values = job_values(
            str(run["job_id"]), run["run_name"], run["run_id"], run["start_time"], self.parameters
        )
        values |= {
            "job.trigger.type": run["trigger"].lower(),
            "job.repair_count": len(run.get("repair_history", [])),
            "task.name": task["task_key"],
            "task.run_id": entry["run_id"],
            "task.execution_count": entry["attempt_number"] + 1,
            "workspace.id": WORKSPACE_ID,
            "workspace.url": self.services.workspace_url(),
        }
        for key, outcome in self._outcomes.items():
            values[f"tasks.{key}.result_state"] = outcome.result_state.lower()
        return Scope(values, self.task_values, item)

    def run_task(
        self, task: Document, put: Callable[[Document], None], item: Any = None, first: int = 0
    ) -> TaskEnd:
        """All attempts of one task, or of one iteration of a for-each task."""
        retries = int(task.get("max_retries") or 0)
        attempt = first
        while True:
            end = TaskAttempt(self, task, put, attempt, item).run()
            again = end.result == "FAILED" or (
                end.result == "TIMEDOUT" and task.get("retry_on_timeout", False)
            )
            if not again or self.cancel.is_set() or 0 <= retries <= attempt - first:
                return end
            pause = int(task.get("min_retry_interval_millis") or 0) / 1000
            self.cancel.wait(pause)
            attempt += 1

    def _start_ready(self) -> None:
        for task in self.tasks:
            key = task["task_key"]
            upstream = graph.upstream_keys(task)
            if key in self._started or any(k not in self._outcomes for k in upstream):
                continue
            self._started.add(key)
            skipped = "CANCELED" if self.cancel.is_set() else graph.skip_state(task, self._outcomes)
            if skipped:
                self._skip(task, skipped)
            else:
                name = f"run-{self.record.run_id}-{key}"
                threading.Thread(target=self._run_one, args=(task,), name=name, daemon=True).start()

    def _run_one(self, task: Document) -> None:
        key = task["task_key"]
        before = next(e for e in self.record.read()["tasks"] if e["task_key"] == key)
        first = before["attempt_number"] + (1 if before["end_time"] else 0)
        end = self.run_task(task, self.record.put_task, first=first)
        with self._changed:
            self.task_values[key] = end.task_values
            self._finish(task, Outcome(end.result, end.condition), end.message)

    def _skip(self, task: Document, result: str) -> None:
        message = {
            "UPSTREAM_FAILED": "An upstream task failed.",
            "UPSTREAM_CANCELED": "An upstream task was canceled.",
            "EXCLUDED": "The task's run conditions were not met.",
            "CANCELED": "The run was canceled before this task began.",
        }[result]
        run = self.record.read()
        before = next(e for e in run["tasks"] if e["task_key"] == task["task_key"])
        attempt = before["attempt_number"] + (1 if before["end_time"] else 0)
        entry = new_task_entry(self.services.store, run, task, attempt=attempt)
        set_state(entry, "TERMINATED", result, message)
        set_ended(entry)
        self.record.put_task(entry)
        keep_attempt(self.services.store, run, entry, TaskEnd(result, message))
        self._finish(task, Outcome(result), message)

    def _finish(self, task: Document, outcome: Outcome, message: str) -> None:
        self._outcomes[task["task_key"]] = outcome
        self._messages[task["task_key"]] = message
        self._changed.notify_all()

    def _conclude(self) -> None:
        if self.cancel.is_set():
            message = "The run was canceled."
            if self.cancel_result == "TIMEDOUT":
                message = f"The run did not end within {self.settings['timeout_seconds']} s."
            self.record.set_state("TERMINATED", self.cancel_result, message)
            return
        result = graph.run_result(self.tasks, self._outcomes)
        failed = [k for k, o in self._outcomes.items() if o.result_state in ("FAILED", "TIMEDOUT")]
        message = " ".join(
            f"Task {key} failed with message: {self._messages.get(key, '')}" for key in failed
        )
        self.record.set_state("TERMINATED", result, message)
