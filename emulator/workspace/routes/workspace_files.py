"""Workspace API: notebooks and files by path."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from emulator.errors import ApiError, invalid_parameter
from emulator.workspace.context import Here
from emulator.workspace.values import Document, JsonBody, required

router = APIRouter()
API = "/api/2.0/workspace"


@router.get(f"{API}/get-status")
def get_status(here: Here, path: str) -> Document:
    return here.tree.status(path)


@router.get(f"{API}/list")
def list_objects(here: Here, path: str) -> Document:
    children = here.tree.children(path)
    return {"objects": children} if children else {}


@router.post(f"{API}/mkdirs")
def mkdirs(here: Here, body: JsonBody) -> Document:
    here.tree.make_folders(required(body, "path"))
    return {}


@router.post(f"{API}/delete")
def delete(here: Here, body: JsonBody) -> Document:
    here.tree.delete(required(body, "path"), recursive=bool(body.get("recursive")))
    return {}


@router.post(f"{API}/import")
async def import_object(here: Here, request: Request) -> Document:
    fields, content = await _import_request(request)
    path = required(fields, "path")

    def write() -> Document:
        return here.tree.write(
            path,
            content,
            format=str(fields.get("format") or "SOURCE"),
            language=fields.get("language") or None,
            overwrite=str(fields.get("overwrite", "")).lower() == "true",
        )

    document = await run_in_threadpool(write)
    return {"object_id": document["object_id"]}


@router.post(f"{API}-files/import-file/{{path:path}}")
async def import_file(here: Here, request: Request, path: str) -> Document:
    content = await request.body()
    overwrite = request.query_params.get("overwrite", "").lower() == "true"

    def write() -> None:
        here.tree.write(f"/{path}", content, format="RAW", overwrite=overwrite)

    await run_in_threadpool(write)
    return {}


async def _import_request(request: Request) -> tuple[Document, bytes]:
    """The fields and the content of either form of an import: multipart, or JSON with base64."""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form() as form:
            fields: dict[str, Any] = {k: v for k, v in form.items() if isinstance(v, str)}
            upload = form.get("content")
            if upload is None:
                raise invalid_parameter("Missing required field: content")
            raw = upload.encode() if isinstance(upload, str) else await upload.read()
        return fields, raw
    try:
        body = json.loads(await request.body())
        return body, base64.b64decode(body.get("content") or "", validate=True)
    except binascii.Error as error:
        raise invalid_parameter(f"content is not base64: {error}") from error
    except (ValueError, AttributeError) as error:
        raise ApiError(
            400, "MALFORMED_REQUEST", f"Could not parse the request body: {error}"
        ) from error


@router.get(f"{API}/export", response_model=None)
def export(
    here: Here, path: str, format: str = "SOURCE", direct_download: bool = False
) -> Document | Response:
    if format not in ("SOURCE", "RAW", "AUTO"):
        raise invalid_parameter(f"format {format!r}: this workspace exports SOURCE, RAW, AUTO.")
    content = here.tree.read(path)
    if direct_download:
        return Response(content, media_type="application/octet-stream")
    kind = here.tree.status(path)
    file_type = {"PYTHON": "py", "SQL": "sql", "SCALA": "scala", "R": "r"}.get(
        kind.get("language", ""), "auto"
    )
    return {"content": base64.b64encode(content).decode(), "file_type": file_type}
