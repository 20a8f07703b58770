"""What the routes of one workspace share; each part starts when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from emulator.settings import Settings
from emulator.sql.catalog_store import CatalogStore
from emulator.store import Store
from emulator.workspace.guard import SIGNED_PREFIX, signature
from emulator.workspace.kinds import Resources, load_kinds
from emulator.workspace.statements import Statements
from emulator.workspace.unity import Unity
from emulator.workspace.workspace_tree import WorkspaceTree

if TYPE_CHECKING:
    from emulator.compute.jobs import JobRunner
    from emulator.compute.manager import Compute
    from emulator.compute.pipeline_updates import PipelineRunner
    from emulator.services.serving.manager import ServingManager
    from emulator.workspace.mlflow_server import MlflowServer


@dataclass
class Workspace:
    """One running workspace."""

    settings: Settings
    token: str
    url: str
    memory: str = "6g"
    cancels: dict[str, threading.Event] = field(default_factory=dict)  # of running refreshes
    _stops: list[Callable[[], None]] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @cached_property
    def store(self) -> Store:
        return Store(self.settings.workspace_db)

    @property
    def catalog(self) -> CatalogStore:
        with self._lock:
            return self._catalog

    @property
    def compute(self) -> Compute:
        with self._lock:
            return self._compute

    @property
    def jobs(self) -> JobRunner:
        with self._lock:
            return self._jobs

    @property
    def pipelines(self) -> PipelineRunner:
        with self._lock:
            return self._pipelines

    @property
    def statements(self) -> Statements:
        with self._lock:
            return self._statements

    @property
    def mlflow(self) -> MlflowServer:
        with self._lock:
            return self._mlflow

    @property
    def serving(self) -> ServingManager:
        with self._lock:
            return self._serving

    @property
    def unity(self) -> Unity:
        with self._lock:
            return self._unity

    @property
    def tree(self) -> WorkspaceTree:
        with self._lock:
            return self._tree

    def resources(self, kind: str) -> Resources:
        """The documents of a kind of kinds.yml."""
        return Resources(load_kinds()[kind], self.store, self.url)

    def stop(self) -> None:
        """End all child processes, the newest first."""
        while self._stops:
            self._stops.pop()()

    @cached_property
    def _catalog(self) -> CatalogStore:
        return CatalogStore(self.settings.catalog_db, self.settings.volumes)

    @cached_property
    def _unity(self) -> Unity:
        return Unity(self._catalog, self.store, lambda: self.compute)

    @cached_property
    def _tree(self) -> WorkspaceTree:
        return WorkspaceTree(self.settings, self.store)

    @cached_property
    def _compute(self) -> Compute:
        from emulator.workspace.compute import WorkspaceCompute

        compute = WorkspaceCompute(
            self.settings,
            self.store,
            self._catalog,
            lambda: self.url,
            self.token,
            memory=self.memory,
        )
        self._stops.append(compute.stop)
        return compute

    @cached_property
    def _jobs(self) -> JobRunner:
        from emulator.compute.jobs import JobRunner

        return JobRunner(self._compute, self.store, self._pipelines)

    @cached_property
    def _pipelines(self) -> PipelineRunner:
        from emulator.compute.pipeline_updates import PipelineRunner

        return PipelineRunner(self._compute, self.store)

    @cached_property
    def _statements(self) -> Statements:
        def link(name: str) -> str:
            path = f"{SIGNED_PREFIX}{name}"
            return f"{self.url}{path}?signature={signature(self.token, path)}"

        return Statements(lambda *args, **named: self.compute.query(*args, **named), link)

    @cached_property
    def _mlflow(self) -> MlflowServer:
        from emulator.workspace.mlflow_server import MlflowServer

        server = MlflowServer(self.settings, self.store)
        self._stops.append(server.stop)
        return server

    @cached_property
    def _serving(self) -> ServingManager:
        from emulator.services.serving.manager import ServingManager

        manager = ServingManager(self.settings, self.store, self.url, self.token)
        self._stops.append(manager.stop)
        return manager


def _workspace(request: Request) -> Workspace:
    workspace: Workspace = request.app.state.workspace
    return workspace


Here = Annotated[Workspace, Depends(_workspace)]
