"""Compute of one workspace: a Spark that is started when needed, and processes that run tasks."""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from emulator.compute.connect import open_session
from emulator.compute.processes import TaskProcess
from emulator.compute.results import fetch
from emulator.compute.sizing import adapt
from emulator.compute.spark_server import SparkServer, SparkStartError
from emulator.compute.spec import QueryResult, TaskFolder, TaskResult, TaskSpec, read_result
from emulator.settings import CATALOG, Settings
from emulator.store import Store

POLL_SECONDS = 0.1
SPARK_DEATH_GRACE_SECONDS = 5.0
_LOST_SPARK = ("UNAVAILABLE", "Connection refused", "Socket closed", "RETRIES_EXCEEDED")

OnOutput = Callable[[str], None]


class Compute:
    """Owned by the workspace process; everything it starts ends with it."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        catalog: Any,
        workspace_url: Callable[[], str],
        token: str,
        *,
        memory: str = "6g",
    ) -> None:
        self.settings = settings
        self.store = store
        self.catalog = catalog
        self.workspace_url = workspace_url
        self._token = token
        self._memory = memory
        self._lock = threading.Lock()
        self._server: SparkServer | None = None
        self._idle_sessions: list[tuple[SparkServer, Any]] = []
        self._processes: set[TaskProcess] = set()
        self._stopped = False

    def ensure_started(self) -> SparkServer:
        """The running Spark; starts one when there is none or the last one died."""
        with self._lock:
            if self._stopped:
                raise SparkStartError("the workspace is stopping, so Spark is not started")
            if self._server is not None and self._server.is_running():
                return self._server
            if self._server is not None:
                self._server.stop()
            _end_leftover(self.settings.compute_file)
            server = self._server = SparkServer(self.settings, memory=self._memory)
            try:
                server.start()
            except BaseException:
                server.stop()
                raise
            _write_private(self.settings.compute_file, _description(server))
            return server

    def query(
        self,
        statement: str,
        args: Any = None,
        *,
        catalog: str | None = None,
        schema: str | None = None,
        row_limit: int | None = None,
    ) -> QueryResult:
        """Run one Databricks SQL statement and fetch its rows."""
        from emulator.sql.session import Namespace, execute

        server = self.ensure_started()
        current = Namespace(catalog or CATALOG, schema or "default")
        with self._session_on(server) as session:
            frame = execute(session, statement, catalog=self.catalog, args=args, current=current)
            return fetch(frame, row_limit)

    def run_task(
        self,
        spec: TaskSpec,
        *,
        on_output: OnOutput | None = None,
        cancel: threading.Event | None = None,
    ) -> TaskResult:
        """Run a task in a process of its own, wait for it, and say how it ended."""
        run = _TaskRun(self, spec)
        return run.wait(on_output, cancel or threading.Event())

    def stop(self) -> None:
        """End all tasks and Spark. Nothing can be started afterwards."""
        self._stopped = True
        for process in list(self._processes):
            process.end()
        if self._server is not None:
            self._server.stop()
        with self._lock:
            self._server, self._idle_sessions = None, []
            self.settings.compute_file.unlink(missing_ok=True)

    def task_environment(self) -> dict[str, str]:
        """What Databricks gives a task's process: where its workspace is and who it is."""
        url = self.workspace_url()
        return {
            "DATABRICKS_HOST": url,
            "DATABRICKS_TOKEN": self._token,
            "MLFLOW_TRACKING_URI": url,
            "MLFLOW_REGISTRY_URI": url,
            "MLFLOW_TRACKING_TOKEN": self._token,
        }

    @contextmanager
    def _session_on(self, server: SparkServer) -> Iterator[Any]:
        """A session for one statement alone: its current schema is the session's own."""
        with self._lock:
            self._idle_sessions = [idle for idle in self._idle_sessions if idle[0] is server]
            session = self._idle_sessions.pop()[1] if self._idle_sessions else None
        if session is None:
            session = open_session(server.url)
            adapt(session, self.settings.warehouse)
        try:
            with noticing_death(server, "while the statement ran"):
                yield session
        finally:
            with self._lock:
                self._idle_sessions.append((server, session))

    def _begin(self, spec: TaskSpec, spark: Callable[[], str]) -> TaskProcess:
        process = TaskProcess(self.settings, spec, self.task_environment(), spark)
        self._processes.add(process)
        if self._stopped:
            process.end()
        return process

    def _finish(self, process: TaskProcess) -> None:
        self._processes.discard(process)
        process.close()


