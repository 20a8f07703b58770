"""Which kinds have code of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator.provider.client import Api
from emulator.provider.kinds.base import Resource
from emulator.provider.kinds.files import File, Notebook, WorkspaceFile

CODE: dict[str, type[Resource]] = {
    "databricks_file": File,
    "databricks_notebook": Notebook,
    "databricks_workspace_file": WorkspaceFile,
}
DATA_SOURCES: dict[str, Callable[[Api, dict[str, Any]], dict[str, Any]]] = {}
