"""Grants and tags on securables; SQL's GRANT and SET TAGS write to the same places."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter

from emulator.errors import invalid_parameter, not_found
from emulator.settings import METASTORE_ID
from emulator.sql.records import Grant
from emulator.workspace.context import Here, Workspace
from emulator.workspace.values import Document, JsonBody, required

router = APIRouter()
API = "/api/2.1/unity-catalog"
TAG_TYPES = {"catalogs": "catalog", "schemas": "schema", "tables": "table", "columns": "column",
             "volumes": "volume"}  # fmt: skip


@router.get(f"{API}/permissions/{{securable_type}}/{{name}}")
def get(here: Here, securable_type: str, name: str, principal: str | None = None) -> Document:
    kind = _existing(here, securable_type, name)
    grants = here.catalog.grants.all(kind, name.lower())
    return {"privilege_assignments": _by_principal(grants, principal)}


@router.patch(f"{API}/permissions/{{securable_type}}/{{name}}")
def change(here: Here, securable_type: str, name: str, body: JsonBody) -> Document:
    kind = _existing(here, securable_type, name)
    for entry in body.get("changes") or []:
        principal = required(entry, "principal")
        added = [_privilege(p) for p in entry.get("add") or []]
        removed = [_privilege(p) for p in entry.get("remove") or []]
        here.catalog.grants.remove(kind, name.lower(), principal, removed)
        here.catalog.grants.add(kind, name.lower(), principal, added)
    return get(here, securable_type, name)


@router.get(f"{API}/effective-permissions/{{securable_type}}/{{name}}")
def effective(here: Here, securable_type: str, name: str, principal: str | None = None) -> Document:
    kind = _existing(here, securable_type, name)
    chain = [(kind, name.lower())]
    parts = name.lower().split(".")
    for parent, count in (("schema", 2), ("catalog", 1)):
        if len(parts) > count:
            chain.append((parent, ".".join(parts[:count])))
    found: dict[str, list[Document]] = {}
    for level, full_name in chain:
        for grant in here.catalog.grants.all(level, full_name):
            privilege: Document = {"privilege": grant.privilege}
            if (level, full_name) != chain[0]:
                privilege["inherited_from_type"] = level.upper()
                privilege["inherited_from_name"] = full_name
            found.setdefault(grant.principal, []).append(privilege)
    wanted = {p: v for p, v in found.items() if principal in (None, p)}
    return {
        "privilege_assignments": [
            {"principal": name, "privileges": privileges} for name, privileges in wanted.items()
        ]
    }


def _privilege(text: object) -> str:
    return str(text).strip().upper().replace(" ", "_")


def _by_principal(grants: Iterable[Grant], principal: str | None) -> list[Document]:
    found: dict[str, list[str]] = {}
    for grant in grants:
        if principal in (None, grant.principal):
            found.setdefault(grant.principal, []).append(grant.privilege)
    return [{"principal": name, "privileges": held} for name, held in found.items()]


def _existing(here: Workspace, securable_type: str, name: str) -> str:
    """The type as CatalogStore calls it; 404 if there is no such securable."""
    kind = securable_type.lower().replace("-", "_")
    if kind == "metastore":
        if name != METASTORE_ID:
            raise not_found(f"Metastore '{name}' does not exist.")
    elif kind == "catalog":
        here.unity.get_catalog(name)
    elif kind == "schema":
        here.unity.get_schema(name)
    elif kind == "volume":
        here.unity.get_volume(name)
    elif kind == "table":
        here.unity.get_table(name)
    elif kind in ("function", "registered_model"):
        # Databricks grants on a registered model as on a function.
        if here.store.get("registered_model", name.lower()) is None:
            here.unity.get_function(name)
        kind = "function"
    elif kind in ("external_location", "storage_credential"):
        here.resources(f"{kind}s").get(name)
    else:
        raise invalid_parameter(f"{securable_type!r} is not a securable type of this workspace.")
    return kind


def _tag_place(entity_type: str, entity_name: str) -> tuple[str, str, str]:
    kind = TAG_TYPES.get(entity_type)
    if kind is None:
        raise invalid_parameter(f"entity_type {entity_type!r} is not one of {list(TAG_TYPES)}.")
    if kind == "column":
        table, _, column = entity_name.lower().rpartition(".")
        return kind, table, column
    return kind, entity_name.lower(), ""


def _tags(here: Workspace, entity_type: str, entity_name: str) -> list[Document]:
    kind, full_name, column = _tag_place(entity_type, entity_name)
    entity = {"entity_type": entity_type, "entity_name": entity_name}
    return [
        {**entity, "tag_key": tag.key, **({"tag_value": tag.value} if tag.value else {})}
        for tag in here.catalog.tags.all(kind, full_name)
        if tag.column == column
    ]


def _tag(here: Workspace, entity_type: str, entity_name: str, tag_key: str) -> Document:
    for tag in _tags(here, entity_type, entity_name):
        if tag["tag_key"] == tag_key:
            return tag
    raise not_found(f"{entity_type} {entity_name!r} has no tag {tag_key!r}.")


TAGS = f"{API}/entity-tag-assignments"
TAG = f"{TAGS}/{{entity_type}}/{{entity_name}}/tags"


@router.post(TAGS)
def create_tag(here: Here, body: JsonBody) -> Document:
    entity_type, entity_name = required(body, "entity_type"), required(body, "entity_name")
    key = required(body, "tag_key")
    kind, full_name, column = _tag_place(entity_type, entity_name)
    _existing(here, "table" if kind == "column" else kind, full_name)
    here.catalog.tags.set(kind, full_name, {key: body.get("tag_value") or ""}, column)
    return _tag(here, entity_type, entity_name, key)


@router.get(TAG)
def list_tags(here: Here, entity_type: str, entity_name: str) -> Document:
    return {"tag_assignments": _tags(here, entity_type, entity_name)}


@router.get(f"{TAG}/{{tag_key}}")
def get_tag(here: Here, entity_type: str, entity_name: str, tag_key: str) -> Document:
    return _tag(here, entity_type, entity_name, tag_key)


@router.patch(f"{TAG}/{{tag_key}}")
def update_tag(
    here: Here, entity_type: str, entity_name: str, tag_key: str, body: JsonBody
) -> Document:
    _tag(here, entity_type, entity_name, tag_key)
    kind, full_name, column = _tag_place(entity_type, entity_name)
    here.catalog.tags.set(kind, full_name, {tag_key: body.get("tag_value") or ""}, column)
    return _tag(here, entity_type, entity_name, tag_key)


@router.delete(f"{TAG}/{{tag_key}}")
def delete_tag(here: Here, entity_type: str, entity_name: str, tag_key: str) -> Document:
    _tag(here, entity_type, entity_name, tag_key)
    kind, full_name, column = _tag_place(entity_type, entity_name)
    here.catalog.tags.unset(kind, full_name, [tag_key], column)
    return {}
