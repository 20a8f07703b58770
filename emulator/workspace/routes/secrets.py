"""Secrets API: scopes and secrets; code in tasks reads them through dbutils.secrets."""

from __future__ import annotations

import base64
import binascii

from fastapi import APIRouter

from emulator.errors import ApiError, invalid_parameter, not_found
from emulator.workspace.context import Here, Workspace
from emulator.workspace.values import Document, JsonBody, now_ms, required

router = APIRouter()
API = "/api/2.0/secrets"
SCOPE = "secret_scope"
SECRET = "secret"  # noqa: S105 - a kind of document
ACL = "secret_acl"


def _scope(here: Workspace, name: str) -> None:
    if here.store.get(SCOPE, name) is None:
        raise not_found(f"Scope {name} does not exist!")


@router.post(f"{API}/scopes/create")
def create_scope(here: Here, body: JsonBody) -> Document:
    name = required(body, "scope")
    if here.store.get(SCOPE, name) is not None:
        raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"Scope {name} already exists!")
    here.store.put(SCOPE, name, {"name": name, "backend_type": "DATABRICKS"})
    return {}


@router.get(f"{API}/scopes/list")
def list_scopes(here: Here) -> Document:
    return {"scopes": here.store.find(SCOPE)}


@router.post(f"{API}/scopes/delete")
def delete_scope(here: Here, body: JsonBody) -> Document:
    name = required(body, "scope")
    _scope(here, name)
    for kind, field in ((SECRET, "key"), (ACL, "principal")):
        for document in here.store.find(kind, scope=name):
            here.store.delete(kind, f"{name}/{document[field]}")
    here.store.delete(SCOPE, name)
    return {}


@router.post(f"{API}/put")
def put_secret(here: Here, body: JsonBody) -> Document:
    scope, key = required(body, "scope"), required(body, "key")
    _scope(here, scope)
    value = body.get("string_value")
    if value is None:
        try:
            value = base64.b64decode(required(body, "bytes_value"), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise invalid_parameter(f"bytes_value: {error}") from error
    document = {"scope": scope, "key": key, "string_value": value, "at": now_ms()}
    here.store.put(SECRET, f"{scope}/{key}", document)
    return {}


@router.get(f"{API}/get")
def get_secret(here: Here, scope: str, key: str) -> Document:
    document = here.store.get(SECRET, f"{scope}/{key}")
    if document is None:
        raise not_found(f"Failed to get secret {key} for scope {scope}")
    return {"key": key, "value": base64.b64encode(document["string_value"].encode()).decode()}


@router.get(f"{API}/list")
def list_secrets(here: Here, scope: str) -> Document:
    _scope(here, scope)
    found = here.store.find(SECRET, scope=scope)
    return {"secrets": [{"key": d["key"], "last_updated_timestamp": d["at"]} for d in found]}


@router.post(f"{API}/delete")
def delete_secret(here: Here, body: JsonBody) -> Document:
    scope, key = required(body, "scope"), required(body, "key")
    if not here.store.delete(SECRET, f"{scope}/{key}"):
        raise not_found(f"Failed to get secret {key} for scope {scope}")
    return {}


@router.post(f"{API}/acls/put")
def put_acl(here: Here, body: JsonBody) -> Document:
    scope, principal = required(body, "scope"), required(body, "principal")
    _scope(here, scope)
    document = {"scope": scope, "principal": principal, "permission": required(body, "permission")}
    here.store.put(ACL, f"{scope}/{principal}", document)
    return {}


@router.get(f"{API}/acls/get")
def get_acl(here: Here, scope: str, principal: str) -> Document:
    document = here.store.get(ACL, f"{scope}/{principal}")
    if document is None:
        raise not_found(f"Failed to get secret acl for {principal} for scope {scope}.")
    return {"principal": principal, "permission": document["permission"]}


@router.get(f"{API}/acls/list")
def list_acls(here: Here, scope: str) -> Document:
    _scope(here, scope)
    found = here.store.find(ACL, scope=scope)
    return {"items": [{"principal": d["principal"], "permission": d["permission"]} for d in found]}


@router.post(f"{API}/acls/delete")
def delete_acl(here: Here, body: JsonBody) -> Document:
    scope, principal = required(body, "scope"), required(body, "principal")
    if not here.store.delete(ACL, f"{scope}/{principal}"):
        raise not_found(f"Failed to get secret acl for {principal} for scope {scope}.")
    return {}
