"""Registered models of Unity Catalog; their versions and aliases live in the MLflow registry."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from emulator.errors import ApiError, not_found
from emulator.settings import METASTORE_ID, USER_NAME
from emulator.workspace.context import Here, Workspace
from emulator.workspace.values import Document, JsonBody, now_ms, required, whole_number

router = APIRouter()
API = "/api/2.1/unity-catalog/models"
KIND = "registered_model"  # document: RegisteredModelInfo, and ``schema``


def _new(full_name: str, body: Document) -> Document:
    catalog, schema, name = full_name.split(".")
    document = {
        "name": name,
        "catalog_name": catalog,
        "schema_name": schema,
        "full_name": full_name,
        "schema": f"{catalog}.{schema}",
        "owner": USER_NAME,
        "metastore_id": METASTORE_ID,
        "created_at": now_ms(),
        "created_by": USER_NAME,
        "updated_at": now_ms(),
        "updated_by": USER_NAME,
    }
    return {**document, **{k: body[k] for k in ("comment", "storage_location") if body.get(k)}}


def model_of(here: Workspace, full_name: str) -> Document:
    """The model; one that an MLflow client registered is one, too."""
    full_name = full_name.lower()
    document = here.store.get(KIND, full_name)
    if document is None and full_name.count(".") == 2 and _in_registry(here, full_name):
        document = _new(full_name, {})
        here.store.put(KIND, full_name, document)
    if document is None:
        raise not_found(f"Registered model '{full_name}' does not exist.")
    return document


def _in_registry(here: Workspace, full_name: str) -> bool:
    return here.mlflow.was_used() and here.mlflow.find_model(full_name) is not None


def _shown(here: Workspace, document: Document, *, aliases: bool) -> Document:
    shown = {key: value for key, value in document.items() if key != "schema"}
    if aliases:
        found = _aliases(here, document["full_name"])
        if found:
            shown["aliases"] = found
    return shown


def _aliases(here: Workspace, full_name: str) -> list[Document]:
    model = here.mlflow.find_model(full_name) if here.mlflow.was_used() else None
    return [
        {"alias_name": alias["alias"], "version_num": int(alias["version"])}
        for alias in (model or {}).get("aliases", [])
    ]


@router.post(API)
def create(here: Here, body: JsonBody) -> Document:
    parts = [str(required(body, f)).lower() for f in ("catalog_name", "schema_name", "name")]
    here.unity.get_schema(".".join(parts[:2]))
    full_name = ".".join(parts)
    if here.store.get(KIND, full_name) is not None:
        raise ApiError(
            409, "RESOURCE_ALREADY_EXISTS", f"Registered model '{full_name}' already exists"
        )
    document = _new(full_name, body)
    here.store.put(KIND, full_name, document)
    here.mlflow.add_model(full_name)
    return _shown(here, document, aliases=False)


@router.get(API)
def list_models(here: Here, catalog_name: str = "", schema_name: str = "") -> Document:
    prefix = f"{catalog_name}.{schema_name}." if schema_name else ""
    found = [d for d in here.store.find(KIND) if d["full_name"].startswith(prefix)]
    return {"registered_models": [_shown(here, document, aliases=False) for document in found]}


@router.get(f"{API}/{{full_name}}")
def get(here: Here, full_name: str, include_aliases: bool = False) -> Document:
    return _shown(here, model_of(here, full_name), aliases=include_aliases)


@router.patch(f"{API}/{{full_name}}")
def update(here: Here, full_name: str, body: JsonBody) -> Document:
    document = model_of(here, full_name)
    changes = {k: body[k] for k in ("comment", "owner") if body.get(k) is not None}
    changed = {**document, **changes, "updated_at": now_ms(), "updated_by": USER_NAME}
    here.store.put(KIND, document["full_name"], changed)
    return _shown(here, changed, aliases=False)


@router.delete(f"{API}/{{full_name}}")
def delete(here: Here, full_name: str) -> Document:
    document = model_of(here, full_name)
    here.mlflow.remove_model(document["full_name"])
    here.store.delete(KIND, document["full_name"])
    for grant in here.catalog.grants.all("function", document["full_name"]):
        here.catalog.grants.remove(
            "function", document["full_name"], grant.principal, [grant.privilege]
        )
    return {}


def _version(here: Workspace, full_name: str, version: Document) -> Document:
    catalog, schema, name = full_name.split(".")
    number = int(version["version"])
    shown: dict[str, Any] = {
        "model_name": name,
        "catalog_name": catalog,
        "schema_name": schema,
        "version": number,
        "status": version.get("status", "READY"),
        "source": version.get("source", ""),
        "run_id": version.get("run_id", ""),
        "created_at": int(version.get("creation_timestamp") or 0),
        "updated_at": int(version.get("last_updated_timestamp") or 0),
        "created_by": USER_NAME,
        "metastore_id": METASTORE_ID,
    }
    if version.get("description"):
        shown["comment"] = version["description"]
    held = [alias for alias in _aliases(here, full_name) if alias["version_num"] == number]
    return {**shown, "aliases": held} if held else shown


@router.get(f"{API}/{{full_name}}/versions")
def list_versions(here: Here, full_name: str) -> Document:
    full_name = model_of(here, full_name)["full_name"]
    found = here.mlflow.versions(full_name) if here.mlflow.was_used() else []
    found.sort(key=lambda version: -int(version["version"]))
    return {"model_versions": [_version(here, full_name, version) for version in found]}


@router.get(f"{API}/{{full_name}}/versions/{{version}}")
def get_version(here: Here, full_name: str, version: str) -> Document:
    full_name = model_of(here, full_name)["full_name"]
    return _version(here, full_name, here.mlflow.version(full_name, version))


@router.delete(f"{API}/{{full_name}}/versions/{{version}}")
def delete_version(here: Here, full_name: str, version: str) -> Document:
    full_name = model_of(here, full_name)["full_name"]
    here.mlflow.call(
        "DELETE", "model-versions/delete", json={"name": full_name, "version": version}
    )
    return {}


@router.get(f"{API}/{{full_name}}/aliases/{{alias}}")
def get_by_alias(here: Here, full_name: str, alias: str) -> Document:
    full_name = model_of(here, full_name)["full_name"]
    held = {a["alias_name"]: a["version_num"] for a in _aliases(here, full_name)}
    if alias not in held:
        raise not_found(f"Registered model '{full_name}' has no alias '{alias}'.")
    return _version(here, full_name, here.mlflow.version(full_name, str(held[alias])))


@router.put(f"{API}/{{full_name}}/aliases/{{alias}}")
def set_alias(here: Here, full_name: str, alias: str, body: JsonBody) -> Document:
    full_name = model_of(here, full_name)["full_name"]
    number = whole_number(required(body, "version_num"), "version_num")
    sent = {"name": full_name, "alias": alias, "version": str(number)}
    here.mlflow.call("POST", "registered-models/alias", json=sent)
    return {"alias_name": alias, "version_num": number}


@router.delete(f"{API}/{{full_name}}/aliases/{{alias}}")
def delete_alias(here: Here, full_name: str, alias: str) -> Document:
    full_name = model_of(here, full_name)["full_name"]
    sent = {"name": full_name, "alias": alias}
    here.mlflow.call("DELETE", "registered-models/alias", json=sent)
    return {}
