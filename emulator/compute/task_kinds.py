"""From a task's settings to what its process is to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.compute.spec import Kind, TaskSpec
from emulator.store import Store

Task = dict[str, Any]

PROCESS_KINDS: dict[str, Kind] = {
    "notebook_task": "notebook",
    "python_wheel_task": "python_wheel",
    "spark_python_task": "spark_python",
    "sql_task": "sql",
}
CONTROL_KINDS = ("condition_task", "run_job_task", "for_each_task", "pipeline_task")


class TaskSettingsError(ValueError):
    """The task's settings cannot be run; the message says which and why."""


def kind_of(task: Task) -> str:
    """The one ``*_task`` key that the task has."""
    found = [key for key in task if key.endswith("_task") and task[key] is not None]
    if len(found) != 1:
        have = ", ".join(found) or "none"
        raise TaskSettingsError(f"task {task['task_key']} needs exactly one kind; it has: {have}")
    if found[0] not in PROCESS_KINDS and found[0] not in CONTROL_KINDS:
        raise TaskSettingsError(f"task {task['task_key']}: {found[0]} does not run in the emulator")
    return found[0]


def process_spec(
    task: Task,
    settings: Task,
    store: Store,
    *,
    task_run_id: int,
    job_parameters: Mapping[str, str],
    task_values: dict[str, dict[str, Any]],
    repeats: bool,
) -> TaskSpec:
    """What the task's process runs; ``task`` has its references replaced already."""
    kind = kind_of(task)
    payload = _pushed_down(kind, dict(task[kind]), job_parameters)
    if payload.get("source") == "GIT":
        raise TaskSettingsError(f"task {task['task_key']}: source GIT does not run in the emulator")
    if kind == "sql_task":
        payload = _sql_payload(payload, store, task["task_key"])
    return TaskSpec(
        kind=PROCESS_KINDS[kind],
        payload=payload,
        task_run_id=str(task_run_id),
        task_key=task["task_key"],
        dependencies=_dependencies(task, kind, settings),
        task_values=task_values,
        in_job=True,
        repeats=repeats,
        timeout_seconds=int(task.get("timeout_seconds") or 0),
    )


def _pushed_down(kind: str, payload: Task, job_parameters: Mapping[str, str]) -> Task:
    """Job parameters reach tasks that take parameters by name, and win over the task's own."""
    target = {
        "notebook_task": "base_parameters",
        "python_wheel_task": "named_parameters",
        "sql_task": "parameters",
    }.get(kind)
    takes_names = kind != "python_wheel_task" or payload.get("named_parameters") is not None
    if target and takes_names and job_parameters:
        payload[target] = {**(payload.get(target) or {}), **job_parameters}
    return payload


def _sql_payload(payload: Task, store: Store, task_key: str) -> Task:
    parameters = payload.get("parameters") or {}
    if payload.get("file"):
        return {"path": payload["file"]["path"], "parameters": parameters}
    if payload.get("query"):
        query = store.get("queries", payload["query"]["query_id"])
        if query is None:
            raise TaskSettingsError(f"task {task_key}: no query {payload['query']['query_id']}")
        return {"text": query["query_text"], "parameters": parameters}
    have = ", ".join(sorted(payload))
    raise TaskSettingsError(f"task {task_key}: sql_task needs file or query; it has: {have}")


def _dependencies(task: Task, kind: str, settings: Task) -> list[str]:
    libraries = [_library(library, task) for library in task.get("libraries") or []]
    key = task.get("environment_key")
    if key is None:
        if kind in ("python_wheel_task", "spark_python_task") and not libraries:
            raise TaskSettingsError(
                f"task {task['task_key']}: on serverless compute {kind} needs an environment_key"
            )
        return libraries
    for environment in settings.get("environments") or []:
        if environment["environment_key"] == key:
            return [*environment["spec"].get("dependencies", []), *libraries]
    raise TaskSettingsError(f"task {task['task_key']}: the job has no environment {key!r}")


def _library(library: Task, task: Task) -> str:
    if "whl" in library:
        return str(library["whl"])
    if "pypi" in library:
        return str(library["pypi"]["package"])
    raise TaskSettingsError(f"task {task['task_key']}: library {library} does not run here")
