"""Runs updates of the pipelines that were deployed: what the Pipelines API's routes call."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path
from typing import Any

from emulator.compute.manager import Compute
from emulator.compute.pipeline_sources import PipelineSettingsError, find_sources
from emulator.compute.runs import now_ms
from emulator.compute.spec import TaskResult, TaskSpec
from emulator.errors import ApiError, not_found
from emulator.settings import CATALOG
from emulator.store import Store

Document = dict[str, Any]
ENDED = ("COMPLETED", "FAILED", "CANCELED")


def event_stream(pipeline_id: str) -> str:
    """The Store's stream that holds the pipeline's event log."""
    return f"pipeline/{pipeline_id}"


class PipelineRunner:
    """Reads pipelines from the Store (kind "pipeline"), keeps updates there ("pipeline_update")."""

    def __init__(self, compute: Compute, store: Store) -> None:
        self._compute = compute
        self._store = store
        self._active: dict[str, threading.Event] = {}
        self._changed = threading.Condition()

    def start_update(
        self,
        pipeline_id: str,
        full_refresh: bool = False,
        refresh_selection: list[str] | None = None,
        cause: str = "API_CALL",
        full_refresh_selection: list[str] | None = None,
    ) -> str:
        """Start an update; its update_id. ApiError 409 when one is active."""
        pipeline = self._pipeline(pipeline_id)
        update: Document = {
            "pipeline_id": pipeline_id,
            "update_id": str(uuid.uuid4()),
            "cause": cause,
            "full_refresh": full_refresh,
            "refresh_selection": refresh_selection or [],
            "full_refresh_selection": full_refresh_selection or [],
            "validate_only": False,
            "mode": "DEFAULT",
            "config": pipeline["spec"],
            "state": "QUEUED",
            "creation_time": now_ms(),
        }
        with self._changed:
            for other in self._store.find("pipeline_update", pipeline_id=pipeline_id):
                if other["state"] not in ENDED and other["update_id"] in self._active:
                    raise ApiError(
                        409,
                        "CONFLICT",
                        f"An active update {other['update_id']} already exists for pipeline "
                        f"{pipeline_id}.",
                    )
            cancel = self._active[update["update_id"]] = threading.Event()
            self._save(update)
        arguments = (update, cancel)
        name = f"update-{update['update_id']}"
        threading.Thread(target=self._run, args=arguments, name=name, daemon=True).start()
        return str(update["update_id"])

    def get_update(self, pipeline_id: str, update_id: str) -> Document:
        update = self._store.get("pipeline_update", update_id)
        if update is None or update["pipeline_id"] != pipeline_id:
            raise not_found(f"The update {update_id} of pipeline {pipeline_id} was not found.")
        # What went wrong, and what the task printed, are no fields of the API's update.
        return {key: value for key, value in update.items() if not key.startswith("_")}

    def failure(self, pipeline_id: str, update_id: str) -> str:
        """Why an update did not complete; empty for one that did."""
        self.get_update(pipeline_id, update_id)
        update = self._store.get("pipeline_update", update_id) or {}
        return str(update.get("_error") or "")

    def log(self, pipeline_id: str, update_id: str) -> Path:
        """The file with what the update's process printed."""
        self.get_update(pipeline_id, update_id)
        return self._compute.settings.runs / f"update-{update_id}" / "output.log"

    def stop(self, pipeline_id: str) -> None:
        """Ask the active update, if there is one, to end."""
        self._pipeline(pipeline_id)
        with self._changed:
            for update in self._store.find("pipeline_update", pipeline_id=pipeline_id):
                cancel = self._active.get(update["update_id"])
                if cancel is not None:
                    self._progress(update, "STOPPING")
                    cancel.set()

    def wait(self, pipeline_id: str, update_id: str, timeout: float | None) -> bool:
        """Wait until the update has ended; False when the time is over first."""
        self.get_update(pipeline_id, update_id)
        with self._changed:
            return self._changed.wait_for(lambda: update_id not in self._active, timeout)

    def recover(self) -> None:
        """Close updates that a killed workspace process left active."""
        for update in self._store.find("pipeline_update"):
            if update["state"] not in ENDED and update["update_id"] not in self._active:
                message = "The workspace ended while this update was active."
                self._progress(update, "FAILED", message)

    def _run(self, update: Document, cancel: threading.Event) -> None:
        try:
            self._progress(update, "INITIALIZING", log=False)
            try:
                result = self._compute.run_task(self._spec(update), cancel=cancel)
            except PipelineSettingsError as error:
                result = TaskResult("FAILED", error=str(error))
            self._conclude(update, result)
        except Exception as error:
            self._progress(update, "FAILED", f"The emulator failed: {error}")
            raise
        finally:
            with self._changed:
                self._active.pop(update["update_id"], None)
                self._changed.notify_all()

    def _conclude(self, update: Document, result: TaskResult) -> None:
        """The engine logs how its update ended; what ends the task from outside is logged here."""
        reported = isinstance(result.value, dict) and result.value.get("state") in ENDED
        if result.status == "CANCELED":
            self._progress(update, "CANCELED", "The update was canceled.")
        elif reported and result.succeeded:
            state, error = result.value["state"], result.value.get("error")
            self._progress(update, state, error, log=False)
        else:
            self._progress(update, "FAILED", result.error or "The update failed.")

    def _spec(self, update: Document) -> TaskSpec:
        pipeline_id, update_id = update["pipeline_id"], update["update_id"]
        spec = update["config"]
        schema = spec.get("schema") or spec.get("target")
        if not schema:
            raise PipelineSettingsError("the pipeline's settings name no schema")
        payload = {
            "pipeline_id": pipeline_id,
            "update_id": update_id,
            "name": spec["name"],
            "catalog": spec.get("catalog") or CATALOG,
            "schema": schema,
            "configuration": spec.get("configuration") or {},
            "sources": find_sources(self._compute.settings, self._store, spec),
            "full_refresh": update["full_refresh"],
            "refresh_selection": update["refresh_selection"],
            "full_refresh_selection": update["full_refresh_selection"],
            "state_folder": str(self._compute.settings.state / "pipelines" / pipeline_id),
        }
        updates = self._store.find("pipeline_update", pipeline_id=pipeline_id)
        is_first = not any(other["state"] == "COMPLETED" for other in updates)
        return TaskSpec(
            kind="pipeline",
            payload=payload,
            task_run_id=f"update-{update_id}",
            task_key=spec["name"],
            repeats=not (is_first or payload["full_refresh"]),
            dependencies=list((spec.get("environment") or {}).get("dependencies") or []),
        )

    def _progress(
        self, update: Document, state: str, error: str | None = None, *, log: bool = True
    ) -> None:
        with self._changed:
            update["state"] = state
            if error:
                update["_error"] = error
            self._save(update)
        if log:
            from emulator.compute.pipeline_events import progress_event

            stream = event_stream(update["pipeline_id"])
            self._store.append(stream, progress_event(update, state, error))

    def _save(self, update: Document) -> None:
        self._store.put("pipeline_update", update["update_id"], update)

    def _pipeline(self, pipeline_id: str) -> Document:
        pipeline = self._store.get("pipeline", pipeline_id)
        if pipeline is None:
            raise not_found(f"The specified pipeline {pipeline_id} was not found.")
        return pipeline
