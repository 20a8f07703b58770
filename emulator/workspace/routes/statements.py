"""Statement Execution API."""

from __future__ import annotations

import hmac

from fastapi import APIRouter, Request, Response

from emulator.errors import ApiError
from emulator.workspace.context import Here
from emulator.workspace.guard import SIGNED_PREFIX
from emulator.workspace.guard import signature as signature_of
from emulator.workspace.values import Document, JsonBody, required

router = APIRouter()
API = "/api/2.0/sql/statements"


@router.post(API)
def execute(here: Here, body: JsonBody) -> Document:
    warehouse_id = required(body, "warehouse_id")
    warehouse = here.resources("warehouses").get(warehouse_id)
    if warehouse["state"] != "RUNNING":
        here.store.put(
            "warehouses", warehouse_id, {**warehouse, "state": "RUNNING", "num_clusters": 1}
        )
    return here.statements.execute(body)


@router.get(f"{API}/{{statement_id}}")
def get(here: Here, statement_id: str) -> Document:
    return here.statements.answer(statement_id)


@router.get(f"{API}/{{statement_id}}/result/chunks/{{chunk_index}}")
def chunk(here: Here, statement_id: str, chunk_index: int) -> Document:
    return here.statements.chunk(statement_id, chunk_index)


@router.post(f"{API}/{{statement_id}}/cancel")
def cancel(here: Here, statement_id: str) -> Document:
    here.statements.cancel(statement_id)
    return {}


@router.get(f"{SIGNED_PREFIX}{{statement_id}}/{{chunk_index}}")
def external_link(
    here: Here, request: Request, statement_id: str, chunk_index: int, signature: str = ""
) -> Response:
    if not hmac.compare_digest(signature, signature_of(here.token, request.url.path)):
        raise ApiError(401, "UNAUTHENTICATED", "The link's signature is wrong.")
    content = here.statements.content(statement_id, chunk_index)
    return Response(content, media_type="application/octet-stream")
