"""Jobs API 2.1 and 2.2: settings are kept as sent; JobRunner runs them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter

from emulator.errors import invalid_parameter, not_found
from emulator.settings import USER_NAME
from emulator.workspace.context import Here, Workspace
from emulator.workspace.values import Document, JsonBody, now_ms, required, whole_number

router = APIRouter()
KIND = "job"  # document: as jobs/get gives it
FIRST_ID = 10**12
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
LISTS_BY_KEY = {
    "tasks": "task_key",
    "job_clusters": "job_cluster_key",
    "environments": "environment_key",
    "parameters": "name",
}


def _route(verb: str, path: str) -> Callable[[Endpoint], Endpoint]:
    def add(endpoint: Endpoint) -> Endpoint:
        for version in ("2.1", "2.2"):
            router.add_api_route(f"/api/{version}/jobs/{path}", endpoint, methods=[verb])
        return endpoint

    return add


def job_of(here: Workspace, job_id: Any) -> Document:
    document = here.store.get(KIND, str(whole_number(job_id, "job_id")))
    if document is None:
        raise not_found(f"Job {job_id} does not exist.")
    return document


def _save(here: Workspace, document: Document) -> None:
    _check(document["settings"])
    here.store.put(KIND, str(document["job_id"]), document)


def _check(settings: Document) -> None:
    keys = [task.get("task_key") for task in settings.get("tasks") or []]
    if None in keys or "" in keys:
        raise invalid_parameter("Every task needs a task_key.")
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise invalid_parameter(f"Duplicate task keys: {', '.join(twice)}.")
    environments = {e.get("environment_key") for e in settings.get("environments") or []}
    for task in settings.get("tasks") or []:
        for dependency in task.get("depends_on") or []:
            if dependency.get("task_key") not in keys:
                raise invalid_parameter(
                    f"Task {task['task_key']} depends on {dependency.get('task_key')}, "
                    "which is not a task of this job."
                )
        environment = task.get("environment_key")
        if environment and environment not in environments:
            raise invalid_parameter(
                f"Task {task['task_key']} has environment_key {environment}, "
                "which is not an environment of this job."
            )


@_route("POST", "create")
def create(here: Here, body: JsonBody) -> Document:
    settings = {k: v for k, v in body.items() if k != "access_control_list"}
    settings.setdefault("name", "Untitled")
    job_id = FIRST_ID + here.store.next_id(KIND)
    document = {
        "job_id": job_id,
        "creator_user_name": USER_NAME,
        "run_as_user_name": USER_NAME,
        "created_time": now_ms(),
        "settings": settings,
    }
    _save(here, document)
    return {"job_id": job_id}


@_route("GET", "get")
def get(here: Here, job_id: str) -> Document:
    return job_of(here, job_id)


@_route("GET", "list")
def list_jobs(
    here: Here, name: str | None = None, limit: int = 20, page_token: str | None = None
) -> Document:
    found = [d for d in here.store.find(KIND) if _is_named(d, name)]
    start = whole_number(page_token or 0, "page_token")
    page: Document = {"jobs": found[start : start + limit]}
    if start + limit < len(found):
        page["next_page_token"] = str(start + limit)
    page["has_more"] = "next_page_token" in page
    return page


def _is_named(job: Document, name: str | None) -> bool:
    return name is None or str(job["settings"]["name"]).lower() == name.lower()


@_route("POST", "reset")
def reset(here: Here, body: JsonBody) -> Document:
    document = job_of(here, required(body, "job_id"))
    _save(here, {**document, "settings": required(body, "new_settings")})
    return {}


@_route("POST", "update")
def update(here: Here, body: JsonBody) -> Document:
    document = job_of(here, required(body, "job_id"))
    settings = _merged(document["settings"], body.get("new_settings") or {})
    for path in body.get("fields_to_remove") or []:
        _remove(settings, path.split("/"))
    _save(here, {**document, "settings": settings})
    return {}


def _merged(old: Document, new: Document) -> Document:
    result = copy.deepcopy(old)
    for name, value in new.items():
        key = LISTS_BY_KEY.get(name)
        if key is None or not result.get(name):
            result[name] = value
            continue
        entries = {entry.get(key): entry for entry in result[name]}
        entries.update({entry.get(key): entry for entry in value})
        result[name] = list(entries.values())
    return result


def _remove(settings: Document, path: list[str]) -> None:
    field = path[0]
    if len(path) == 1:
        settings.pop(field, None)
    elif field in LISTS_BY_KEY:
        key = LISTS_BY_KEY[field]
        settings[field] = [e for e in settings.get(field, []) if e.get(key) != path[1]]
    elif isinstance(settings.get(field), dict):
        _remove(settings[field], path[1:])


@_route("POST", "delete")
def delete(here: Here, body: JsonBody) -> Document:
    document = job_of(here, required(body, "job_id"))
    here.store.delete(KIND, str(document["job_id"]))
    return {}


@_route("POST", "run-now")
def run_now(here: Here, body: JsonBody) -> Document:
    document = job_of(here, required(body, "job_id"))
    unknown = {"notebook_params", "python_params", "jar_params", "spark_submit_params"} & set(body)
    if unknown:
        raise invalid_parameter(f"{', '.join(sorted(unknown))}: use job_parameters.")
    run_id = here.jobs.run_now(
        str(document["job_id"]),
        job_parameters=body.get("job_parameters"),
        idempotency_token=body.get("idempotency_token"),
    )
    return {"run_id": run_id, "number_in_job": run_id}


@_route("GET", "runs/get")
def get_run(here: Here, run_id: str) -> Document:
    return here.jobs.get(whole_number(run_id, "run_id"))


@_route("GET", "runs/list")
def list_runs(
    here: Here,
    job_id: str | None = None,
    active_only: bool = False,
    completed_only: bool = False,
    limit: int = 25,
    page_token: str | None = None,
) -> Document:
    if active_only and completed_only:
        raise invalid_parameter("Only one of active_only and completed_only may be true.")
    wanted = str(whole_number(job_id, "job_id")) if job_id else None
    found = here.jobs.list(wanted, active_only=active_only, completed_only=completed_only)
    start = whole_number(page_token or 0, "page_token")
    page: Document = {"runs": found[start : start + limit]}
    if start + limit < len(found):
        page["next_page_token"] = str(start + limit)
    page["has_more"] = "next_page_token" in page
    return page


@_route("POST", "runs/cancel")
def cancel_run(here: Here, body: JsonBody) -> Document:
    here.jobs.cancel(whole_number(required(body, "run_id"), "run_id"))
    return {}


@_route("POST", "runs/cancel-all")
def cancel_all_runs(here: Here, body: JsonBody) -> Document:
    job = job_of(here, required(body, "job_id"))
    here.jobs.cancel_all(str(job["job_id"]))
    return {}


@_route("GET", "runs/get-output")
def run_output(here: Here, run_id: str) -> Document:
    return here.jobs.output(whole_number(run_id, "run_id"))


@_route("POST", "runs/repair")
def repair_run(here: Here, body: JsonBody) -> Document:
    repair_id = here.jobs.repair(
        whole_number(required(body, "run_id"), "run_id"),
        body.get("rerun_tasks"),
        rerun_all_failed_tasks=bool(body.get("rerun_all_failed_tasks")),
        rerun_dependent_tasks=bool(body.get("rerun_dependent_tasks")),
    )
    return {"repair_id": repair_id}
