"""Alerts: the condition, the state from one evaluation to the next, and who is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from emulator.compute.spec import Column, QueryResult
from emulator.errors import ApiError
from emulator.services.alerts import AlertService, evaluate
from emulator.services.alerts.mustache import TemplateError, render
from emulator.store import Store

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)


def result(names: list[str], rows: list[list[Any]]) -> QueryResult:
    return QueryResult([Column(n, "string", "STRING", i) for i, n in enumerate(names)], rows)


def alert(**evaluation: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "source": {"name": "cost"},
        "comparison_operator": "GREATER_THAN",
        "threshold": {"value": {"double_value": 10.0}},
        "empty_result_state": "OK",
    }
    return {
        "id": "a1",
        "display_name": "Daily <cost>",
        "query_text": "SELECT 1",
        "evaluation": {**settings, **evaluation},
    }


def state_of(names: list[str], rows: list[list[Any]], **evaluation: Any) -> tuple[str, Any]:
    found = evaluate(alert(**evaluation), lambda _: result(names, rows), None, NOW)
    return found.state, found.value


@pytest.mark.parametrize(
    ("aggregation", "value"),
    [
        (None, 4), ("MAX", 20), ("MIN", 4), ("SUM", 36), ("AVG", 12), ("MEDIAN", 12),
        ("COUNT", 3), ("COUNT_DISTINCT", 3), ("STDDEV", 8.0),
    ],
)  # fmt: skip
def test_the_value_is_of_the_first_row_or_aggregated_without_nulls(
    aggregation: str | None, value: float
) -> None:
    rows: list[list[Any]] = [[Decimal(4)], [None], [Decimal(20)], [Decimal(12)]]
    state, found = state_of(["Cost"], rows, source={"name": "cost", "aggregation": aggregation})
    assert found == value
    assert state == ("TRIGGERED" if value > 10 else "OK")


@pytest.mark.parametrize(
    ("value", "comparison", "threshold", "state"),
    [
        (11, "GREATER_THAN", {"double_value": 10.0}, "TRIGGERED"),
        (10, "GREATER_THAN", {"double_value": 10.0}, "OK"),
        (10, "GREATER_THAN_OR_EQUAL", {"double_value": 10.0}, "TRIGGERED"),
        (9, "LESS_THAN", {"double_value": 10.0}, "TRIGGERED"),
        (Decimal("0.1"), "EQUAL", {"double_value": 0.1}, "TRIGGERED"),
        ("10", "LESS_THAN_OR_EQUAL", {"double_value": 10.0}, "TRIGGERED"),
        ("x", "NOT_EQUAL", {"string_value": "y"}, "TRIGGERED"),
        ("abc", "GREATER_THAN", {"double_value": 10.0}, "ERROR"),
        (False, "EQUAL", {"bool_value": False}, "TRIGGERED"),
        (0, "EQUAL", {"double_value": 0.0}, "TRIGGERED"),
        (date(2026, 1, 2), "GREATER_THAN", {"string_value": "2026-01-01"}, "TRIGGERED"),
        (None, "GREATER_THAN", {"double_value": 10.0}, "OK"),
        (None, "NOT_EQUAL", {"double_value": 10.0}, "OK"),
        (None, "IS_NULL", None, "TRIGGERED"),
        (1, "IS_NOT_NULL", None, "TRIGGERED"),
        (1, "EQUAL", None, "ERROR"),
        (1, "LIKE", {"double_value": 1.0}, "ERROR"),
    ],
)
def test_conditions(value: Any, comparison: str, threshold: Any, state: str) -> None:
    described = None if threshold is None else {"value": threshold}
    found = state_of(["cost"], [[value]], comparison_operator=comparison, threshold=described)
    assert found[0] == state


def test_thresholds_from_columns_empty_results_and_errors() -> None:
    column = {"column": {"name": "bound", "aggregation": "MIN"}}
    rows: list[list[Any]] = [[12, 20], [11, 11.5]]
    assert state_of(["cost", "bound"], rows, threshold=column)[0] == "TRIGGERED"
    assert state_of(["cost", "bound"], rows[1:], threshold=column)[0] == "OK"
    assert state_of(["cost"], [], empty_result_state="TRIGGERED")[0] == "TRIGGERED"
    missing = evaluate(alert(), lambda _: result(["other"], [[1]]), None, NOW)
    assert missing.state == "ERROR" and "no column 'cost'" in (missing.error or "")

    def broken(_: str) -> QueryResult:
        raise RuntimeError("[TABLE_OR_VIEW_NOT_FOUND] gone")

    failed = evaluate(alert(), broken, None, NOW)
    assert (failed.state, failed.error) == ("ERROR", "[TABLE_OR_VIEW_NOT_FOUND] gone")


@dataclass
class Workspace:
    store: Store
    rows: list[list[Any]] = field(default_factory=list)

    def query(self, _: str) -> QueryResult:
        return result(["cost", "sku"], self.rows)

    def evaluate(self, cost: float, minutes: int) -> tuple[str, int]:
        """The state, and how many notifications this evaluation wrote."""
        self.rows = [[cost, "A&B"], [1, "C"]]
        before = len(self.store.events("notification"))
        service = AlertService(self.store, self.query, "http://localhost:1")
        found = service.evaluate("a1", NOW + timedelta(minutes=minutes))
        return found.state, len(self.store.events("notification")) - before


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    store = Store(tmp_path / "workspace.db")
    store.put("notification_destinations", "d1", {
        "id": "d1", "display_name": "Pager", "destination_type": "PAGERDUTY",
        "config": {"pagerduty": {"integration_key": "hidden"}},
    })  # fmt: skip
    return Workspace(store)


def subscribe(store: Store, **notification: Any) -> None:
    subscriptions = [{"user_email": "a@b.c"}, {"destination_id": "d1"}]
    body = alert(notification={"subscriptions": subscriptions, **notification})
    body["custom_summary"] = "{{ALERT_NAME}}: {{ALERT_STATUS}} at {{QUERY_RESULT_VALUE}}"
    body["custom_description"] = (
        "{{#QUERY_RESULT_ROWS}}{{sku}}={{cost}};{{/QUERY_RESULT_ROWS}}{{QUERY_RESULT_TABLE}}"
    )
    store.put("alerts", "a1", body)


def test_subscribers_are_told_of_changes_and_again_when_asked(workspace: Workspace) -> None:
    subscribe(workspace.store, notify_on_ok=True, retrigger_seconds=3600)
    told = [workspace.evaluate(*step) for step in [(5, 0), (15, 10), (16, 30), (17, 70), (5, 80)]]
    assert told == [("OK", 0), ("TRIGGERED", 2), ("TRIGGERED", 0), ("TRIGGERED", 2), ("OK", 2)]
    mail, page = workspace.store.events("notification")[:2]
    assert (mail["destination_type"], mail["destination"]) == ("EMAIL", "a@b.c")
    assert mail["subject"] == "Daily <cost>: TRIGGERED at 15"
    assert mail["body"].startswith("A&amp;B=15;C=1;<table><tr><th>cost</th>")
    assert (page["destination"], page["body"]) == ("Pager", "A&B=15;C=1;")
    assert "hidden" not in str(workspace.store.events("notification"))
    history = workspace.store.events("alert/a1")
    assert [(e["state"], e["value"]) for e in history][:2] == [("OK", 5), ("TRIGGERED", 15)]
    stored = workspace.store.get("alerts", "a1") or {}
    assert stored["evaluation"]["state"] == "OK"
    assert stored["evaluation"]["last_evaluated_at"] == "2026-11-20T09:20:00.000Z"


def test_without_retrigger_and_notify_on_ok_only_the_change_is_told(workspace: Workspace) -> None:
    subscribe(workspace.store)
    told = [workspace.evaluate(*step)[1] for step in [(15, 0), (16, 600), (5, 700), (15, 800)]]
    assert told == [2, 0, 0, 2]


def test_unknown_alerts_and_destinations_are_reported(workspace: Workspace) -> None:
    with pytest.raises(ApiError, match="does not exist"):
        workspace.evaluate(1, 0)
    subscribe(workspace.store)
    workspace.store.delete("notification_destinations", "d1")
    assert workspace.evaluate(15, 0) == ("TRIGGERED", 1)
    assert workspace.store.events("alert/a1")[0]["error"] == "destination d1 does not exist"


def test_templates() -> None:
    values = {"a": "<x>", "rows": [{"n": 1}, {"n": 2}], "none": []}
    template = "{{a}} {{{a}}} {{&a}} {{#rows}}[{{n}}{{a}}]{{/rows}}{{^none}}empty{{/none}}{{!no}}"
    assert (
        render(template, values, escape=True) == "&lt;x&gt; <x> <x> [1&lt;x&gt;][2&lt;x&gt;]empty"
    )
    assert render("{{a}}{{unknown}}", values, escape=False) == "<x>"
    for broken in ("{{#rows}}", "{{/rows}}", "{{#rows}}{{/none}}"):
        with pytest.raises(TemplateError):
            render(broken, values, escape=False)
