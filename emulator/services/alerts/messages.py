"""The words of a notification, from the alert's templates."""

from __future__ import annotations

import html
from typing import Any

from emulator.services.alerts.evaluator import Evaluation
from emulator.services.alerts.mustache import Html, render

DEFAULT_SUMMARY = "Alert {{ALERT_NAME}} is {{ALERT_STATUS}}"
DEFAULT_DESCRIPTION = (
    "{{ALERT_COLUMN}} is {{QUERY_RESULT_VALUE}}; "
    "condition: {{ALERT_CONDITION}} {{ALERT_THRESHOLD}}. {{ALERT_URL}}"
)


def write(
    alert: dict[str, Any], evaluation: Evaluation, *, url: str, is_mail: bool
) -> tuple[str, str]:
    """Subject and body. Only mail is HTML, and only mail can show the result as a table."""
    values = _values(alert, evaluation, url, is_mail)
    subject = render(alert.get("custom_summary") or DEFAULT_SUMMARY, values, escape=False)
    description = alert.get("custom_description") or DEFAULT_DESCRIPTION
    return subject, render(description, values, escape=is_mail)


def _values(
    alert: dict[str, Any], evaluation: Evaluation, url: str, is_mail: bool
) -> dict[str, Any]:
    settings = alert["evaluation"]
    rows = [dict(zip(evaluation.columns, row, strict=True)) for row in evaluation.rows]
    return {
        "ALERT_NAME": alert["display_name"],
        "ALERT_STATUS": evaluation.state,
        "ALERT_CONDITION": settings["comparison_operator"],
        "ALERT_THRESHOLD": evaluation.threshold,
        "ALERT_COLUMN": settings["source"].get("display") or settings["source"]["name"],
        "ALERT_URL": url,
        "QUERY_RESULT_VALUE": evaluation.value,
        "QUERY_RESULT_TABLE": _table(evaluation) if is_mail else "",
        "QUERY_RESULT_ROWS": rows,
        "QUERY_RESULT_COLS": [{"name": name} for name in evaluation.columns],
    }


def _table(evaluation: Evaluation) -> Html:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in evaluation.columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row) + "</tr>"
        for row in evaluation.rows
    )
    return Html(f"<table><tr>{head}</tr>{body}</table>")


def _cell(value: Any) -> str:
    return "" if value is None else html.escape(str(value))