class _TaskRun:
    """One task from its start to its result."""

    def __init__(self, compute: Compute, spec: TaskSpec) -> None:
        self._compute = compute
        self._spec = spec
        self._server: SparkServer | None = None
        self._session_id = str(uuid.uuid4())
        self._tail = _Tail(TaskFolder(compute.settings.runs / spec.task_run_id).log)
        self._process = compute._begin(spec, self._spark)

    def wait(self, on_output: OnOutput | None, cancel: threading.Event) -> TaskResult:
        try:
            verdict = self._watch(on_output, cancel)
            if verdict is not None:
                self._process.end()
            if on_output:
                self._tail.pass_on(on_output)
            result = verdict or self._own_result()
            self._release_session(result)
            return result
        finally:
            self._compute._finish(self._process)

    def _spark(self) -> str:
        self._server = self._compute.ensure_started()
        return f"{self._server.url};session_id={self._session_id}"

    def _watch(self, on_output: OnOutput | None, cancel: threading.Event) -> TaskResult | None:
        """Wait for the process's own end; a result is a verdict from outside."""
        limit = self._spec.timeout_seconds
        deadline = time.monotonic() + limit if limit else None
        died: float | None = None
        while self._process.is_running():
            if cancel.wait(POLL_SECONDS):
                return TaskResult("CANCELED", error="The run was canceled.")
            if on_output:
                self._tail.pass_on(on_output)
            now = time.monotonic()
            if deadline is not None and now > deadline:
                return TaskResult("TIMEDOUT", error=f"The task did not end within {limit} s.")
            server = self._server
            if died is None and server is not None and not server.is_running():
                died = now
            if server is not None and died is not None and now > died + SPARK_DEATH_GRACE_SECONDS:
                return _blame_spark(TaskResult("FAILED"), server)
        return None

    def _own_result(self) -> TaskResult:
        result = read_result(self._process.folder)
        if result is None:
            code = self._process.exit_code
            if self._compute._stopped:
                return TaskResult("CANCELED", error="The workspace was stopped.")
            result = TaskResult("FAILED", error=f"The task's process ended: {_ending(code)}.")
        if result.succeeded or self._server is None:
            return result
        lost = _lost_spark(f"{result.error} {result.error_trace}")
        return _blame_spark(result, self._server) if lost and _has_died(self._server) else result

    def _release_session(self, result: TaskResult) -> None:
        """What a task that was ended had asked of Spark must not go on without it."""
        if self._server is None or result.succeeded or not self._server.is_running():
            return
        session = open_session(self._server.url, self._session_id)
        session.stop()


class _Tail:
    """Passes on what a log gains, as whole lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0

    def pass_on(self, receiver: OnOutput) -> None:
        with self._path.open("rb") as log:
            log.seek(self._offset)
            fresh = log.read()
        if fresh:
            self._offset += len(fresh)
            receiver(fresh.decode(errors="replace"))


@contextmanager
def noticing_death(server: SparkServer, when: str) -> Iterator[None]:
    """Raise SparkStartError, with the reason, where a client only finds that Spark is gone."""
    try:
        yield
    except Exception as error:
        if _lost_spark(str(error)) and _has_died(server):
            raise SparkStartError(f"Spark ended {when}: {server.why_it_ended()}") from error
        raise


def _blame_spark(result: TaskResult, server: SparkServer) -> TaskResult:
    result.error = f"Spark ended while the task ran: {server.why_it_ended()}"
    result.spark_died = True
    return result


def _lost_spark(text: str) -> bool:
    return any(sign in text for sign in _LOST_SPARK)


def _has_died(server: SparkServer) -> bool:
    """Whether Spark is dead; its client may notice a moment before its owner does."""
    deadline = time.monotonic() + SPARK_DEATH_GRACE_SECONDS
    while server.is_running() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return not server.is_running()


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by signal {-code}"
    return f"exit code {code}, without a result"


def _description(server: SparkServer) -> dict[str, Any]:
    java = server.java
    return {
        "pid": java.pid if java else None,
        "created": java.create_time() if java else None,
        "port": server.port,
        "token": server.token,
    }


def _write_private(path: Path, document: dict[str, Any]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file)


def _end_leftover(path: Path) -> None:
    """End the Spark of a workspace process that was killed: it holds the metastore's lock."""
    if not path.exists():
        return
    left = json.loads(path.read_text())
    if left["pid"] is not None and psutil.pid_exists(left["pid"]):
        process = psutil.Process(left["pid"])
        if process.create_time() == left["created"]:
            process.kill()
            process.wait(10)
    path.unlink()
