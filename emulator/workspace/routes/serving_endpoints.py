"""Serving endpoints: their configuration, and the requests that they answer."""

from __future__ import annotations

import json
import secrets

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from emulator.errors import ApiError, not_found
from emulator.services.serving.config import check_gateway, complete
from emulator.services.serving.manager import KIND
from emulator.settings import USER_NAME
from emulator.workspace.context import Here, Workspace
from emulator.workspace.routes.models import model_of
from emulator.workspace.values import Document, JsonBody, now_ms, required

router = APIRouter()
API = "/api/2.0/serving-endpoints"
_KEPT = ("tags", "description", "ai_gateway", "budget_policy_id", "route_optimized",
         "email_notifications", "rate_limits")  # fmt: skip


def endpoint_of(here: Workspace, name: str) -> Document:
    document = here.store.get(KIND, name)
    if document is None:
        raise not_found(f"The endpoint with name '{name}' does not exist.")
    return document


def _save(here: Workspace, document: Document) -> Document:
    saved = {**document, "last_updated_timestamp": now_ms()}
    here.store.put(KIND, document["name"], saved)
    return saved


def _with_pending(here: Workspace, document: Document, body: Document) -> Document:
    if document["state"]["config_update"] == "IN_PROGRESS":
        raise ApiError(
            409, "RESOURCE_CONFLICT", f"Endpoint '{document['name']}' is currently updating."
        )
    version = (document.get("config") or {}).get("config_version", 0) + 1
    config = complete(body, version)
    for entity in config["served_entities"]:
        full_name = model_of(here, entity["entity_name"])["full_name"]
        here.mlflow.version(full_name, entity["entity_version"])
    state = {"ready": document["state"]["ready"], "config_update": "IN_PROGRESS"}
    return {**document, "pending_config": config, "state": state}


@router.post(API)
def create(here: Here, body: JsonBody) -> Document:
    name = str(required(body, "name"))
    if here.store.get(KIND, name) is not None:
        raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"Endpoint '{name}' already exists.")
    check_gateway(body)
    document = {
        "name": name,
        "id": secrets.token_hex(16),
        "creator": USER_NAME,
        "creation_timestamp": now_ms(),
        "state": {"ready": "NOT_READY", "config_update": "NOT_UPDATING"},
        "permission_level": "CAN_MANAGE",
        **{field: body[field] for field in _KEPT if body.get(field) is not None},
    }
    if body.get("config"):
        document = _with_pending(here, document, body["config"])
    saved = _save(here, document)
    here.serving.apply(name)
    return saved


@router.get(API)
def list_endpoints(here: Here) -> Document:
    return {"endpoints": here.store.find(KIND)}


@router.get(f"{API}/{{name}}")
def get(here: Here, name: str) -> Document:
    return endpoint_of(here, name)


@router.delete(f"{API}/{{name}}")
def delete(here: Here, name: str) -> Document:
    endpoint_of(here, name)
    here.store.delete(KIND, name)
    here.serving.remove(name)
    return {}


@router.put(f"{API}/{{name}}/config")
def update_config(here: Here, name: str, body: JsonBody) -> Document:
    saved = _save(here, _with_pending(here, endpoint_of(here, name), body))
    here.serving.apply(name)
    return saved


@router.patch(f"{API}/{{name}}/tags")
def update_tags(here: Here, name: str, body: JsonBody) -> list[Document]:
    document = endpoint_of(here, name)
    tags = {tag["key"]: tag for tag in document.get("tags") or []}
    tags.update({tag["key"]: tag for tag in body.get("add_tags") or []})
    for key in body.get("delete_tags") or []:
        tags.pop(key, None)
    _save(here, {**document, "tags": list(tags.values())})
    return list(tags.values())


@router.put(f"{API}/{{name}}/ai-gateway")
def update_gateway(here: Here, name: str, body: JsonBody) -> Document:
    document = endpoint_of(here, name)
    check_gateway(body)
    _save(here, {**document, "ai_gateway": body})
    return body


@router.patch(f"{API}/{{name}}/notifications")
def update_notifications(here: Here, name: str, body: JsonBody) -> Document:
    document = endpoint_of(here, name)
    _save(here, {**document, "email_notifications": body.get("email_notifications")})
    return {"name": name, "email_notifications": body.get("email_notifications")}


@router.get(f"{API}/{{name}}/served-models/{{entity}}/logs")
def logs(here: Here, name: str, entity: str) -> Document:
    endpoint_of(here, name)
    return {"logs": here.serving.logs(name, entity)}


@router.post("/serving-endpoints/{name}/invocations")
async def invoke(here: Here, request: Request, name: str) -> Response:
    content = await request.body()
    serving = here.serving
    url = await run_in_threadpool(serving.scorer, name)
    content_type = request.headers.get("content-type", "application/json")
    answer = await serving.ask(name, url, content, content_type)
    if answer.is_success:
        return Response(answer.content, media_type="application/json")
    return JSONResponse(_error(answer.text), status_code=answer.status_code)


def _error(text: str) -> Document:
    try:
        sent = json.loads(text)
    except ValueError:
        return {"error_code": "BAD_REQUEST", "message": text}
    message = sent.get("message") or sent.get("detail") or text
    return {"error_code": sent.get("error_code", "BAD_REQUEST"), "message": str(message)}
