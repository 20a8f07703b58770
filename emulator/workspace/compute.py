"""Compute of the workspace: a Spark that has the schemas which the Unity Catalog API made.

Making a schema through the API needs no Spark, so that a deployment is quick; Spark learns of it
before the next statement or task.
"""

from __future__ import annotations

import threading
from typing import Any

from emulator.compute.connect import open_session
from emulator.compute.manager import Compute, noticing_death
from emulator.compute.spark_server import SparkServer
from emulator.sql.records import Schema
from emulator.sql.session import create_missing_schemas
from emulator.sql.unfinished import remove_unfinished_tables


class WorkspaceCompute(Compute):
    """Whoever asks for Spark gets one whose schemas are those of the catalog."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._schemas_of: SparkServer | None = None
        self._schemas: set[str] = set()
        self._schemas_lock = threading.Lock()

    def ensure_started(self) -> SparkServer:
        server = super().ensure_started()
        with self._schemas_lock:
            self._ensure_schemas(server)
        return server

    def _ensure_schemas(self, server: SparkServer) -> None:
        wanted = {schema.full_name for schema in self.catalog.all(Schema)}
        is_new = server is not self._schemas_of
        known = set() if is_new else self._schemas & wanted
        if wanted - known:
            with noticing_death(server, "while it was given its schemas"):
                session = open_session(server.url)
                try:
                    create_missing_schemas(session, self.catalog)
                    if is_new:
                        remove_unfinished_tables(session, self.settings.warehouse)
                finally:
                    session.stop()
        self._schemas_of, self._schemas = server, wanted
