"""A SQL alert (version 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cdktf_cdktf_provider_databricks.alert_v2 import (
    AlertV2,
    AlertV2Evaluation,
    AlertV2EvaluationNotification,
    AlertV2EvaluationNotificationSubscriptions,
    AlertV2EvaluationSource,
    AlertV2EvaluationThreshold,
    AlertV2EvaluationThresholdColumn,
    AlertV2EvaluationThresholdValue,
    AlertV2RunAs,
    AlertV2Schedule,
)

from infra.constructs.base import Reference, address, literal


@dataclass(frozen=True)
class ColumnOperand:
    """A column of the result, aggregated over its rows."""

    column: str
    aggregation: str | None


@dataclass(frozen=True)
class Condition:
    """What makes the alert trigger."""

    source: ColumnOperand
    operator: str
    threshold: ColumnOperand | float | bool | str | None
    when_empty: str


@dataclass(frozen=True)
class Notice:
    """Who is told, how often, and in which words."""

    destinations: Sequence[Reference]
    notify_on_ok: bool
    retrigger_seconds: int
    summary: str | None
    description: str | None


class Alert:
    """A condition on a query, checked by schedule."""

    def __init__(
        self,
        scope: Any,
        *,
        name: str,
        display_name: str,
        query: str,
        warehouse: Reference,
        condition: Condition,
        notice: Notice,
        cron: str,
        timezone: str,
        pause_status: str,
        run_as: Any | None,
    ) -> None:
        AlertV2(
            scope,
            address(scope, "alert", name),
            display_name=display_name,
            query_text=literal(query),
            warehouse_id=warehouse.text,
            evaluation=_evaluation(condition, notice),
            schedule=AlertV2Schedule(
                quartz_cron_schedule=cron, timezone_id=timezone, pause_status=pause_status
            ),
            custom_summary=_words(notice.summary),
            custom_description=_words(notice.description),
            run_as=AlertV2RunAs(service_principal_name=run_as) if run_as is not None else None,
        )


def _words(text: str | None) -> str | None:
    return None if text is None else literal(text)


def _evaluation(condition: Condition, notice: Notice) -> Any:
    return AlertV2Evaluation(
        source=AlertV2EvaluationSource(
            name=condition.source.column, aggregation=condition.source.aggregation
        ),
        comparison_operator=condition.operator,
        threshold=_threshold(condition.threshold),
        empty_result_state=condition.when_empty,
        notification=AlertV2EvaluationNotification(
            notify_on_ok=notice.notify_on_ok,
            retrigger_seconds=notice.retrigger_seconds,
            subscriptions=[
                AlertV2EvaluationNotificationSubscriptions(destination_id=destination.text)
                for destination in notice.destinations
            ],
        ),
    )


def _threshold(threshold: ColumnOperand | float | bool | str | None) -> Any:
    if threshold is None:
        return None
    if isinstance(threshold, ColumnOperand):
        column = AlertV2EvaluationThresholdColumn(
            name=threshold.column, aggregation=threshold.aggregation
        )
        return AlertV2EvaluationThreshold(column=column)
    # bool before number: True is an int in Python.
    if isinstance(threshold, bool):
        value = AlertV2EvaluationThresholdValue(bool_value=threshold)
    elif isinstance(threshold, str):
        value = AlertV2EvaluationThresholdValue(string_value=threshold)
    else:
        value = AlertV2EvaluationThresholdValue(double_value=float(threshold))
    return AlertV2EvaluationThreshold(value=value)
