"""The two servers that outlive the driver: the emulated workspace and the state backend."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tools.console import DriverError
from tools.paths import JARS, LOCAL, PYTHON, ROOT, RUN, STATE_BACKEND, WORKSPACE, WORKSPACE_ENV

BUCKET = "health-monitor-state"
START_SECONDS = 60
SERVERS = ("workspace", "state-backend")


@dataclass(frozen=True)
class Workspace:
    """Where the emulated workspace answers, and with which token."""

    host: str
    token: str


def start_workspace() -> Workspace:
    """Start the emulator, or find it running; DriverError when it does not come up."""
    server_file = WORKSPACE / "server.json"
    if not _is_alive("workspace"):
        server_file.unlink(missing_ok=True)
        command = [str(PYTHON), "-m", "emulator", "serve"]
        command += ["--state", str(WORKSPACE), "--jars", str(JARS)]
        _start("workspace", command)
    _wait("workspace", server_file.exists)
    server = json.loads(server_file.read_text())
    workspace = Workspace(f"http://127.0.0.1:{server['port']}", server["token"])
    _wait("workspace", lambda: _answers(workspace))
    write_variables({"DATABRICKS_HOST": workspace.host, "DATABRICKS_TOKEN": workspace.token})
    return workspace


def start_state_backend() -> str:
    """Start the S3 state backend, or find it running; its endpoint."""
    port_file = RUN / "state-backend.port"
    if not _is_alive("state-backend"):
        port = _free_port(preferred=int(port_file.read_text()) if port_file.exists() else 0)
        RUN.mkdir(parents=True, exist_ok=True)
        port_file.write_text(str(port))
        command = [str(PYTHON), "-m", "tools.state_backend", "--folder", str(STATE_BACKEND)]
        _start("state-backend", [*command, "--bucket", BUCKET, "--port", str(port)])
    port = int(port_file.read_text())
    _wait("state-backend", lambda: _listens(port))
    return f"http://127.0.0.1:{port}"


def stop_all() -> list[str]:
    """Stop both servers and all their children; the names of those that ran."""
    stopped = []
    for name in SERVERS:
        process = _process(name)
        if process is not None:
            _end(process)
            stopped.append(name)
        _pid_file(name).unlink(missing_ok=True)
    return stopped


def running() -> list[str]:
    """The names of the servers that run now."""
    return [name for name in SERVERS if _is_alive(name)]


def forget_ended() -> None:
    """Servers of an earlier run that are gone are no news."""
    for name in _gone():
        _pid_file(name).unlink()


def _gone() -> list[str]:
    return [name for name in SERVERS if _pid_file(name).exists() and not _is_alive(name)]


def ended() -> DriverError | None:
    """What to say when a server is gone that was started and not stopped; None when none is."""
    gone = _gone()
    if not gone:
        return None
    return DriverError(
        f"The {' and the '.join(gone)} ended in the middle of the work",
        str(_log(gone[0])),
        "run `make local` again; what was done so far is kept",
    )


def _start(name: str, command: list[str]) -> None:
    RUN.mkdir(parents=True, exist_ok=True)
    log = _log(name)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, "TZ": "UTC"},
        )
    created = psutil.Process(process.pid).create_time()
    _pid_file(name).write_text(json.dumps({"pid": process.pid, "created": created}))


def _wait(name: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if ready():
            return
        if not _is_alive(name):
            lines = _log(name).read_text(errors="replace").strip().splitlines()
            last = lines[-1] if lines else "it printed nothing"
            raise DriverError(f"The {name} ended while starting: {last}", str(_log(name)))
        time.sleep(0.1)
    raise DriverError(f"The {name} did not answer within {START_SECONDS} s", str(_log(name)))


def _answers(workspace: Workspace) -> bool:
    try:
        answer = httpx.get(f"{workspace.host}/emulator/v1/health", timeout=2)
    except httpx.TransportError:
        return False
    return answer.status_code == 200


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port(preferred: int) -> int:
    for port in (preferred, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DriverError("No free port on loopback")


def _process(name: str) -> psutil.Process | None:
    """The server's process, if it is still the one that was started (pids are used again)."""
    if not _pid_file(name).exists():
        return None
    noted = json.loads(_pid_file(name).read_text())
    try:
        process = psutil.Process(noted["pid"])
        same = abs(process.create_time() - noted["created"]) < 1
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _is_alive(name: str) -> bool:
    return _process(name) is not None


def _end(process: psutil.Process) -> None:
    family = [process, *process.children(recursive=True)]
    process.terminate()
    _, alive = psutil.wait_procs(family, timeout=15)
    for member in alive:
        member.kill()
    psutil.wait_procs(alive, timeout=5)


def _pid_file(name: str) -> Path:
    return RUN / f"{name}.json"


def _log(name: str) -> Path:
    return RUN / f"{name}.log"


def write_variables(variables: dict[str, str]) -> None:
    """Keep what clients and Terraform need for this workspace in .local/workspace.env (0600)."""
    LOCAL.mkdir(exist_ok=True)
    WORKSPACE_ENV.touch(mode=0o600)
    WORKSPACE_ENV.chmod(0o600)
    WORKSPACE_ENV.write_text("".join(f"{k}={v}\n" for k, v in variables.items()))
