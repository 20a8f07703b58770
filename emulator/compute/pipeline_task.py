"""A pipeline's update inside its task process: asks the engine, keeps its events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emulator.compute.context import TaskContext
from emulator.compute.dbutils import DbUtils
from emulator.compute.pipeline_updates import event_stream
from emulator.compute.pipelines import PipelineRequest, Source, run_update
from emulator.store import Store


class StoredEvents:
    """Appends the engine's events to the pipeline's event log, and its update's state."""

    def __init__(self, store: Store, pipeline_id: str, update_id: str) -> None:
        self._store = store
        self._stream = event_stream(pipeline_id)
        self._update_id = update_id

    def emit(self, event: dict[str, Any]) -> None:
        self._store.append(self._stream, event)
        print(f"{event['timestamp']} {event['level']} {event['message']}", flush=True)
        state = event["details"].get("update_progress", {}).get("state")
        # How it ended is for the workspace process to say, once this process has ended.
        if state in ("INITIALIZING", "SETTING_UP_TABLES", "RUNNING"):
            update = self._store.get("pipeline_update", self._update_id)
            if update is not None and update["state"] != "STOPPING":
                self._store.put("pipeline_update", self._update_id, {**update, "state": state})


def run_pipeline(context: TaskContext) -> dict[str, Any]:
    """Run the update; a failed one is a result too, not an error of this task."""
    payload = context.spec.payload
    store = Store(context.settings.workspace_db)
    request = PipelineRequest(
        pipeline_id=payload["pipeline_id"],
        update_id=payload["update_id"],
        name=payload["name"],
        catalog=payload["catalog"],
        schema=payload["schema"],
        configuration=payload["configuration"],
        sources=[Source(**source) for source in payload["sources"]],
        full_refresh=payload["full_refresh"],
        state_folder=Path(payload["state_folder"]),
        refresh_selection=payload["refresh_selection"],
        full_refresh_selection=payload["full_refresh_selection"],
        namespace={"dbutils": DbUtils(context, {}, _no_notebooks)},
    )
    request.state_folder.mkdir(parents=True, exist_ok=True)
    events = StoredEvents(store, request.pipeline_id, request.update_id)
    result = run_update(context.session(), request, events)
    return {"state": result.state, "error": result.error}


def _no_notebooks(path: str, _timeout_seconds: int, _arguments: dict[str, str]) -> str:
    raise RuntimeError(f"dbutils.notebook.run({path!r}): a pipeline runs no other notebooks")
