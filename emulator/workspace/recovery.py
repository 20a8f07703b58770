"""What a workspace process that was killed left behind, set right by the next one."""

from __future__ import annotations

from emulator.workspace.context import Workspace
from emulator.workspace.values import now_ms

MESSAGE = "The workspace ended while this was running."


def recover(here: Workspace) -> None:
    """Close what cannot go on, and take up again what can."""
    if here.store.find("run") or here.store.find("pipeline_update"):
        here.jobs.recover()
    for kind, identity in (("operation", "operation_id"), ("monitor_refresh", "key")):
        for document in here.store.find(kind):
            if document["state"] in ("PENDING", "RUNNING"):
                end = {"state": "FAILED", "end_time_ms": now_ms()}
                note = {"error" if kind == "operation" else "message": MESSAGE}
                here.store.put(kind, document[identity], {**document, **end, **note})
    for endpoint in here.store.find("serving_endpoint"):
        if "pending_config" in endpoint:
            here.serving.apply(endpoint["name"])
