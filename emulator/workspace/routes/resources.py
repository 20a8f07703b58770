"""Routes of every kind in kinds.yml: create, get, change, delete, list."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from emulator.workspace.context import Here
from emulator.workspace.kinds import Kind, load_kinds
from emulator.workspace.values import Document, JsonBody

router = APIRouter()


def _identity(kind: Kind, request: Request) -> str:
    return "/".join(str(request.path_params[field]) for field in kind.id)


def _add(kind: Kind) -> None:
    item = kind.path + "".join(f"/{{{field}}}" for field in kind.id)

    def create(here: Here, body: JsonBody) -> Document:
        return here.resources(kind.name).create(body)

    def get(here: Here, request: Request) -> Document:
        resources = here.resources(kind.name)
        return resources.public(resources.get(_identity(kind, request)))

    def update(here: Here, request: Request, body: JsonBody) -> Document:
        mask = request.query_params.get("update_mask")
        return here.resources(kind.name).update(_identity(kind, request), body, mask)

    def delete(here: Here, request: Request) -> Document:
        here.resources(kind.name).delete(_identity(kind, request))
        return {}

    def list_all(here: Here, request: Request) -> Document:
        resources = here.resources(kind.name)
        wanted = request.path_params.items()
        documents = [d for d in resources.list() if all(d.get(k) == v for k, v in wanted)]
        return {kind.list_key: [resources.summary(document) for document in documents]}

    routes: list[tuple[str, str, Any]] = [
        ("POST", kind.path, create),
        ("GET", item, get),
        (kind.update.verb, item + kind.update.path, update),
        ("DELETE", item, delete),
    ]
    if kind.scim is None:
        parts = range(len(kind.id)) if len(kind.id) > 1 else (0,)
        paths = [kind.path + "".join(f"/{{{f}}}" for f in kind.id[:count]) for count in parts]
        routes += [("GET", path, list_all) for path in paths]
    for verb, path, endpoint in routes:
        router.add_api_route(path, endpoint, methods=[verb], name=f"{kind.name}_{verb}_{path}")


for _kind in load_kinds().values():
    _add(_kind)
