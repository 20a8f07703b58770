"""Everything under /api/2.0/mlflow and the artifacts: passed on to the MLflow server."""

from __future__ import annotations

import json

import httpx
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from emulator.errors import ApiError
from emulator.workspace.context import Here, Workspace

router = APIRouter()
PREFIXES = ("/api/2.0/mlflow", "/api/3.0/mlflow", "/api/2.0/mlflow-artifacts", "/ajax-api")
VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host"}
_OWN = _HOP_BY_HOP | {"authorization", "cookie", "date", "server"}
_SECONDS = 600


async def _pass_on(here: Here, request: Request) -> Response:
    base = await run_in_threadpool(here.mlflow.ensure_started)
    client = _client(request, base)
    headers = [(k, v) for k, v in request.headers.items() if k.lower() not in _OWN]
    sent = client.build_request(
        request.method,
        base + request.url.path,
        params=str(request.query_params),
        headers=headers,
        content=request.stream(),
    )
    try:
        answer = await client.send(sent, stream=True)
    except httpx.TransportError as error:
        raise ApiError(
            503, "TEMPORARILY_UNAVAILABLE", f"MLflow stopped answering: {error}"
        ) from error
    kept = {k: v for k, v in answer.headers.items() if k.lower() not in _OWN}
    return StreamingResponse(
        answer.aiter_raw(),
        status_code=answer.status_code,
        headers=kept,
        background=BackgroundTask(answer.aclose),
    )


def _client(request: Request, base: str) -> httpx.AsyncClient:
    state = request.app.state
    if getattr(state, "mlflow_base", None) != base:
        state.mlflow_client = httpx.AsyncClient(timeout=_SECONDS)
        state.mlflow_base = base
    client: httpx.AsyncClient = state.mlflow_client
    return client


@router.post("/api/2.0/mlflow/experiments/delete")
async def delete_experiment(here: Here, request: Request) -> Response:
    """MLflow keeps a deleted experiment's name; on Databricks the name is free again."""
    body = await request.body()
    await run_in_threadpool(_free_name, here, body)
    return Response("{}", media_type="application/json")


def _free_name(here: Workspace, body: bytes) -> None:
    try:
        experiment_id = str(json.loads(body)["experiment_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise ApiError(400, "MALFORMED_REQUEST", "experiment_id is required.") from error
    found = here.mlflow.call("GET", "experiments/get", params={"experiment_id": experiment_id})
    name = f"{found['experiment']['name']} (deleted {experiment_id})"
    renamed = {"experiment_id": experiment_id, "new_name": name}
    here.mlflow.call("POST", "experiments/update", json=renamed)
    here.mlflow.call("POST", "experiments/delete", json={"experiment_id": experiment_id})


for _prefix in PREFIXES:
    router.add_api_route(_prefix + "/{path:path}", _pass_on, methods=VERBS, response_model=None)
for _path in ("/version", "/get-artifact", "/model-versions/get-artifact"):
    router.add_api_route(_path, _pass_on, methods=["GET"], response_model=None)
