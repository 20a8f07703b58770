"""Who is there: the current user, SCIM groups and users, and what the workspace says of itself."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request

from emulator.errors import invalid_parameter
from emulator.settings import ACCOUNT_ID, METASTORE_ID, USER_NAME, WORKSPACE_ID
from emulator.workspace.context import Here, Workspace
from emulator.workspace.kinds import load_kinds
from emulator.workspace.values import Document, JsonBody

router = APIRouter()

ME_ID = "1000000000000"
SCIM = "/api/2.0/preview/scim/v2"
_FILTER = re.compile(r'^\s*([\w.]+)\s+eq\s+"?([^"]*)"?\s*$', re.IGNORECASE)
_MEMBER = re.compile(r'^(members|roles|entitlements|groups)\[value eq "([^"]+)"\]$')


@router.get("/emulator/v1/health")
def health() -> Document:
    return {"status": "ok"}


@router.get("/.well-known/databricks-config")
def host_metadata(here: Here) -> Document:
    return {
        "oidc_endpoint": f"{here.url}/oidc",
        "account_id": ACCOUNT_ID,
        "workspace_id": WORKSPACE_ID,
        "cloud": "AWS",
    }


@router.get(f"{SCIM}/Me")
def me() -> Document:
    return _administrator()


def _administrator() -> Document:
    return {
        "id": ME_ID,
        "userName": USER_NAME,
        "displayName": "Emulator Administrator",
        "active": True,
        "emails": [{"type": "work", "value": USER_NAME, "primary": True}],
        "groups": [{"display": "admins", "value": "1", "type": "direct"}],
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    }


def _list(here: Workspace, kind: str, request: Request) -> Document:
    found = here.resources(kind).list()
    if kind == "users":
        found = [_administrator(), *found]
    condition = request.query_params.get("filter")
    if condition:
        match = _FILTER.match(condition)
        if match is None:
            raise invalid_parameter(f"filter: only <attribute> eq <value> is known: {condition}")
        name, value = match.groups()
        found = [d for d in found if _same(d, name, value)]
    return {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": len(found),
        "startIndex": 1,
        "itemsPerPage": len(found),
        "Resources": found,
    }


def _same(document: Document, name: str, value: str) -> bool:
    actual = next((v for k, v in document.items() if k.lower() == name.lower()), None)
    return str(actual).lower() == value.lower()


def _patch(here: Workspace, kind: str, identity: str, body: Document) -> Document:
    resources = here.resources(kind)
    document = resources.get(identity)
    for operation in body.get("Operations", []):
        _apply(document, operation)
    here.store.put(kind, identity, document)
    return document


def _apply(document: Document, operation: Document) -> None:
    op = str(operation.get("op", "")).lower()
    path = operation.get("path")
    value = operation.get("value")
    member = _MEMBER.match(path or "")
    if op == "remove" and member:
        field, identity = member.groups()
        document[field] = [m for m in document.get(field, []) if m.get("value") != identity]
    elif op == "remove" and path:
        document.pop(path, None)
    elif op in ("add", "replace"):
        for field, new in ({path: value} if path else value or {}).items():
            document[field] = _joined(document.get(field), new) if op == "add" else new
    else:
        raise invalid_parameter(f"Operations: cannot {op or 'do nothing'} at {path!r}.")


def _joined(old: Any, new: Any) -> Any:
    if not isinstance(old, list) or not isinstance(new, list):
        return new
    known = {str(entry.get("value")) for entry in old}
    return old + [entry for entry in new if str(entry.get("value")) not in known]


def _add(kind: str, path: str) -> None:
    def list_all(here: Here, request: Request) -> Document:
        return _list(here, kind, request)

    def patch(here: Here, id: str, body: JsonBody) -> Document:
        return _patch(here, kind, id, body)

    router.add_api_route(path, list_all, methods=["GET"], name=f"{kind}_list")
    router.add_api_route(f"{path}/{{id}}", patch, methods=["PATCH"], name=f"{kind}_patch")


for _kind in load_kinds().values():
    if _kind.scim:
        _add(_kind.name, _kind.path)


@router.get("/api/2.0/workspace-conf")
def workspace_conf(here: Here, keys: str) -> Document:
    document = here.store.get("workspace_conf", "all") or {}
    return {key: document.get(key) for key in keys.split(",")}


@router.patch("/api/2.0/workspace-conf")
def set_workspace_conf(here: Here, body: JsonBody) -> Document:
    document = here.store.get("workspace_conf", "all") or {}
    here.store.put("workspace_conf", "all", {**document, **body})
    return {}


@router.get("/api/2.1/unity-catalog/metastore_summary")
def metastore_summary() -> Document:
    return _metastore()


@router.get("/api/2.1/unity-catalog/metastores/{id}")
def metastore(id: str) -> Document:
    return _metastore()


@router.get("/api/2.1/unity-catalog/current-metastore-assignment")
def metastore_assignment() -> Document:
    return {"metastore_id": METASTORE_ID, "workspace_id": int(WORKSPACE_ID)}


def _metastore() -> Document:
    return {
        "metastore_id": METASTORE_ID,
        "name": "emulator",
        "cloud": "aws",
        "region": "local",
        "global_metastore_id": f"aws:local:{METASTORE_ID}",
        "owner": USER_NAME,
        "privilege_model_version": "1.0",
        "delta_sharing_scope": "INTERNAL",
    }
