"""The /Workspace tree: folders and files on disk, and what is known of each in the Store.

A notebook lies on disk in source format under its own path, without an extension.
"""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

from emulator.errors import ApiError, invalid_parameter, not_found
from emulator.settings import USER_NAME, Settings
from emulator.store import Store
from emulator.workspace.values import Document, now_ms

KIND = "workspace_object"
FIRST_FOLDERS = ("/", "/Shared", "/Users", f"/Users/{USER_NAME}", "/Repos")
HEADERS = {
    "PYTHON": b"# Databricks notebook source",
    "SQL": b"-- Databricks notebook source",
    "SCALA": b"// Databricks notebook source",
    "R": b"# Databricks notebook source",
}
LANGUAGE_BY_SUFFIX = {".py": "PYTHON", ".sql": "SQL", ".scala": "SCALA", ".r": "R"}


def clean(path: str) -> str:
    """The path without its optional /Workspace prefix; INVALID_PARAMETER_VALUE if it is no path."""
    if not path.startswith("/") or "\0" in path:
        raise invalid_parameter(f"Path ({path}) must be absolute.")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise invalid_parameter(f"Path ({path}) must not contain '..'.")
    if parts[:1] == ["Workspace"]:
        parts = parts[1:]
    return "/" + "/".join(parts)


class WorkspaceTree:
    """Import, export, list and delete, as the Workspace API does."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._root = settings.workspace_files
        self._store = store
        for folder in FIRST_FOLDERS:
            if store.get(KIND, folder) is None:
                self._put_folder(folder)

    def status(self, path: str) -> Document:
        path = clean(path)
        document = self._known(path)
        if document is None:
            raise not_found(f"Path ({path}) doesn't exist.")
        return document

    def make_folders(self, path: str) -> None:
        path = clean(path)
        for folder in [str(p) for p in reversed(PurePosixPath(path).parents)] + [path]:
            document = self._known(folder)
            if document is None:
                self._put_folder(folder)
            elif document["object_type"] != "DIRECTORY":
                raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"Path ({folder}) is a file.")

    def write(
        self,
        path: str,
        content: bytes,
        *,
        format: str = "SOURCE",
        language: str | None = None,
        overwrite: bool = False,
    ) -> Document:
        """Import a file (RAW, AUTO) or a notebook (SOURCE, AUTO with a notebook's header)."""
        path = clean(path)
        if format not in ("SOURCE", "RAW", "AUTO"):
            raise invalid_parameter(f"format {format!r}: this workspace imports SOURCE, RAW, AUTO.")
        path, language = _notebook(path, content, format, language)
        before = self._free(path, overwrite, language)
        kind = (
            {"object_type": "NOTEBOOK", "language": language}
            if language
            else {"object_type": "FILE"}
        )
        disk = self._disk(path)
        disk.write_bytes(content)
        now = now_ms()
        document = {
            "path": path,
            "object_id": before["object_id"] if before else self._next_id(),
            **kind,
            "created_at": before["created_at"] if before else now,
            "modified_at": now,
            "size": len(content),
        }
        document["resource_id"] = str(document["object_id"])
        self._store.put(KIND, path, document)
        return document

    def read(self, path: str) -> bytes:
        document = self.status(path)
        if document["object_type"] not in ("FILE", "NOTEBOOK"):
            raise invalid_parameter(f"Path ({document['path']}) is a directory.")
        return self._disk(document["path"]).read_bytes()

    def children(self, path: str) -> list[Document]:
        document = self.status(path)
        if document["object_type"] != "DIRECTORY":
            return [document]
        path = document["path"]
        found = self._store.find(KIND)
        return [
            d for d in found if d["path"] != "/" and str(PurePosixPath(d["path"]).parent) == path
        ]

    def delete(self, path: str, *, recursive: bool = False) -> None:
        path = self.status(path)["path"]
        if path in FIRST_FOLDERS:
            raise invalid_parameter(f"Path ({path}) cannot be deleted.")
        disk = self._disk(path)
        self._store.delete(KIND, path)
        if not disk.is_dir():
            disk.unlink()
            return
        if any(disk.iterdir()) and not recursive:
            raise ApiError(400, "DIRECTORY_NOT_EMPTY", f"Folder ({path}) is not empty")
        for below in disk.rglob("*"):
            self._store.delete(KIND, f"/{below.relative_to(self._root)}")
        shutil.rmtree(disk)

    def _free(self, path: str, overwrite: bool, language: str | None) -> Document | None:
        parent = str(PurePosixPath(path).parent)
        if self._known(parent) is None:
            raise not_found(f"The parent folder ({parent}) does not exist.")
        before = self._known(path)
        if before is None:
            return None
        if not overwrite:
            raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"Path ({path}) already exists.")
        if before["object_type"] != ("NOTEBOOK" if language else "FILE"):
            raise invalid_parameter(
                f"Path ({path}) is a {before['object_type']}; it cannot be overwritten."
            )
        return before

    def _known(self, path: str) -> Document | None:
        """What is at the path; code in tasks makes and removes files without asking us."""
        disk = self._disk(path)
        document = self._store.get(KIND, path)
        if not disk.exists():
            return None
        if document is None:
            number = self._next_id()
            kind = "DIRECTORY" if disk.is_dir() else "FILE"
            document = {"path": path, "object_type": kind, "object_id": number}
            document["resource_id"] = str(number)
            self._store.put(KIND, path, document)
        return document

    def _put_folder(self, path: str) -> None:
        self._disk(path).mkdir(parents=True, exist_ok=True)
        number = self._next_id()
        folder = {"path": path, "object_type": "DIRECTORY", "object_id": number}
        self._store.put(KIND, path, {**folder, "resource_id": str(number)})

    def _disk(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def _next_id(self) -> int:
        return 10**9 + self._store.next_id(KIND)


def _notebook(
    path: str, content: bytes, format: str, language: str | None
) -> tuple[str, str | None]:
    """Where the object goes, and its language if it is a notebook."""
    if format == "RAW":
        return path, None
    if format == "SOURCE":
        suffix = PurePosixPath(path).suffix.lower()
        language = language or LANGUAGE_BY_SUFFIX.get(suffix)
        if language is None:
            raise invalid_parameter("language is required to import a notebook in SOURCE format.")
        if language not in HEADERS:
            raise invalid_parameter(f"language {language!r} is not one of: {', '.join(HEADERS)}.")
        return path, language
    suffix = PurePosixPath(path).suffix
    found = LANGUAGE_BY_SUFFIX.get(suffix.lower())
    if found and content.startswith(HEADERS[found]):
        return path.removesuffix(suffix), found
    return path, None
