"""Child processes of the workspace: one HTTP server each, which ends when the workspace ends.

A child reads its standard input, the end of a pipe that only the workspace holds: when the
workspace is gone, even by SIGKILL, the pipe closes and the child ends itself.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

import emulator

HOST = "127.0.0.1"
PORT_VARIABLE = "EMULATOR_CHILD_PORT"
GRACE_SECONDS = 5
POLL_SECONDS = 0.1


class ChildError(RuntimeError):
    """A child did not start; the message says why and where its log is."""


@dataclass
class Child:
    """``python -m module arguments...``, answering at ``health`` once it is ready."""

    name: str
    module: str
    log: Path
    health: str
    arguments: list[str] = field(default_factory=list)
    environment: Mapping[str, str] = field(default_factory=dict)
    start_seconds: float = 120
    process: subprocess.Popen[bytes] | None = None
    url: str = ""

    def start(self) -> None:
        """Start the child and wait until it is ready; ChildError otherwise."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        port = _free_port()
        self.url = f"http://{HOST}:{port}"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", self.module, *self.arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**_variables(), **self.environment, PORT_VARIABLE: str(port)},
                start_new_session=True,
            )
        self._wait_until_ready()

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """End the child; harmless when it has ended."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self.start_seconds
        while time.monotonic() < deadline:
            if not self.is_running():
                raise ChildError(f"{self.name} ended while starting: {self._last_line()}")
            try:
                if httpx.get(self.url + self.health, timeout=2).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                time.sleep(POLL_SECONDS)
        self.stop()
        raise ChildError(
            f"{self.name} did not answer within {self.start_seconds:.0f} s; see {self.log}"
        )

    def _last_line(self) -> str:
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return f"{lines[-1] if lines else 'no output'} (log: {self.log})"


def end_with_parent() -> None:
    """In a child: end this process when the workspace's process is gone."""

    def watch() -> None:
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def child_port() -> int:
    """In a child: the port that the workspace chose for it."""
    return int(os.environ[PORT_VARIABLE])


def _variables() -> dict[str, str]:
    foreign = ("MLFLOW_", "DATABRICKS_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    ours = {"TZ": "UTC", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    return {**kept, **ours, "PYTHONPATH": str(Path(emulator.__file__).parent.parent)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
