"""Workspace bindings: which workspaces see what is isolated."""

from __future__ import annotations

from fastapi import APIRouter

from emulator.errors import invalid_parameter
from emulator.workspace.bindings import (
    BINDING_TYPES,
    ISOLATED,
    READ_WRITE,
    bindings_of,
    keep_bindings,
)
from emulator.workspace.context import Here, Workspace
from emulator.workspace.values import Document, JsonBody, required

router = APIRouter()
PATH = "/api/2.1/unity-catalog/bindings/{securable_type}/{name}"


@router.get(PATH)
def get(here: Here, securable_type: str, name: str) -> Document:
    _isolation(here, securable_type, name)
    return {"bindings": bindings_of(here.store, securable_type, name)}


@router.patch(PATH)
def change(here: Here, securable_type: str, name: str, body: JsonBody) -> Document:
    if _isolation(here, securable_type, name) not in ISOLATED:
        raise invalid_parameter(
            f"{securable_type} '{name}' is open to all workspaces; set its isolation_mode first."
        )
    bound = {b["workspace_id"]: b for b in bindings_of(here.store, securable_type, name)}
    for entry in body.get("remove") or []:
        bound.pop(int(required(entry, "workspace_id")), None)
    for entry in body.get("add") or []:
        kind = entry.get("binding_type") or READ_WRITE
        if kind not in BINDING_TYPES:
            raise invalid_parameter(f"binding_type {kind!r} is not one of {list(BINDING_TYPES)}.")
        workspace = int(required(entry, "workspace_id"))
        bound[workspace] = {"workspace_id": workspace, "binding_type": kind}
    keep_bindings(here.store, securable_type, name, list(bound.values()))
    return {"bindings": list(bound.values())}


def _isolation(here: Workspace, securable_type: str, name: str) -> str:
    """The isolation mode of something that must exist; open where nobody has said."""
    if securable_type == "catalog":
        found = here.unity.get_catalog(name)
    elif securable_type in ("external_location", "storage_credential"):
        found = here.resources(f"{securable_type}s").get(name)
    else:
        raise invalid_parameter(f"{securable_type!r} cannot be bound to workspaces.")
    return str(found.get("isolation_mode") or "OPEN")
