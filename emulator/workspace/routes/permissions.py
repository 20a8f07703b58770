"""Access control lists of workspace objects: kept and given back, not enforced."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from emulator.errors import invalid_parameter, not_found
from emulator.settings import USER_NAME
from emulator.workspace.context import Here, Workspace
from emulator.workspace.values import Document, JsonBody

router = APIRouter()


@dataclass(frozen=True)
class ObjectType:
    """``name`` is what answers call it; ``kind`` and ``field`` say where its objects are."""

    name: str
    kind: str | None
    levels: str
    field: str | None = None  # None: the Store's id is the object's id

    @property
    def level_names(self) -> list[str]:
        return self.levels.split()


_FILE = "CAN_READ CAN_RUN CAN_EDIT CAN_MANAGE"
_SQL = "CAN_READ CAN_VIEW CAN_RUN CAN_EDIT CAN_MANAGE"
_WAREHOUSE = ObjectType(
    "warehouses", "warehouses", "CAN_USE CAN_MONITOR CAN_VIEW CAN_MANAGE IS_OWNER"
)
TYPES = {
    "jobs": ObjectType("job", "job", "CAN_VIEW CAN_MANAGE_RUN IS_OWNER CAN_MANAGE"),
    "pipelines": ObjectType("pipelines", "pipeline", "CAN_VIEW CAN_RUN CAN_MANAGE IS_OWNER"),
    "sql/warehouses": _WAREHOUSE,
    "warehouses": _WAREHOUSE,
    "notebooks": ObjectType("notebook", "workspace_object", _FILE, "object_id"),
    "directories": ObjectType("directory", "workspace_object", _FILE, "object_id"),
    "files": ObjectType("file", "workspace_object", _FILE, "object_id"),
    "dashboards": ObjectType("dashboard", "dashboard", "CAN_READ CAN_RUN CAN_EDIT CAN_MANAGE"),
    "experiments": ObjectType("mlflowExperiment", None, "CAN_READ CAN_EDIT CAN_MANAGE"),
    "registered-models": ObjectType("registered-model", None, "CAN_READ CAN_EDIT CAN_MANAGE"),
    "serving-endpoints": ObjectType(
        "serving-endpoint", "serving_endpoint", "CAN_VIEW CAN_QUERY CAN_MANAGE", "id"
    ),
    "alertsv2": ObjectType("alertv2", "alerts", _SQL),
    "sql/queries": ObjectType("query", "queries", _SQL),
    "queries": ObjectType("query", "queries", _SQL),
    "authorization": ObjectType("tokens", None, "CAN_USE CAN_MANAGE"),
}
PRINCIPALS = ("user_name", "group_name", "service_principal_name")


@router.get("/api/2.0/permissions/{path:path}")
def get(here: Here, path: str) -> Document:
    if path.endswith("/permissionLevels"):
        type_name, _ = _parse(path.removesuffix("/permissionLevels"))
        levels = TYPES[type_name].level_names
        return {"permission_levels": [{"permission_level": level} for level in levels]}
    return _answer(here, *_existing(here, path))


@router.put("/api/2.0/permissions/{path:path}")
def put(here: Here, path: str, body: JsonBody) -> Document:
    type_name, identity = _existing(here, path)
    entries = _entries(TYPES[type_name], body)
    return _save(here, type_name, identity, entries)


@router.patch("/api/2.0/permissions/{path:path}")
def patch(here: Here, path: str, body: JsonBody) -> Document:
    type_name, identity = _existing(here, path)
    entries = _entries(TYPES[type_name], body)
    changed = {_principal(entry) for entry in entries}
    kept = [e for e in _saved(here, type_name, identity) if _principal(e) not in changed]
    return _save(here, type_name, identity, kept + entries)


def _parse(path: str) -> tuple[str, str]:
    type_name, _, identity = path.rpartition("/")
    if type_name not in TYPES:
        raise invalid_parameter(f"{type_name!r} is not an object type with permissions.")
    return type_name, identity


def _existing(here: Workspace, path: str) -> tuple[str, str]:
    type_name, identity = _parse(path)
    kind, field = TYPES[type_name].kind, TYPES[type_name].field
    if kind is None:
        return type_name, identity
    if field is None:
        exists = here.store.get(kind, identity) is not None
    else:
        exists = any(str(d.get(field)) == identity for d in here.store.find(kind))
    if not exists:
        raise not_found(f"{type_name} with id {identity} does not exist.")
    return type_name, identity


def _entries(object_type: ObjectType, body: Document) -> list[Document]:
    entries = []
    for entry in body.get("access_control_list") or []:
        level = entry.get("permission_level")
        if level not in object_type.level_names:
            allowed = ", ".join(object_type.level_names)
            raise invalid_parameter(f"permission_level {level!r} is not one of: {allowed}.")
        if _principal(entry) is None:
            raise invalid_parameter(f"An access control needs one of: {', '.join(PRINCIPALS)}.")
        entries.append({k: v for k, v in entry.items() if k in (*PRINCIPALS, "permission_level")})
    return entries


def _principal(entry: Document) -> tuple[str, str] | None:
    return next(((name, entry[name]) for name in PRINCIPALS if entry.get(name)), None)


def _saved(here: Workspace, type_name: str, identity: str) -> list[Document]:
    document = here.store.get("permissions", f"{type_name}/{identity}")
    if document is not None:
        return list(document["entries"])
    levels = TYPES[type_name].level_names
    owner = "IS_OWNER" if "IS_OWNER" in levels else "CAN_MANAGE"
    return [{"user_name": USER_NAME, "permission_level": owner}]


def _save(here: Workspace, type_name: str, identity: str, entries: list[Document]) -> Document:
    if "IS_OWNER" in TYPES[type_name].level_names:
        owners = [e for e in entries if e["permission_level"] == "IS_OWNER"]
        if len(owners) > 1:
            raise invalid_parameter("An object has only one owner.")
        if not owners:
            before = _saved(here, type_name, identity)
            entries += [e for e in before if e["permission_level"] == "IS_OWNER"]
    here.store.put("permissions", f"{type_name}/{identity}", {"entries": entries})
    return _answer(here, type_name, identity)


def _answer(here: Workspace, type_name: str, identity: str) -> Document:
    shown = []
    for entry in _saved(here, type_name, identity):
        level = {"permission_level": entry["permission_level"], "inherited": False}
        principal = {name: entry[name] for name in PRINCIPALS if entry.get(name)}
        shown.append({**principal, "all_permissions": [level]})
    administrators = {"permission_level": "CAN_MANAGE", "inherited": True}
    shown.append({"group_name": "admins", "all_permissions": [administrators]})
    return {
        "object_id": f"/{type_name}/{identity}",
        "object_type": TYPES[type_name].name,
        "access_control_list": shown,
    }
