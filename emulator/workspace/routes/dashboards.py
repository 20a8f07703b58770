"""Lakeview API: drafts with an etag, published copies, the trash."""

from __future__ import annotations

import hashlib
import json
import uuid

from fastapi import APIRouter

from emulator.errors import ApiError, invalid_parameter, not_found
from emulator.settings import USER_NAME
from emulator.workspace.context import Here, Workspace
from emulator.workspace.values import Document, JsonBody, now_text, required, without

router = APIRouter()
API = "/api/2.0/lakeview/dashboards"
KIND = "dashboard"
PUBLISHED = "published_dashboard"
_DRAFT_FIELDS = ("display_name", "serialized_dashboard", "warehouse_id")
_CREATE_ONLY = ("parent_path", "dataset_catalog", "dataset_schema")


def dashboard_of(here: Workspace, dashboard_id: str) -> Document:
    document = here.store.get(KIND, dashboard_id)
    if document is None:
        raise not_found(f"Unable to find dashboard with ID {dashboard_id}")
    return document


def _check(body: Document) -> None:
    text = body.get("serialized_dashboard")
    if text is None:
        return
    try:
        content = json.loads(text)
    except (TypeError, ValueError) as error:
        raise invalid_parameter(f"serialized_dashboard is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise invalid_parameter("serialized_dashboard must be a JSON object.")


def _save(here: Workspace, document: Document) -> Document:
    content = json.dumps([document.get(field) for field in _DRAFT_FIELDS]).encode()
    etag = str(int.from_bytes(hashlib.sha256(content).digest()[:4], "big"))
    saved = {**document, "etag": etag, "update_time": now_text()}
    here.store.put(KIND, document["dashboard_id"], saved)
    return saved


@router.post(API)
def create(
    here: Here, body: JsonBody, dataset_catalog: str = "", dataset_schema: str = ""
) -> Document:
    _check(body)
    name = required(body, "display_name")
    parent = str(body.get("parent_path") or f"/Users/{USER_NAME}").rstrip("/")
    folder = here.tree.status(parent or "/")["path"].rstrip("/")
    path = f"{folder}/{name}.lvdash.json"
    if any(d["path"] == path for d in _active(here)):
        raise ApiError(409, "ALREADY_EXISTS", f"Node named '{name}.lvdash.json' already exists")
    defaults = {"dataset_catalog": dataset_catalog, "dataset_schema": dataset_schema}
    document = {
        "dashboard_id": uuid.uuid4().hex,
        **{f: body[f] for f in (*_DRAFT_FIELDS, *_CREATE_ONLY) if body.get(f) is not None},
        **{name: value for name, value in defaults.items() if value},
        "parent_path": folder or "/",
        "path": path,
        "create_time": now_text(),
        "lifecycle_state": "ACTIVE",
    }
    return _save(here, document)


def _active(here: Workspace) -> list[Document]:
    return here.store.find(KIND, lifecycle_state="ACTIVE")


@router.get(API)
def list_dashboards(here: Here, show_trashed: bool = False) -> Document:
    found = here.store.find(KIND) if show_trashed else _active(here)
    return {"dashboards": [without(d, "serialized_dashboard", "parent_path") for d in found]}


@router.get(f"{API}/{{dashboard_id}}")
def get(here: Here, dashboard_id: str) -> Document:
    return dashboard_of(here, dashboard_id)


@router.patch(f"{API}/{{dashboard_id}}")
def update(
    here: Here,
    dashboard_id: str,
    body: JsonBody,
    dataset_catalog: str = "",
    dataset_schema: str = "",
) -> Document:
    document = dashboard_of(here, dashboard_id)
    if document["lifecycle_state"] != "ACTIVE":
        raise not_found(f"Unable to find dashboard with ID {dashboard_id}")
    _check(body)
    if body.get("etag") and body["etag"] != document["etag"]:
        raise ApiError(409, "ABORTED", "The dashboard was changed since its etag was read.")
    changes = {field: body[field] for field in _DRAFT_FIELDS if body.get(field) is not None}
    defaults = {"dataset_catalog": dataset_catalog, "dataset_schema": dataset_schema}
    changes.update({name: value for name, value in defaults.items() if value})
    changed = {**document, **changes}
    changed["path"] = f"{document['parent_path'].rstrip('/')}/{changed['display_name']}.lvdash.json"
    return _save(here, changed)


@router.delete(f"{API}/{{dashboard_id}}")
def trash(here: Here, dashboard_id: str) -> Document:
    document = dashboard_of(here, dashboard_id)
    here.store.put(KIND, dashboard_id, {**document, "lifecycle_state": "TRASHED"})
    here.store.delete(PUBLISHED, dashboard_id)
    return {}


@router.post(f"{API}/{{dashboard_id}}/published")
def publish(here: Here, dashboard_id: str, body: JsonBody) -> Document:
    document = dashboard_of(here, dashboard_id)
    published = {
        "dashboard_id": dashboard_id,
        "display_name": document["display_name"],
        "embed_credentials": bool(body.get("embed_credentials", False)),
        "warehouse_id": body.get("warehouse_id") or document.get("warehouse_id"),
        "revision_create_time": now_text(),
    }
    copied = {f: document[f] for f in ("serialized_dashboard", *_CREATE_ONLY) if f in document}
    here.store.put(PUBLISHED, dashboard_id, {**copied, **published})
    return published


@router.get(f"{API}/{{dashboard_id}}/published")
def get_published(here: Here, dashboard_id: str) -> Document:
    document = here.store.get(PUBLISHED, dashboard_id)
    if document is None:
        raise not_found(f"Unable to find published dashboard {dashboard_id}")
    return without(document, "serialized_dashboard", *_CREATE_ONLY)


@router.delete(f"{API}/{{dashboard_id}}/published")
def unpublish(here: Here, dashboard_id: str) -> Document:
    if not here.store.delete(PUBLISHED, dashboard_id):
        raise not_found(f"Unable to find published dashboard {dashboard_id}")
    return {}
