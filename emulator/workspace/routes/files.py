"""Files API: /Volumes and /Workspace as folders of bytes."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from emulator.errors import ApiError, invalid_parameter, not_found
from emulator.workspace.context import Here, Workspace
from emulator.workspace.values import Document

router = APIRouter()
FILES = "/api/2.0/fs/files"
FOLDERS = "/api/2.0/fs/directories"


def _disk(here: Workspace, path: str) -> Path:
    """Where /Volumes/<catalog>/<schema>/<volume>/... lies; the volume must exist."""
    parts = [part for part in path.split("/") if part]
    if ".." in parts or "\0" in path:
        raise invalid_parameter(f"Invalid path: /{path}")
    if len(parts) < 4 or parts[0] != "Volumes":
        raise invalid_parameter(
            f"Invalid path: /{path} is not /Volumes/<catalog>/<schema>/<volume>/..."
        )
    if not here.unity.has_volume(".".join(parts[1:4])):
        raise ApiError(404, "NOT_FOUND", f"Volume '{'.'.join(parts[1:4])}' does not exist.")
    return here.settings.volumes.joinpath(*(p.lower() for p in parts[1:4]), *parts[4:])


@router.put(f"{FILES}/{{path:path}}", status_code=204)
async def upload(here: Here, request: Request, path: str, overwrite: bool = False) -> Response:
    target = await run_in_threadpool(_free_target, here, path, overwrite)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=".upload-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            async for chunk in request.stream():
                file.write(chunk)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return Response(status_code=204)


def _free_target(here: Workspace, path: str, overwrite: bool) -> Path:
    target = _disk(here, path)
    if target.is_dir():
        raise invalid_parameter(f"/{path} is a directory.")
    if target.exists() and not overwrite:
        raise ApiError(409, "ALREADY_EXISTS", f"The file being created already exists: /{path}")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


@router.api_route(f"{FILES}/{{path:path}}", methods=["GET", "HEAD"])
def download(here: Here, path: str) -> FileResponse:
    target = _disk(here, path)
    if not target.is_file():
        raise ApiError(404, "NOT_FOUND", f"The file being accessed is not found: /{path}")
    return FileResponse(target, media_type="application/octet-stream")


@router.delete(f"{FILES}/{{path:path}}", status_code=204)
def delete_file(here: Here, path: str) -> Response:
    target = _disk(here, path)
    if not target.is_file():
        raise ApiError(404, "NOT_FOUND", f"The file being accessed is not found: /{path}")
    target.unlink()
    return Response(status_code=204)


@router.put(f"{FOLDERS}/{{path:path}}", status_code=204)
def make_folder(here: Here, path: str) -> Response:
    target = _disk(here, path)
    if target.is_file():
        raise ApiError(409, "ALREADY_EXISTS", f"/{path} is a file.")
    target.mkdir(parents=True, exist_ok=True)
    return Response(status_code=204)


@router.head(f"{FOLDERS}/{{path:path}}")
def folder_exists(here: Here, path: str) -> Response:
    _folder(here, path)
    return Response()


@router.get(f"{FOLDERS}/{{path:path}}")
def list_folder(here: Here, path: str) -> Document:
    entries = sorted(_folder(here, path).iterdir())
    return {"contents": [_entry(path, entry) for entry in entries]}


@router.delete(f"{FOLDERS}/{{path:path}}", status_code=204)
def delete_folder(here: Here, path: str) -> Response:
    folder = _folder(here, path)
    if any(folder.iterdir()):
        raise ApiError(400, "DIRECTORY_IS_NOT_EMPTY", f"The directory /{path} is not empty.")
    shutil.rmtree(folder)
    return Response(status_code=204)


def _folder(here: Workspace, path: str) -> Path:
    target = _disk(here, path)
    if not target.is_dir():
        raise not_found(f"The directory being accessed is not found: /{path}")
    return target


def _entry(parent: str, entry: Path) -> Document:
    shown: Document = {
        "path": f"/{parent.rstrip('/')}/{entry.name}",
        "name": entry.name,
        "is_directory": entry.is_dir(),
    }
    if not entry.is_dir():
        status = entry.stat()
        shown["file_size"] = status.st_size
        shown["last_modified"] = int(status.st_mtime * 1000)
    return shown
