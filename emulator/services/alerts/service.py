"""The workspace's alerts: their state, their history, and the outbox of their notifications."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from emulator.errors import invalid_state, not_found
from emulator.services.alerts.evaluator import Evaluation, Query, evaluate
from emulator.services.alerts.messages import write
from emulator.services.alerts.mustache import TemplateError
from emulator.store import Document, Store

ALERTS, DESTINATIONS = "alerts", "notification_destinations"
STATE = "alert_state"
OUTBOX = "notification"


def history_stream(alert_id: str) -> str:
    return f"alert/{alert_id}"


class AlertService:
    """Evaluates alerts. Notifications end in the stream ``notification``: nothing is sent."""

    def __init__(self, store: Store, query: Query, workspace_url: str = "") -> None:
        self._store = store
        self._query = query
        self._url = workspace_url

    def evaluate(self, alert_id: str, now: datetime) -> Evaluation:
        """Evaluate one alert, and remember all that follows from it."""
        alert = self._store.get(ALERTS, alert_id)
        if alert is None:
            raise not_found(f"Alert {alert_id} does not exist.")
        if alert.get("lifecycle_state") == "DELETED":
            raise invalid_state(f"Alert {alert_id} is in the trash.")
        evaluation = evaluate(alert, self._query, self._store.get(STATE, alert_id), now)
        if evaluation.notify:
            evaluation = self._notify(alert, evaluation)
        self._remember(alert, evaluation)
        return evaluation

    def _notify(self, alert: Document, evaluation: Evaluation) -> Evaluation:
        """Write one notification a subscription; what cannot be written is the alert's error."""
        settings = alert["evaluation"].get("notification") or {}
        problems = []
        for subscription in settings.get("subscriptions") or ():
            notification = {
                "alert_id": alert["id"],
                "alert_name": alert["display_name"],
                "state": evaluation.state,
                "sent_at": evaluation.evaluated_at,
                **self._recipient(subscription),
            }
            try:
                subject, body = write(
                    alert,
                    evaluation,
                    url=f"{self._url}/sql/alerts-v2/{alert['id']}",
                    is_mail=notification["destination_type"] == "EMAIL",
                )
            except TemplateError as error:
                problems.append(f"template: {error}")
                continue
            if notification["destination_type"] is None:
                problems.append(f"destination {subscription.get('destination_id')} does not exist")
                continue
            self._store.append(OUTBOX, {**notification, "subject": subject, "body": body})
        return (
            replace(evaluation, error="; ".join(sorted(set(problems)))) if problems else evaluation
        )

    def _recipient(self, subscription: dict[str, Any]) -> Document:
        """Who is told, by name: addresses and keys of a destination stay where they are."""
        if subscription.get("user_email"):
            return {"destination_type": "EMAIL", "destination": subscription["user_email"]}
        identity = str(subscription.get("destination_id"))
        destination = self._store.get(DESTINATIONS, identity)
        if destination is None:
            return {"destination_type": None, "destination": identity}
        return {
            "destination_type": destination["destination_type"],
            "destination": destination["display_name"],
            "destination_id": identity,
        }

    def _remember(self, alert: Document, evaluation: Evaluation) -> None:
        document = {"alert_id": alert["id"], **asdict(evaluation)}
        self._store.put(STATE, alert["id"], document)
        self._store.append(history_stream(alert["id"]), document)
        changed = {
            **alert["evaluation"],
            "state": evaluation.state,
            "last_evaluated_at": evaluation.evaluated_at,
        }
        self._store.put(ALERTS, alert["id"], {**alert, "evaluation": changed})
