"""Finds the source files that a pipeline's libraries name, among the workspace's files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emulator.settings import Settings
from emulator.store import Store


class PipelineSettingsError(ValueError):
    """The pipeline's settings cannot be run; the message says which and why."""


def find_sources(settings: Settings, store: Store, spec: dict[str, Any]) -> list[dict[str, str]]:
    """Each source once, as {path, text, kind}, in the order of the libraries."""
    sources: dict[str, dict[str, str]] = {}
    for library in spec.get("libraries") or []:
        for path, kind in _named(settings, store, library):
            file = settings.workspace_files / path.removeprefix("/Workspace/")
            text = file.read_text()
            sources[path] = {"path": path, "text": text, "kind": kind}
    if not sources:
        raise PipelineSettingsError("the pipeline has no libraries with source code")
    return list(sources.values())


def _named(settings: Settings, store: Store, library: dict[str, Any]) -> list[tuple[str, str]]:
    if library.get("notebook"):
        return [(_existing(settings, library["notebook"]["path"]), "notebook")]
    if library.get("file"):
        return [(_existing(settings, library["file"]["path"]), "file")]
    if library.get("glob"):
        return _matching(settings, store, library["glob"]["include"])
    raise PipelineSettingsError(f"a library must be a notebook, a file or a glob: {library}")


def _existing(settings: Settings, path: str) -> str:
    full = _full(path)
    if not (settings.workspace_files / full.removeprefix("/Workspace/")).is_file():
        raise PipelineSettingsError(f"the pipeline's source {path} does not exist in the workspace")
    return full


def _matching(settings: Settings, store: Store, include: str) -> list[tuple[str, str]]:
    pattern = _full(include).removeprefix("/Workspace/")
    root = settings.workspace_files
    if pattern.endswith("/**"):
        pattern += "/*"
    files = sorted(file for file in root.glob(pattern) if file.is_file())
    found = []
    for file in files:
        inside = f"/{file.relative_to(root)}"
        known = store.get("workspace_object", inside) or {}
        if known.get("object_type") == "NOTEBOOK":
            found.append((f"/Workspace{inside}", "notebook"))
        elif file.suffix == ".py":
            found.append((f"/Workspace{inside}", _kind_of_text(file)))
    if not found:
        raise PipelineSettingsError(f"the pipeline's glob {include} matches no source file")
    return found


def _kind_of_text(file: Path) -> str:
    with file.open() as opened:
        first = opened.readline()
    return "notebook" if first.startswith("# Databricks notebook source") else "file"


def _full(path: str) -> str:
    return path if path.startswith("/Workspace/") else f"/Workspace{path}"
