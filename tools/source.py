"""Where the system tables come from: a simulated account, or a folder of real exports."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from emulator.compute.guard import guarded
from tools.console import DriverError
from tools.paths import ACCOUNT, PYTHON, ROOT, RUN, SOURCE_FILE
from tools.services import Workspace


def choose(system_tables: Path | None) -> None:
    """Note the source, once; mixing a simulated account with exports is refused."""
    wanted = {"kind": "exports" if system_tables else "simulated"}
    if system_tables is not None and not system_tables.is_dir():
        raise DriverError(
            f"SYSTEM_TABLES: {system_tables} is not a folder",
            str(system_tables),
            "name a folder that holds <schema>.<table>/*.parquet",
        )
    if SOURCE_FILE.exists():
        held = json.loads(SOURCE_FILE.read_text())["kind"]
        if held != wanted["kind"]:
            raise DriverError(
                f"This workspace holds {held} system tables; {wanted['kind']} ones were asked for",
                str(SOURCE_FILE),
                "`make clean` first: two accounts in one workspace would add up",
            )
        return
    SOURCE_FILE.parent.mkdir(parents=True, exist_ok=True)
    SOURCE_FILE.write_text(json.dumps(wanted))


def note(**facts: Any) -> None:
    """Remember something about this workspace between runs."""
    SOURCE_FILE.write_text(json.dumps(json.loads(SOURCE_FILE.read_text()) | facts))


def noted(name: str) -> Any:
    """What was remembered; None when nothing was."""
    return json.loads(SOURCE_FILE.read_text()).get(name)


def note_completed() -> None:
    """Remember the last simulated day that went through everything: the next run adds one."""
    if (ACCOUNT / "account.json").exists():
        note(completed_day=_last_day())


def _last_day() -> str:
    return str(json.loads((ACCOUNT / "account.json").read_text())["last_day"])


def simulate(say: Callable[[str], None], arguments: list[str]) -> Path:
    """Make the account, or add its next day; the folder of its tables."""
    if (ACCOUNT / "account.json").exists():
        if noted("completed_day") != _last_day():
            say("the last run did not reach its end: no new day")
            return ACCOUNT / "tables"
        command = ["next-day", "--out", str(ACCOUNT)]
    else:
        command = ["simulate", "--out", str(ACCOUNT), *arguments]
    say(command[0])
    result = subprocess.run(
        guarded([str(PYTHON), "-m", "emulator.account", *command]),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    (RUN / "account.log").write_text(result.stdout + result.stderr)
    if result.returncode != 0:
        lines = (result.stderr or result.stdout).strip().splitlines()
        raise DriverError(
            f"The account could not be simulated: {lines[-1] if lines else 'no reason given'}",
            str(RUN / "account.log"),
        )
    return ACCOUNT / "tables"


def import_tables(
    workspace: Workspace, folder: Path, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Bring a folder of exports into the emulator's system tables; a report a table."""
    headers = {"Authorization": f"Bearer {workspace.token}"}
    with httpx.Client(base_url=workspace.host, headers=headers, timeout=60) as client:
        answer = client.post(
            "/emulator/v1/system-tables/import", json={"folder": str(folder.resolve())}
        )
        operation = _document(answer, folder)
        address = f"/emulator/v1/operations/{operation['operation_id']}"
        while operation["state"] == "RUNNING":
            say((operation["progress"] or ["importing"])[-1])
            time.sleep(0.3)
            operation = _document(client.get(address), folder)
    if operation["state"] != "SUCCESS":
        raise DriverError(
            f"The system tables were not imported: {operation.get('error')}",
            str(folder),
            "mend or remove what it names, and run again; nothing of that table was imported",
        )
    return list(operation["result"])


def _document(answer: httpx.Response, folder: Path) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    if answer.status_code >= 400:
        raise DriverError(f"The import was refused: {body.get('message')}", str(folder))
    return body
