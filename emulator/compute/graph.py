"""The task graph of a job: is it sound, and may a task run given how the ones before it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from emulator.errors import invalid_parameter

Task = dict[str, Any]
Standing = Literal["ok", "failed", "canceled", "excluded"]

RUN_IF = (
    "ALL_SUCCESS",
    "AT_LEAST_ONE_SUCCESS",
    "NONE_FAILED",
    "ALL_DONE",
    "AT_LEAST_ONE_FAILED",
    "ALL_FAILED",
)
_FAILED = {"FAILED", "TIMEDOUT", "UPSTREAM_FAILED"}
_CANCELED = {"CANCELED", "UPSTREAM_CANCELED"}
_OK = {"SUCCESS", "SUCCESS_WITH_FAILURES"}


@dataclass(frozen=True)
class Outcome:
    """How a task ended; ``condition`` is "true" or "false" for a condition task."""

    result_state: str
    condition: str | None = None


def check_graph(tasks: list[Task]) -> None:
    """ApiError 400 for doubled keys, unknown dependencies, unknown run_if values and cycles."""
    keys = [task["task_key"] for task in tasks]
    doubled = sorted({key for key in keys if keys.count(key) > 1})
    if doubled:
        raise invalid_parameter(f"Task keys are not unique: {', '.join(doubled)}")
    for task in tasks:
        for upstream in upstream_keys(task):
            if upstream not in keys:
                raise invalid_parameter(
                    f"Task {task['task_key']!r} depends on the unknown task {upstream!r}"
                )
        if task.get("run_if", "ALL_SUCCESS") not in RUN_IF:
            raise invalid_parameter(
                f"Task {task['task_key']!r}: run_if {task['run_if']!r} is none of {RUN_IF}"
            )
    _refuse_cycles(tasks)


def upstream_keys(task: Task) -> list[str]:
    return [dependency["task_key"] for dependency in task.get("depends_on") or []]


def dependents(tasks: list[Task], keys: set[str]) -> set[str]:
    """All tasks that depend on these, directly or through others."""
    found: set[str] = set()
    while True:
        more = {
            task["task_key"]
            for task in tasks
            if task["task_key"] not in found
            and any(key in keys | found for key in upstream_keys(task))
        }
        if not more:
            return found
        found |= more


def skip_state(task: Task, outcomes: Mapping[str, Outcome]) -> str | None:
    """None when the task runs; else the result state that it gets without running."""
    standings = [
        _standing(dependency, outcomes[dependency["task_key"]])
        for dependency in task.get("depends_on") or []
    ]
    if not standings or _satisfied(task.get("run_if", "ALL_SUCCESS"), standings):
        return None
    if task.get("run_if") in ("AT_LEAST_ONE_FAILED", "ALL_FAILED"):
        return "EXCLUDED"
    if "failed" in standings:
        return "UPSTREAM_FAILED"
    return "UPSTREAM_CANCELED" if "canceled" in standings else "EXCLUDED"


def run_result(tasks: list[Task], outcomes: Mapping[str, Outcome]) -> str:
    """The run's result state: what its last tasks say, and whether any other one failed."""
    inner = {key for task in tasks for key in upstream_keys(task)}
    last = {outcomes[t["task_key"]].result_state for t in tasks if t["task_key"] not in inner}
    everything = {outcome.result_state for outcome in outcomes.values()}
    if last & _FAILED:
        return "FAILED"
    if last & _CANCELED:
        return "CANCELED"
    return "SUCCESS_WITH_FAILURES" if everything & _FAILED else "SUCCESS"


def _standing(dependency: Task, outcome: Outcome) -> Standing:
    wanted = dependency.get("outcome")
    if outcome.result_state in _FAILED:
        return "failed"
    if outcome.result_state in _CANCELED:
        return "canceled"
    if outcome.result_state not in _OK:
        return "excluded"
    return "excluded" if wanted is not None and wanted != outcome.condition else "ok"


def _satisfied(run_if: str, standings: list[Standing]) -> bool:
    executed = any(standing != "excluded" for standing in standings)
    checks = {
        "ALL_SUCCESS": all(s == "ok" for s in standings),
        "AT_LEAST_ONE_SUCCESS": "ok" in standings,
        "NONE_FAILED": executed and "failed" not in standings and "canceled" not in standings,
        "ALL_DONE": executed,
        "AT_LEAST_ONE_FAILED": "failed" in standings,
        "ALL_FAILED": all(s == "failed" for s in standings),
    }
    return checks[run_if]


def _refuse_cycles(tasks: list[Task]) -> None:
    waiting = {task["task_key"]: set(upstream_keys(task)) for task in tasks}
    while waiting:
        free = [key for key, upstream in waiting.items() if not upstream & waiting.keys()]
        if not free:
            raise invalid_parameter(f"Tasks depend on each other: {', '.join(sorted(waiting))}")
        for key in free:
            del waiting[key]
