"""The process of one task, seen from the workspace process that started it."""

from __future__ import annotations

import contextlib
import json
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from multiprocessing import forkserver

from emulator.compute.spark_server import FOREIGN_VARIABLES
from emulator.compute.spec import TaskFolder, TaskSpec
from emulator.compute.task_start import begin_task
from emulator.settings import JARS_VARIABLE, STATE_VARIABLE, Settings

log = logging.getLogger(__name__)
SparkProvider = Callable[[], str]
GRACE_SECONDS = 5.0
POLL_SECONDS = 0.05
# What every task needs and takes seconds to import: it is imported once, and tasks are forked.
_IMPORTED_ONCE = [
    "pandas",
    "pyarrow.parquet",
    "pydantic",
    "pyspark.sql.connect.functions",
    "pyspark.sql.connect.session",
    "sqlglot.dialects.databricks",
    "yaml",
]
# Whoever asks first how a process ended is told; a start asks for all of them.
_ASKING = threading.Lock()
_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(_IMPORTED_ONCE)


def prepare_for_tasks() -> None:
    """Start the process that tasks are forked from, so that the first does not wait for it."""
    forkserver.ensure_running()


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
        # It is read while the task runs, perhaps before the task has come to open it.
        self.folder.log.touch()
        self.folder.spec.write_text(json.dumps(asdict(spec)))
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = _FORKING.Process(
                target=begin_task,
                args=(str(self.folder.path), _variables(settings, environment), theirs),
                daemon=True,
            )
            with _ASKING:
                self.process.start()
        if self.process.pid is None:
            raise RuntimeError("a task that was started has no process")
        self._group = self.process.pid
        self._control = ours
        self._spark = spark
        self._answering = threading.Thread(target=self._answer, daemon=True)
        self._answering.start()

    def is_running(self) -> bool:
        with _ASKING:
            return self.process.is_alive()

    @property
    def exit_code(self) -> int | None:
        """None while it runs; -9 after signal 9."""
        return self.process.exitcode

    def end(self) -> None:
        """End the task and whatever it started."""
        self._signal(signal.SIGTERM)
        self._wait(GRACE_SECONDS)
        self._signal(signal.SIGKILL)
        self._wait(GRACE_SECONDS)

    def close(self) -> None:
        """Forget an ended task; what it left running in its group ends too."""
        self._signal(signal.SIGKILL)
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        self._answering.join()
        self._control.close()

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.is_running() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        # A group without members is what we want; macOS says so with EPERM.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._group, number)

    def _answer(self) -> None:
        with self._control.makefile("rw") as channel:
            for _request in channel:
                try:
                    answer = {"url": self._spark()}
                except RuntimeError as error:
                    answer = {"error": str(error)}
                except Exception as error:
                    # Without an answer the task would wait for ever.
                    log.exception("a task asked for Spark")
                    answer = {"error": f"{type(error).__name__}: {error}"}
                try:
                    print(json.dumps(answer), file=channel, flush=True)
                except BrokenPipeError:
                    return


def _variables(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN_VARIABLES)}
    return {
        **kept,
        **environment,
        STATE_VARIABLE: str(settings.state),
        JARS_VARIABLE: str(settings.jars),
        "TZ": "UTC",
    }
