"""The workspace's process: one socket on loopback, one server.json, one clean end."""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import socket
from pathlib import Path
from typing import Any

import uvicorn

from emulator.compute.processes import prepare_for_tasks
from emulator.settings import Settings
from emulator.workspace.app import create_app

HOST = "127.0.0.1"
GRACE_SECONDS = 3


class PortTakenError(RuntimeError):
    """Another program listens on the port that was asked for."""


def serve(settings: Settings, *, port: int = 0, memory: str = "6g") -> None:
    """Serve the workspace of ``settings.state`` until SIGTERM or SIGINT."""
    settings.logs.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # A line a request says nothing, and Spark's errors reach whoever sent the statement.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    last = _last_server(settings.server_file)
    listener = _bind(port, int(last.get("port", 0)))
    token = str(last.get("token") or secrets.token_urlsafe(32))
    actual_port = int(listener.getsockname()[1])
    record = {"host": HOST, "port": actual_port, "token": token, "pid": os.getpid()}
    prepare_for_tasks()
    app = create_app(settings, token, url=f"http://{HOST}:{actual_port}", memory=memory)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS
    )
    # uvicorn raises the signal again when it has stopped; that must not be a second, unclean end.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    _AnnouncingServer(config, settings.server_file, record).run(sockets=[listener])


class _AnnouncingServer(uvicorn.Server):
    """Writes server.json once requests are answered, and takes its pid out at the end."""

    def __init__(self, config: uvicorn.Config, path: Path, record: dict[str, Any]) -> None:
        super().__init__(config)
        self._path = path
        self._record = record

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            _write_private(self._path, self._record)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        _write_private(self._path, {**self._record, "pid": None})


def _last_server(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    record = json.loads(path.read_text())
    return record if isinstance(record, dict) else {}


def _bind(asked: int, last: int) -> socket.socket:
    if asked:
        try:
            return _listener(asked)
        except OSError as error:
            raise PortTakenError(
                f"port {asked} on {HOST} is taken ({error.strerror}); "
                "stop the program that uses it, or choose another with --port"
            ) from error
    try:
        return _listener(last)
    except OSError:
        return _listener(0)


def _listener(port: int) -> socket.socket:
    # asyncio turns off Nagle's delay (40 ms an answer) only for sockets that say TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


def _write_private(path: Path, record: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(record, file)
    temporary.replace(path)
