"""Job runs as the Jobs API 2.2 shows them, kept in the Store at every change."""

from __future__ import annotations

import copy
import threading
import time
from typing import Any

from emulator.settings import USER_NAME
from emulator.store import Store

Document = dict[str, Any]
FINAL = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")
SETTING_KEYS = (
    "task_key",
    "description",
    "depends_on",
    "run_if",
    "environment_key",
    "libraries",
    "max_retries",
    "min_retry_interval_millis",
    "retry_on_timeout",
    "timeout_seconds",
    "disable_auto_optimization",
    "notebook_task",
    "python_wheel_task",
    "spark_python_task",
    "sql_task",
    "pipeline_task",
    "run_job_task",
    "condition_task",
    "for_each_task",
)
_CODES = {
    "SUCCESS": ("SUCCESS", "SUCCESS"),
    "SUCCESS_WITH_FAILURES": ("SUCCESS_WITH_FAILURES", "SUCCESS"),
    "FAILED": ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
    "TIMEDOUT": ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
    "CANCELED": ("USER_CANCELED", "CLIENT_ERROR"),
    "MAXIMUM_CONCURRENT_RUNS_REACHED": ("MAX_CONCURRENT_RUNS_EXCEEDED", "CLIENT_ERROR"),
    "UPSTREAM_FAILED": ("SKIPPED", "CLIENT_ERROR"),
    "UPSTREAM_CANCELED": ("SKIPPED", "CLIENT_ERROR"),
    "EXCLUDED": ("SKIPPED", "SUCCESS"),
}
_STATUS = {"WAITING_FOR_RETRY": "WAITING"}


def now_ms() -> int:
    return int(time.time() * 1000)


def set_state(
    item: Document, life_cycle: str, result: str | None = None, message: str = ""
) -> None:
    """Write both forms of the state: ``state`` and the newer ``status``."""
    item["state"] = {"life_cycle_state": life_cycle, "state_message": message}
    if result:
        item["state"]["result_state"] = result
    canceled = result in ("CANCELED", "TIMEDOUT")
    item["state"]["user_cancelled_or_timedout"] = canceled
    if life_cycle not in FINAL:
        item["status"] = {"state": _STATUS.get(life_cycle, life_cycle)}
        return
    code, kind = _CODES.get(result or "", ("INTERNAL_ERROR", "INTERNAL_ERROR"))
    details = {"code": code, "type": kind, "message": message}
    item["status"] = {"state": "TERMINATED", "termination_details": details}


def set_ended(item: Document) -> None:
    """Write end and durations; the parts add up to the whole."""
    item["end_time"] = now_ms()
    item["run_duration"] = item["end_time"] - item["start_time"]
    item["execution_duration"] = item["run_duration"] - item["setup_duration"]


def is_final(item: Document) -> bool:
    return item["state"]["life_cycle_state"] in FINAL


class RunRecord:
    """One run's document; every change is written at once, whole, under a lock."""

    def __init__(self, store: Store, document: Document) -> None:
        self._store = store
        self._document = document
        self._lock = threading.RLock()
        self.save()

    @property
    def run_id(self) -> int:
        return int(self._document["run_id"])

    def read(self) -> Document:
        with self._lock:
            return copy.deepcopy(self._document)

    def save(self) -> None:
        with self._lock:
            self._store.put("run", str(self._document["run_id"]), self._document)

    def set_state(self, life_cycle: str, result: str | None = None, message: str = "") -> None:
        with self._lock:
            set_state(self._document, life_cycle, result, message)
            if life_cycle in FINAL:
                set_ended(self._document)
            self.save()

    def update(self, **fields: Any) -> None:
        with self._lock:
            self._document.update(fields)
            self.save()

    def put_task(self, entry: Document) -> None:
        """Add the task's entry, or replace the one with its key by this newer attempt."""
        with self._lock:
            tasks = self._document["tasks"]
            for position, other in enumerate(tasks):
                if other["task_key"] == entry["task_key"]:
                    tasks[position] = copy.deepcopy(entry)
                    break
            else:
                tasks.append(copy.deepcopy(entry))
            self.save()


def new_run(
    store: Store,
    job: Document,
    *,
    parameters: list[dict[str, str]],
    url: str,
    trigger: str,
    overriding: dict[str, str] | None,
) -> Document:
    """The document of a run that has not begun."""
    job_id, settings = str(job["job_id"]), job["settings"]
    run_id = store.next_id("run")
    document: Document = {
        "job_id": int(job_id),
        "run_id": run_id,
        "job_run_id": run_id,
        "original_attempt_run_id": run_id,
        "number_in_job": run_id,
        "creator_user_name": USER_NAME,
        "run_name": settings.get("name", f"job {job_id}"),
        "run_page_url": f"{url}/jobs/{job_id}/runs/{run_id}",
        "run_type": "JOB_RUN",
        "format": "MULTI_TASK",
        "trigger": trigger,
        "start_time": now_ms(),
        "setup_duration": 0,
        "execution_duration": 0,
        "cleanup_duration": 0,
        "queue_duration": 0,
        "end_time": 0,
        "attempt_number": 0,
        "job_parameters": parameters,
        "overriding_parameters": {"job_parameters": overriding} if overriding else {},
        "tasks": [],
    }
    set_state(document, "PENDING")
    return document


def new_task_entry(
    store: Store, run: Document, task: Document, *, attempt: int, state: str = "PENDING"
) -> Document:
    """A task's entry in its run: its settings, an id of its own, and no end yet."""
    task_run_id = store.next_id("run")
    entry: Document = {key: task[key] for key in SETTING_KEYS if key in task}
    entry.update(
        run_id=task_run_id,
        run_if=task.get("run_if", "ALL_SUCCESS"),
        attempt_number=attempt,
        start_time=now_ms(),
        setup_duration=0,
        execution_duration=0,
        cleanup_duration=0,
        end_time=0,
        run_page_url=f"{run['run_page_url'].rpartition('/')[0]}/{task_run_id}",
    )
    set_state(entry, state)
    return entry
