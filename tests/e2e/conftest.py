"""One deployed and run platform a session: what `make local` leaves, on a smaller account."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from databricks.sdk import WorkspaceClient

ROOT = Path(__file__).parent.parent.parent
DAYS = 45
SIZE = ["--days", str(DAYS), "--usage-rows", "12000", "--seed", "11"]
# An optional source that this account does not export, until its next day.
ABSENT = "billing.cloud_infra_cost"


@dataclass
class Platform:
    """A folder that takes the place of .local, and what ran in it."""

    folder: Path
    first_report: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "HEALTH_MONITOR_LOCAL": str(self.folder), "COLUMNS": "160"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start ``python -m tools ...`` on this platform, and do not wait for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "tools", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def tools(
        self, *arguments: str, check: bool = True, timeout: float = 3000
    ) -> subprocess.CompletedProcess[str]:
        """Run ``python -m tools ...`` on this platform."""
        result = subprocess.run(
            [sys.executable, "-m", "tools", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        if check:
            assert result.returncode == 0, result.stdout + result.stderr
        return result

    @property
    def variables(self) -> dict[str, str]:
        lines = (self.folder / "workspace.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    @property
    def client(self) -> WorkspaceClient:
        found = self.variables
        return WorkspaceClient(
            host=found["DATABRICKS_HOST"], token=found["DATABRICKS_TOKEN"], auth_type="pat"
        )

    @property
    def tables(self) -> Path:
        return self.folder / "account" / "tables"


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Deployed, set up, refreshed once; stopped at the end."""
    built = Platform(tmp_path_factory.mktemp("platform"))
    try:
        account = built.folder / "account"
        command = [sys.executable, "-m", "emulator.account", "simulate", "--out", str(account)]
        subprocess.run([*command, *SIZE], cwd=ROOT, check=True)
        shutil.rmtree(built.tables / ABSENT)
        built.first_report = built.tools("local").stdout
        yield built
    finally:
        built.tools("stop", check=False)


def processes_of(folder: Path) -> list[str]:
    """The command lines of all processes that were started with the folder or work in it."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        line = " ".join([*(process.info["cmdline"] or []), process.info["cwd"] or ""])
        if str(folder) in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(line)
    return found


def wait_until_none(folder: Path) -> None:
    deadline = time.monotonic() + 20
    while processes_of(folder) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert processes_of(folder) == []
