"""What the tests of compute share: a workspace on disk, wheels, and a real Compute."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from emulator.compute.manager import Compute
from emulator.compute.spec import TaskFolder, TaskResult, TaskSpec
from emulator.settings import Settings
from emulator.sql.catalog_store import CatalogStore
from emulator.store import Store
from tests.conftest import JARS

VOLUME = "/Volumes/spark_catalog/platform/artifacts"
HEADER = "# Databricks notebook source\n"
SEPARATOR = "\n# COMMAND ----------\n"


class Bench:
    """A workspace's folders and the Compute over them."""

    def __init__(self, state: Path) -> None:
        self.settings = Settings(state=state, jars=JARS)
        self.store = Store(self.settings.workspace_db)
        self.volume = self.settings.volumes / VOLUME.removeprefix("/Volumes/")
        self.volume.mkdir(parents=True)
        catalog = CatalogStore(self.settings.catalog_db, self.settings.volumes)
        self.compute = Compute(
            self.settings, self.store, catalog, lambda: "http://127.0.0.1:9", "token", memory="2g"
        )
        self._runs = 0

    def file(self, path: str, text: str) -> str:
        """Put a file (or a notebook) into the workspace."""
        target = self.settings.workspace_files / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return path

    def notebook(self, *cells: str, path: str = "/Shared/notebook") -> str:
        return self.file(path, HEADER + SEPARATOR.join(cells))

    def wheel(
        self,
        files: dict[str, str],
        *,
        name: str = "product",
        entry_points: str = "",
        requires: str = "",
    ) -> str:
        """Put a wheel into the volume; its path as code in the workspace writes it."""
        info = f"{name}-1.0.dist-info"
        requirement = f"Requires-Dist: {requires}\n" if requires else ""
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requirement}"
        with zipfile.ZipFile(self.volume / f"{name}-1.0-py3-none-any.whl", "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
            archive.writestr(f"{info}/METADATA", metadata)
            archive.writestr(f"{info}/entry_points.txt", f"[console_scripts]\n{entry_points}\n")
        return f"{VOLUME}/{name}-1.0-py3-none-any.whl"

    def run(self, kind: Any, payload: dict[str, Any], **more: Any) -> tuple[TaskResult, str]:
        """Run a task; its result and what it printed."""
        self._runs += 1
        spec = TaskSpec(kind, payload, f"test-{self._runs}", **more)
        result = self.compute.run_task(spec)
        return result, TaskFolder(self.settings.runs / spec.task_run_id).log.read_text()

    def run_notebook(self, *cells: str, **parameters: str) -> tuple[TaskResult, str]:
        path = self.notebook(*cells)
        return self.run("notebook", {"notebook_path": path, "base_parameters": parameters})
