"""Events of a pipeline that the engine itself cannot write, since it was ended or never began."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any


def progress_event(update: dict[str, Any], state: str, error: str | None) -> dict[str, Any]:
    """An ``update_progress`` event in the event log's shape."""
    level = "ERROR" if state == "FAILED" else "INFO"
    message = f"Update {update['update_id'][:6]} is {state}."
    cause = None
    if error:
        message = f"{message} {error}"
        cause = {
            "fatal": state == "FAILED",
            "exceptions": [{"class_name": "UpdateError", "message": error}],
        }
    return {
        "id": str(uuid.uuid4()),
        "sequence": {"control_plane_seq_no": 0},
        "origin": {
            "pipeline_id": update["pipeline_id"],
            "pipeline_name": update["config"]["name"],
            "pipeline_type": "WORKSPACE",
            "update_id": update["update_id"],
        },
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "message": message,
        "level": level,
        "maturity_level": "STABLE",
        "error": cause if state == "FAILED" else None,
        "event_type": "update_progress",
        "details": {"update_progress": {"state": state}},
    }
