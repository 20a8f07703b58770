"""Evaluates an alert of the workspace, and keeps its state and its history."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from emulator.workspace.context import Workspace
from emulator.workspace.values import Document

STATE = "alert_state"  # document: the last evaluation, by alert


def evaluate_alert(here: Workspace, alert_id: str, now: datetime) -> Document:
    """Run the alert's query, decide, write notifications to the outbox, remember it all."""
    from emulator.services.alerts.evaluator import evaluate

    alert = here.resources("alerts").get(alert_id)
    evaluation = evaluate(alert, here.compute.query, here.store.get(STATE, alert_id), now)
    document = _plain(dataclasses.asdict(evaluation))
    at = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    document = {"alert_id": alert_id, "evaluated_at": at, **document}
    here.store.put(STATE, alert_id, document)
    here.store.append(f"alert_evaluations/{alert_id}", document)
    changed = {**alert["evaluation"], "state": document["state"], "last_evaluated_at": at}
    here.store.put("alerts", alert_id, {**alert, "evaluation": changed})
    return document


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
