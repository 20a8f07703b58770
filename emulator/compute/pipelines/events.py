"""The update's event log: what the real one writes, in its shape."""

from __future__ import annotations

import threading
import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from emulator.compute.pipelines.model import (
    Dataset,
    EventSink,
    Flow,
    FlowResult,
    PipelineRequest,
)


class EventLog:
    """Numbers the events of one update and passes them to the sink."""

    def __init__(self, sink: EventSink, request: PipelineRequest) -> None:
        self._sink = sink
        self._request = request
        self._number = 0
        self._one_at_a_time = threading.Lock()

    def update_created(self) -> None:
        request = self._request
        details = {
            "cause": "API_CALL",
            "full_refresh": request.full_refresh,
            "refresh_selection": list(request.refresh_selection),
            "full_refresh_selection": list(request.full_refresh_selection),
        }
        self._emit("create_update", f"Update {request.update_id[:6]} started.", details)

    def update_progress(self, state: str, error: str | None = None) -> None:
        message = f"Update {self._request.update_id[:6]} is {state}."
        level = "ERROR" if state == "FAILED" else "INFO"
        self._emit("update_progress", message, {"state": state}, level=level, error=error)

    def dataset_defined(self, name: str, dataset: Dataset) -> None:
        details = {
            "dataset_type": dataset.kind,
            "num_flows": 1,
            "expectations": [asdict(rule) for rule in dataset.expectations],
        }
        message = f"Dataset '{dataset.name}' defined as {dataset.kind}."
        self._emit("dataset_definition", message, details, dataset=name)

    def flow_defined(self, name: str, flow: Flow, inputs: list[str]) -> None:
        details = {
            "output_dataset": name,
            "input_datasets": sorted(set(inputs)),
            "flow_type": "AUTO_CDC" if flow.auto_cdc else "QUERY",
        }
        message = f"Flow '{flow.name}' defined."
        self._emit("flow_definition", message, details, dataset=name, flow=flow.name)

    def flow_status(self, name: str, flow: Flow, status: str) -> None:
        details = {"status": status}
        message = f"Flow '{flow.name}' is {status}."
        self._emit("flow_progress", message, details, dataset=name, flow=flow.name)

    def flow_ended(self, name: str, flow: Flow, result: FlowResult) -> None:
        metrics: dict[str, int] = {"num_output_rows": result.output_rows}
        if result.upserted_rows is not None:
            metrics["num_upserted_rows"] = result.upserted_rows
        if result.deleted_rows is not None:
            metrics["num_deleted_rows"] = result.deleted_rows
        details = {
            "status": result.status,
            "metrics": metrics,
            "data_quality": {
                "dropped_records": result.dropped_rows,
                "expectations": [asdict(count) for count in result.expectations],
            },
        }
        failed = result.status == "FAILED"
        message = f"Flow '{flow.name}' has {result.status}."
        if result.error:
            message = f"Flow '{flow.name}' has {result.status}: {result.error}"
        self._emit(
            "flow_progress",
            message,
            details,
            level="ERROR" if failed else "WARN" if result.status == "SKIPPED" else "INFO",
            dataset=name,
            flow=flow.name,
            error=result.error if failed else None,
        )

    def _emit(
        self,
        event_type: str,
        message: str,
        details: dict[str, Any],
        *,
        level: str = "INFO",
        dataset: str | None = None,
        flow: str | None = None,
        error: str | None = None,
    ) -> None:
        event = {
            "id": str(uuid.uuid4()),
            "origin": self._origin(dataset, flow),
            "message": message,
            "level": level,
            "maturity_level": "STABLE",
            "error": _error(error),
            "event_type": event_type,
            "details": {event_type: details},
        }
        with self._one_at_a_time:
            self._number += 1
            place = {"instance": "execution", "seq_no": self._number}
            event["sequence"] = {"data_plane_id": place}
            event["timestamp"] = datetime.now(UTC).isoformat(timespec="milliseconds")
            self._sink.emit(event)

    def _origin(self, dataset: str | None, flow: str | None) -> dict[str, Any]:
        request = self._request
        origin: dict[str, Any] = {
            "pipeline_id": request.pipeline_id,
            "pipeline_name": request.name,
            "pipeline_type": "WORKSPACE",
            "update_id": request.update_id,
        }
        if dataset:
            origin["dataset_name"] = dataset
        if flow:
            origin["flow_name"] = flow
        return origin


def _error(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    return {"fatal": True, "exceptions": [{"class_name": "PipelineError", "message": text}]}
