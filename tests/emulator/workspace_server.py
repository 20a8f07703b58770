"""A workspace that really runs: started as its users start it, asked through databricks-sdk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from databricks.sdk import WorkspaceClient

ROOT = Path(__file__).parent.parent.parent
START_SECONDS = 60


class RunningWorkspace:
    """``python -m emulator serve`` on a state folder; ``jars`` matter only to tests with Spark."""

    def __init__(self, state: Path, jars: Path, *arguments: str) -> None:
        self.state = state
        self.log = state.parent / f"{state.name}.log"
        command = ["serve", "--state", str(state), "--jars", str(jars), *arguments]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "emulator", *command],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={**os.environ, "NO_PROXY": "127.0.0.1,localhost"},
            )
        self.server = self._wait()
        self.url = f"http://{self.server['host']}:{self.server['port']}"
        self.token = str(self.server["token"])
        headers = {"Authorization": f"Bearer {self.token}"}
        self.http = httpx.Client(base_url=self.url, headers=headers, timeout=120)
        self.client = WorkspaceClient(host=self.url, token=self.token)

    def stop(self) -> int:
        self.http.close()
        self.process.terminate()
        return self.process.wait(30)

    def _wait(self) -> dict[str, Any]:
        path = self.state / "server.json"
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if path.exists():
                server: dict[str, Any] = json.loads(path.read_text())
                if server["pid"] == self.process.pid:
                    return server
            time.sleep(0.05)
        self.process.kill()
        raise AssertionError(f"the workspace did not start: {self.log.read_text()}")
