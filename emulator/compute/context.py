"""What one task's process knows: its specification, its session (when wanted), its task values."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

from emulator.compute.connect import open_session, session_url
from emulator.compute.environments import Environment
from emulator.compute.sizing import adapt
from emulator.compute.spec import TaskSpec
from emulator.settings import CATALOG, Settings


class SparkUnavailableError(RuntimeError):
    """The workspace could not give this task a Spark; the message says why."""


class TaskContext:
    """Opens the Connect session on first use, so that a task without SQL starts no Spark."""

    def __init__(self, settings: Settings, spec: TaskSpec, control: socket.socket) -> None:
        self.settings = settings
        self.spec = spec
        self.environment = Environment(settings)
        self.task_values: dict[str, Any] = {}
        self._control = control
        self._session: Any = None
        self._lock = threading.RLock()

    def session(self) -> Any:
        """The task's Spark session; the same one however it is asked for."""
        with self._lock:
            if self._session is None:
                url = self._ask_for_spark()
                os.environ["SPARK_REMOTE"] = session_url(url)
                self._session = open_session(url)
                _make_default(self._session)
                self._prepare(self._session)
            return self._session

    def close(self) -> None:
        if self._session is not None and not self._session.is_stopped:
            self._session.stop()

    def _prepare(self, session: Any) -> None:
        from emulator.sql.catalog_store import CatalogStore
        from emulator.sql.session import install

        adapt(session, self.settings.warehouse, repeats=self.spec.repeats)
        install(session, CatalogStore(self.settings.catalog_db, self.settings.volumes))
        if (self.spec.catalog, self.spec.schema) != (CATALOG, "default"):
            session.sql(f"USE `{self.spec.catalog}`.`{self.spec.schema}`")
        for archive in self.environment.archives():
            session.addArtifacts(str(archive), pyfile=True)
        self.environment.when_added(lambda a: session.addArtifacts(str(a), pyfile=True))

    def _ask_for_spark(self) -> str:
        with self._control.makefile("rw") as channel:
            print(json.dumps({"want": "spark"}), file=channel, flush=True)
            line = channel.readline()
        if not line:
            raise SparkUnavailableError("the workspace ended while this task asked it for Spark")
        answer: dict[str, str] = json.loads(line)
        if "error" in answer:
            raise SparkUnavailableError(answer["error"])
        return answer["url"]

    def real_path(self, path: str) -> Path:
        """Where a file of the workspace or of a volume lies on disk."""
        plain = path.removeprefix("dbfs:").removeprefix("file:")
        if plain.startswith("/Volumes/"):
            return self.settings.volumes / plain.removeprefix("/Volumes/")
        inside = plain.removeprefix("/Workspace").lstrip("/")
        return self.settings.workspace_files / inside


def give_sessions(context: TaskContext) -> None:
    """Make PySpark's own ways to a session (getOrCreate, getActiveSession) lead to the task's."""
    from pyspark.sql.connect.session import SparkSession

    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    os.environ["SPARK_REMOTE"] = "sc://started-when-first-used"
    own = SparkSession.getActiveSession

    def active(_cls: type) -> Any:
        return own() or SparkSession._get_default_session() or context.session()

    SparkSession.getActiveSession = classmethod(active)


def _make_default(session: Any) -> None:
    from pyspark.sql.connect.session import SparkSession

    SparkSession._set_default_and_active_session(session)
