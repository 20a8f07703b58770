"""One evaluation of one alert: its state, and whether anyone is to be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from emulator.services.alerts.comparison import (
    AlertError,
    Result,
    holds,
    literal,
    needs_threshold,
    operand,
)

Query = Callable[[str], Result]
STATES = ("OK", "TRIGGERED", "ERROR", "UNKNOWN")
_SHOWN_ROWS = 100


@dataclass(frozen=True)
class Evaluation:
    """What came of an evaluation, as plain values that JSON can hold."""

    state: str
    previous_state: str
    evaluated_at: str
    value: Any = None
    threshold: Any = None
    row_count: int = 0
    error: str | None = None
    notify: bool = False
    last_notified_at: str | None = None
    columns: list[str] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)


def evaluate(
    alert: dict[str, Any], query: Query, previous: dict[str, Any] | None, now: datetime
) -> Evaluation:
    """Run the alert's query and decide. ``previous`` is the last evaluation's fields, if any."""
    before = previous or {}
    previous_state = str(before.get("state") or "UNKNOWN")
    found: dict[str, Any] = {}
    try:
        state = _decide(alert, query, found)
    except Exception as error:  # noqa: BLE001 - whatever the query raises, the state is ERROR
        state = "ERROR"
        found["error"] = str(error).split("\n\nJVM stacktrace")[0] or type(error).__name__
    notified = before.get("last_notified_at")
    settings = alert["evaluation"].get("notification") or {}
    notify = _is_due(state, previous_state, settings, notified, now)
    return Evaluation(
        state=state,
        previous_state=previous_state,
        evaluated_at=moment_text(now),
        notify=notify,
        last_notified_at=moment_text(now) if notify else notified,
        **found,
    )


def plain(value: Any) -> Any:
    """A result's value as JSON holds it; decimals as numbers, times as text."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def moment_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _decide(alert: dict[str, Any], query: Query, found: dict[str, Any]) -> str:
    evaluation = alert["evaluation"]
    result = query(alert["query_text"])
    found["row_count"] = len(result.rows)
    found["columns"] = [column.name for column in result.columns]
    found["rows"] = [[plain(value) for value in row] for row in result.rows[:_SHOWN_ROWS]]
    if not result.rows:
        state = str(evaluation.get("empty_result_state") or "UNKNOWN")
        if state not in STATES:
            raise AlertError(f"unknown empty_result_state {state}")
        return state
    comparison = str(evaluation["comparison_operator"])
    value = operand(result, evaluation["source"])
    found["value"] = plain(value)
    threshold = None
    if needs_threshold(comparison):
        threshold = _threshold(evaluation, result)
        found["threshold"] = plain(threshold)
    return "TRIGGERED" if holds(value, comparison, threshold) else "OK"


def _threshold(evaluation: dict[str, Any], result: Result) -> Any:
    threshold = evaluation.get("threshold") or {}
    if threshold.get("column"):
        return operand(result, threshold["column"])
    if threshold.get("value"):
        return literal(threshold["value"])
    raise AlertError("the alert has no threshold to compare with")


def _is_due(
    state: str, before: str, settings: dict[str, Any], notified: str | None, now: datetime
) -> bool:
    """Whether subscribers are told: of a change, or again after ``retrigger_seconds``."""
    if state == "OK":
        return bool(settings.get("notify_on_ok")) and before in ("TRIGGERED", "ERROR")
    if state != "TRIGGERED":
        return False
    if before != "TRIGGERED":
        return True
    wait = int(settings.get("retrigger_seconds") or 0)
    if wait <= 0 or notified is None:
        return False
    return now - datetime.fromisoformat(notified) >= timedelta(seconds=wait)
