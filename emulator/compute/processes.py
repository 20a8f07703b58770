"""The process of one task, seen from the workspace process that started it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import emulator
from emulator.compute.spark_server import FOREIGN_VARIABLES
from emulator.compute.spec import TaskFolder, TaskSpec
from emulator.settings import JARS_VARIABLE, STATE_VARIABLE, Settings

SparkProvider = Callable[[], str]
GRACE_SECONDS = 5.0
CONTROL_VARIABLE = "EMULATOR_CONTROL"


class TaskProcess:
    """Starts the task; gives it Spark's address when it asks for one; ends it."""

    def __init__(
        self,
        settings: Settings,
        spec: TaskSpec,
        environment: Mapping[str, str],
        spark: SparkProvider,
    ) -> None:
        self.folder = TaskFolder(settings.runs / spec.task_run_id)
        self.folder.path.mkdir(parents=True, exist_ok=True)
        self.folder.result.unlink(missing_ok=True)
        self.folder.spec.write_text(json.dumps(asdict(spec)))
        ours, theirs = socket.socketpair()
        variables = _variables(settings, environment, theirs.fileno())
        with self.folder.log.open("ab") as log, theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "emulator.compute.task", str(self.folder.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=variables,
                cwd=self.folder.path,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._control = ours
        self._spark = spark
        self._answering = threading.Thread(target=self._answer, daemon=True)
        self._answering.start()

    def end(self) -> None:
        """End the task and whatever it started."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE_SECONDS)
        self._signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """Forget an ended task; what it left running in its group ends too."""
        self._signal(signal.SIGKILL)
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        self._answering.join()
        self._control.close()

    def _signal(self, number: signal.Signals) -> None:
        # A group without members is what we want; macOS says so with EPERM.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def _answer(self) -> None:
        with self._control.makefile("rw") as channel:
            for _request in channel:
                try:
                    answer = {"url": self._spark()}
                except RuntimeError as error:
                    answer = {"error": str(error)}
                try:
                    print(json.dumps(answer), file=channel, flush=True)
                except BrokenPipeError:
                    return


def _variables(settings: Settings, environment: Mapping[str, str], control: int) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN_VARIABLES)}
    return {
        **kept,
        **environment,
        STATE_VARIABLE: str(settings.state),
        JARS_VARIABLE: str(settings.jars),
        CONTROL_VARIABLE: str(control),
        "PYTHONPATH": str(Path(emulator.__file__).parent.parent),
        "PYTHONUNBUFFERED": "1",
        "TZ": "UTC",
    }
