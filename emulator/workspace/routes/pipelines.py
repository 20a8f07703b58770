"""Pipelines API: the specification is kept as sent; PipelineRunner runs updates."""

from __future__ import annotations

import uuid
from typing import Any

from fastapi import APIRouter

from emulator.compute.pipeline_updates import ENDED, event_stream
from emulator.errors import ApiError, invalid_parameter, not_found
from emulator.settings import USER_NAME
from emulator.workspace.context import Here, Workspace
from emulator.workspace.values import Document, JsonBody, now_ms, required, whole_number, without

router = APIRouter()
API = "/api/2.0/pipelines"
KIND = "pipeline"  # document: as GET gives it
_NOT_SPEC = ("allow_duplicate_names", "dry_run", "expected_last_modified", "pipeline_id", "id")


def pipeline_of(here: Workspace, pipeline_id: str) -> Document:
    document = here.store.get(KIND, pipeline_id)
    if document is None:
        raise not_found(f"The specified pipeline {pipeline_id} was not found.")
    return document


def _save(here: Workspace, document: Document, body: Document) -> None:
    spec = without(body, *_NOT_SPEC)
    name = required(spec, "name")
    for other in here.store.find(KIND, name=name):
        same = other["pipeline_id"] == document["pipeline_id"]
        if not same and not body.get("allow_duplicate_names"):
            raise ApiError(
                409,
                "RESOURCE_CONFLICT",
                f"The pipeline name '{name}' is already used by another pipeline.",
            )
    identity = document["pipeline_id"]
    saved = {**document, "name": name, "spec": {**spec, "id": identity}}
    saved["last_modified"] = now_ms()
    here.store.put(KIND, identity, saved)


@router.post(API)
def create(here: Here, body: JsonBody) -> Document:
    if body.get("dry_run"):
        raise invalid_parameter("dry_run: this workspace does not validate pipelines.")
    pipeline_id = str(uuid.uuid4())
    document = {
        "pipeline_id": pipeline_id,
        "state": "IDLE",
        "health": "HEALTHY",
        "creator_user_name": USER_NAME,
        "run_as_user_name": USER_NAME,
    }
    _save(here, document, body)
    return {"pipeline_id": pipeline_id}


@router.get(API)
def list_pipelines(here: Here) -> Document:
    return {"statuses": [without(_shown(here, d), "spec") for d in here.store.find(KIND)]}


@router.get(f"{API}/{{pipeline_id}}")
def get(here: Here, pipeline_id: str) -> Document:
    return _shown(here, pipeline_of(here, pipeline_id))


@router.put(f"{API}/{{pipeline_id}}")
def edit(here: Here, pipeline_id: str, body: JsonBody) -> Document:
    _save(here, pipeline_of(here, pipeline_id), body)
    return {}


@router.delete(f"{API}/{{pipeline_id}}")
def delete(here: Here, pipeline_id: str) -> Document:
    pipeline_of(here, pipeline_id)
    here.store.delete(KIND, pipeline_id)
    return {}


def _updates(here: Workspace, pipeline_id: str) -> list[Document]:
    """The pipeline's updates, the newest first."""
    return list(reversed(here.store.find("pipeline_update", pipeline_id=pipeline_id)))


def _shown(here: Workspace, document: Document) -> Document:
    updates = _updates(here, document["pipeline_id"])
    if not updates:
        return document
    running = updates[0]["state"] not in ENDED
    latest = [
        {
            "update_id": update["update_id"],
            "state": update["state"],
            "creation_time": str(update.get("creation_time", "")),
        }
        for update in updates[:5]
    ]
    return {**document, "state": "RUNNING" if running else "IDLE", "latest_updates": latest}


@router.post(f"{API}/{{pipeline_id}}/updates")
def start_update(here: Here, pipeline_id: str, body: JsonBody) -> Document:
    pipeline_of(here, pipeline_id)
    update_id = here.pipelines.start_update(
        pipeline_id,
        full_refresh=bool(body.get("full_refresh")),
        refresh_selection=body.get("refresh_selection"),
        cause=body.get("cause") or "API_CALL",
        full_refresh_selection=body.get("full_refresh_selection"),
    )
    return {"update_id": update_id}


@router.get(f"{API}/{{pipeline_id}}/updates")
def list_updates(here: Here, pipeline_id: str, max_results: int = 25) -> Document:
    pipeline_of(here, pipeline_id)
    ids = [update["update_id"] for update in _updates(here, pipeline_id)[:max_results]]
    return {"updates": [here.pipelines.get_update(pipeline_id, update) for update in ids]}


@router.get(f"{API}/{{pipeline_id}}/updates/{{update_id}}")
def get_update(here: Here, pipeline_id: str, update_id: str) -> Document:
    pipeline_of(here, pipeline_id)
    return {"update": here.pipelines.get_update(pipeline_id, update_id)}


@router.post(f"{API}/{{pipeline_id}}/stop")
def stop(here: Here, pipeline_id: str) -> Document:
    pipeline_of(here, pipeline_id)
    here.pipelines.stop(pipeline_id)
    return {}


@router.get(f"{API}/{{pipeline_id}}/events")
def events(
    here: Here, pipeline_id: str, max_results: int = 25, page_token: str | None = None
) -> Document:
    """The newest first, as Databricks orders them."""
    pipeline_of(here, pipeline_id)
    found: list[dict[str, Any]] = list(reversed(here.store.events(event_stream(pipeline_id))))
    start = whole_number(page_token or 0, "page_token")
    page: Document = {
        "events": [without(event, "number") for event in found[start : start + max_results]]
    }
    if start + max_results < len(found):
        page["next_page_token"] = str(start + max_results)
    return page
