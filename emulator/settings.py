"""Where an emulated workspace keeps its things, and who it is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

STATE_VARIABLE = "EMULATOR_STATE"
JARS_VARIABLE = "EMULATOR_JARS"

ACCOUNT_ID = "5f7c1b1e-0000-4000-8000-000000000001"
METASTORE_ID = "5f7c1b1e-0000-4000-8000-0000000000aa"
WORKSPACE_ID = "1000000000000001"
USER_NAME = "admin@emulator.local"
CATALOG = "spark_catalog"


@dataclass(frozen=True)
class Settings:
    """The folders of one emulated workspace; all lie below ``state``."""

    state: Path
    jars: Path

    @classmethod
    def from_environment(cls) -> Settings:
        """Read EMULATOR_STATE and EMULATOR_JARS; KeyError names the one that is missing."""
        return cls(
            state=Path(os.environ[STATE_VARIABLE]).resolve(),
            jars=Path(os.environ[JARS_VARIABLE]).resolve(),
        )

    @property
    def server_file(self) -> Path:
        """JSON of the running server: host, port, token, pid (mode 0600)."""
        return self.state / "server.json"

    @property
    def workspace_db(self) -> Path:
        return self.state / "workspace.db"

    @property
    def catalog_db(self) -> Path:
        return self.state / "catalog.db"

    @property
    def workspace_files(self) -> Path:
        """What code in the workspace sees as /Workspace."""
        return self.state / "files" / "Workspace"

    @property
    def volumes(self) -> Path:
        """What code in the workspace sees as /Volumes."""
        return self.state / "files" / "Volumes"

    @property
    def warehouse(self) -> Path:
        return self.state / "warehouse"

    @property
    def metastore(self) -> Path:
        return self.state / "metastore"

    @property
    def mlflow(self) -> Path:
        return self.state / "mlflow"

    @property
    def runs(self) -> Path:
        """One folder a task run: its specification, its result, its output."""
        return self.state / "runs"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def compute_file(self) -> Path:
        """JSON of the running Spark: pid, port, token (mode 0600)."""
        return self.state / "compute.json"
