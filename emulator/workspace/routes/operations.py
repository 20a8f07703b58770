"""What only the emulator has: system tables and audit events brought in, an alert evaluated."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path

from fastapi import APIRouter

from emulator.compute.spec import TaskSpec
from emulator.errors import invalid_parameter, not_found
from emulator.workspace import tasks
from emulator.workspace.alerts import evaluate_alert
from emulator.workspace.audit import deliver
from emulator.workspace.context import Here, Workspace
from emulator.workspace.values import Document, JsonBody, now_ms, required

router = APIRouter()
API = "/emulator/v1"
KIND = "operation"


@router.post(f"{API}/alerts/{{alert_id}}/evaluate")
def evaluate(here: Here, alert_id: str) -> Document:
    return evaluate_alert(here, alert_id, datetime.now(UTC))


@router.post(f"{API}/audit/deliver")
def deliver_audit(here: Here) -> Document:
    """What Databricks does by itself, some time after the event."""
    return {"events": deliver(here)}


@router.post(f"{API}/system-tables/import", status_code=202)
def import_system_tables(here: Here, body: JsonBody) -> Document:
    folder = Path(str(required(body, "folder")))
    if not folder.is_dir():
        raise invalid_parameter(f"folder: {folder} is not a folder on this machine.")
    operation_id = str(uuid.uuid4())
    document = {
        "operation_id": operation_id,
        "kind": "system-tables/import",
        "state": "RUNNING",
        "progress": [],
        "start_time_ms": now_ms(),
    }
    here.store.put(KIND, operation_id, document)
    arguments = (here, document, folder.resolve())
    threading.Thread(target=_import, args=arguments, daemon=True).start()
    return document


@router.get(f"{API}/operations/{{operation_id}}")
def operation(here: Here, operation_id: str) -> Document:
    document = here.store.get(KIND, operation_id)
    if document is None:
        raise not_found(f"The operation {operation_id} does not exist.")
    return document


def _import(here: Workspace, document: Document, folder: Path) -> None:
    operation_id = document["operation_id"]

    def progress(text: str) -> None:
        document["progress"] += [line for line in text.splitlines() if line.strip()]
        here.store.put(KIND, operation_id, document)

    payload = {
        "module": tasks.MODULE,
        "function": "import_system_tables",
        "arguments": {"folder": str(folder)},
    }
    spec = TaskSpec(kind="module", payload=payload, task_run_id=f"import-{operation_id}")
    try:
        result = here.compute.run_task(spec, on_output=progress)
        outcome = {"state": result.status, "result": result.value}
        if not result.succeeded:
            outcome["error"] = result.error
    except Exception as error:  # noqa: BLE001 - an import that cannot run has failed
        outcome = {"state": "FAILED", "error": str(error)}
    document.update(outcome, end_time_ms=now_ms())
    here.store.put(KIND, operation_id, document)
