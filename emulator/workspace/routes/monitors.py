"""Quality monitors of tables, and their refreshes."""

from __future__ import annotations

import threading
import time
import uuid

from fastapi import APIRouter

from emulator.compute.spec import TaskSpec
from emulator.errors import ApiError, invalid_parameter, invalid_state, not_found
from emulator.workspace import tasks
from emulator.workspace.context import Here, Workspace
from emulator.workspace.values import Document, JsonBody, now_ms, required, whole_number, without

router = APIRouter()
API = "/api/2.1/unity-catalog/tables/{table_name}/monitor"
KIND = "monitor"  # document: MonitorInfo, by the table's full name
REFRESH = "monitor_refresh"
SEEN = "monitor_seen"  # document: what the last refresh has read, by the table's full name
PROFILES = ("snapshot", "time_series", "inference_log")
FIELDS = (
    "assets_dir", "output_schema_name", "baseline_table_name", "custom_metrics",
    "data_classification_config", "inference_log", "latest_monitor_failure_msg", "notifications",
    "schedule", "slicing_exprs", "snapshot", "time_series",
)  # fmt: skip


def monitor_of(here: Workspace, table_name: str) -> Document:
    here.unity.get_table(table_name)
    document = here.store.get(KIND, table_name.lower())
    if document is None:
        raise not_found(f"The table '{table_name}' has no monitor.")
    return document


def _document(here: Workspace, table_name: str, body: Document) -> Document:
    schema = str(required(body, "output_schema_name"))
    if schema.count(".") != 1:
        raise invalid_parameter(f"output_schema_name {schema!r} is not <catalog>.<schema>.")
    here.unity.get_schema(schema)
    sent = [profile for profile in PROFILES if body.get(profile) is not None]
    if len(sent) != 1:
        raise invalid_parameter(f"A monitor needs exactly one of: {', '.join(PROFILES)}.")
    base = f"{schema}.{table_name.split('.')[-1]}"
    return {
        "table_name": table_name,
        "status": "MONITOR_STATUS_ACTIVE",
        "profile_metrics_table_name": f"{base}_profile_metrics",
        "drift_metrics_table_name": f"{base}_drift_metrics",
        **{field: body[field] for field in FIELDS if body.get(field) is not None},
    }


@router.post(API)
def create(here: Here, table_name: str, body: JsonBody) -> Document:
    table_name = here.unity.get_table(table_name)["full_name"]
    required(body, "assets_dir")
    if here.store.get(KIND, table_name) is not None:
        raise ApiError(
            409, "RESOURCE_ALREADY_EXISTS", f"The table '{table_name}' already has a monitor."
        )
    document = {**_document(here, table_name, body), "monitor_version": 0}
    if not body.get("skip_builtin_dashboard"):
        document["dashboard_id"] = uuid.uuid4().hex
    here.store.put(KIND, table_name, document)
    return document


@router.get(API)
def get(here: Here, table_name: str) -> Document:
    return monitor_of(here, table_name)


@router.put(API)
def update(here: Here, table_name: str, body: JsonBody) -> Document:
    before = monitor_of(here, table_name)
    document = _document(here, before["table_name"], {"assets_dir": before["assets_dir"], **body})
    document["monitor_version"] = before["monitor_version"] + 1
    dashboard = body.get("dashboard_id") or before.get("dashboard_id")
    if dashboard:
        document["dashboard_id"] = dashboard
    here.store.put(KIND, before["table_name"], document)
    return document


@router.delete(API)
def delete(here: Here, table_name: str) -> Document:
    """The monitor ends; the tables that it wrote stay, as on Databricks."""
    table_name = monitor_of(here, table_name)["table_name"]
    here.store.delete(KIND, table_name)
    here.store.delete(SEEN, table_name)
    return {}


def _key(table_name: str, refresh_id: int) -> str:
    return f"{table_name.lower()}/{refresh_id}"


def _refresh_of(here: Workspace, table_name: str, refresh_id: str) -> Document:
    monitor_of(here, table_name)
    number = whole_number(refresh_id, "refresh_id")
    document = here.store.get(REFRESH, _key(table_name, number))
    if document is None:
        raise not_found(f"The monitor of '{table_name}' has no refresh {refresh_id}.")
    return document


def _shown(document: Document) -> Document:
    return without(document, "key", "table_name")


@router.post(f"{API}/refreshes")
def run_refresh(here: Here, table_name: str) -> Document:
    monitor = monitor_of(here, table_name)
    refresh_id = here.store.next_id(REFRESH)
    key = _key(table_name, refresh_id)
    document = {
        "key": key,
        "refresh_id": refresh_id,
        "table_name": monitor["table_name"],
        "state": "PENDING",
        "start_time_ms": now_ms(),
        "trigger": "MANUAL",
    }
    here.store.put(REFRESH, key, document)
    here.cancels[key] = threading.Event()
    arguments = (here, monitor, document)
    threading.Thread(target=_refresh, args=arguments, daemon=True).start()
    return _shown(document)


def _refresh(here: Workspace, monitor: Document, document: Document) -> None:
    key = document["key"]
    here.store.put(REFRESH, key, {**document, "state": "RUNNING"})
    table_name = document["table_name"]
    arguments = {
        "monitor": monitor,
        "at_ms": document["start_time_ms"],
        "seen": here.store.get(SEEN, table_name),
    }
    spec = TaskSpec(
        kind="module",
        payload={"module": tasks.MODULE, "function": "refresh_monitor", "arguments": arguments},
        task_run_id=f"monitor-{document['refresh_id']}-{int(time.time())}",
    )
    try:
        result = here.compute.run_task(spec, cancel=here.cancels[key])
        state = {"SUCCESS": "SUCCESS", "CANCELED": "CANCELED"}.get(result.status, "FAILED")
        message = result.error
        if result.succeeded and here.store.get(KIND, table_name) is not None:
            here.store.put(SEEN, table_name, result.value["seen"])
    except Exception as error:  # noqa: BLE001 - a refresh that cannot run has failed
        state, message = "FAILED", str(error)
    here.cancels.pop(key, None)
    ended = {**document, "state": state, "end_time_ms": now_ms()}
    here.store.put(REFRESH, key, {**ended, "message": message} if message else ended)


@router.get(f"{API}/refreshes")
def list_refreshes(here: Here, table_name: str) -> Document:
    monitor = monitor_of(here, table_name)
    found = here.store.find(REFRESH, table_name=monitor["table_name"])
    return {"refreshes": [_shown(document) for document in reversed(found)]}


@router.get(f"{API}/refreshes/{{refresh_id}}")
def get_refresh(here: Here, table_name: str, refresh_id: str) -> Document:
    return _shown(_refresh_of(here, table_name, refresh_id))


@router.post(f"{API}/refreshes/{{refresh_id}}/cancel")
def cancel_refresh(here: Here, table_name: str, refresh_id: str) -> Document:
    document = _refresh_of(here, table_name, refresh_id)
    if document["state"] not in ("PENDING", "RUNNING"):
        raise invalid_state(f"Refresh {refresh_id} has ended: {document['state']}.")
    cancel = here.cancels.get(_key(table_name, document["refresh_id"]))
    if cancel is not None:
        cancel.set()
    return {}
