"""Evaluates an alert of the workspace."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from emulator.services.alerts import AlertService
from emulator.workspace.context import Workspace
from emulator.workspace.values import Document


def evaluate_alert(here: Workspace, alert_id: str, now: datetime) -> Document:
    """Run the alert's query and decide; its state, history and notifications are kept."""
    service = AlertService(here.store, here.compute.query, here.url)
    return {"alert_id": alert_id, **asdict(service.evaluate(alert_id, now))}
