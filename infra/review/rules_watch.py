"""Rules about what runs, and about what tells people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from infra.review.changes import Action, Change
from infra.review.differences import Difference, Kind
from infra.review.quartz import CronError, runs_per_month
from infra.review.risk import Risk
from infra.review.rule import Reason, Rule, destroyed, look_up, names_of, shown
from infra.review.values import UNKNOWN

ALERTS = frozenset({"databricks_alert", "databricks_alert_v2", "databricks_sql_alert"})
ENDPOINTS = frozenset({"databricks_model_serving"})
MONITORS = frozenset(
    {
        "databricks_data_quality_monitor",
        "databricks_lakehouse_monitor",
        "databricks_quality_monitor",
        "databricks_quality_monitor_v2",
    }
)
SCHEDULES = ("schedule", "trigger", "continuous")
CRON = ("quartz_cron_expression", "quartz_cron_schedule")
TOLD = ("subscriptions", "email_notifications", "webhook_notifications", "addresses")
ABOVE = ("GREATER_THAN", "GREATER_THAN_OR_EQUAL")
BELOW = ("LESS_THAN", "LESS_THAN_OR_EQUAL")
SILENT = ("OK", "UNKNOWN")


class EndpointReplaced(Rule):
    """An endpoint that is replaced or deleted answers nobody until another one is ready."""

    risk = Risk.HIGH
    types = ENDPOINTS

    def reasons(self, change: Change) -> Iterator[Reason]:
        yield from destroyed(self.facts.resource_types, change, ": it is down meanwhile")


class AlertDeleted(Rule):
    """Nobody is told any more of what the alert was made for."""

    risk = Risk.HIGH
    types = ALERTS

    def reasons(self, change: Change) -> Iterator[Reason]:
        if change.action is Action.DELETE:
            yield Reason(f"{names_of(self.facts.resource_types, change)} is deleted")


class Paused(Rule):
    """What is paused, or has lost its schedule, no longer runs by itself."""

    risk = Risk.MEDIUM

    def reasons(self, change: Change) -> Iterator[Reason]:
        if change.action is not Action.UPDATE:
            return
        for item in change.differences:
            if item.names[-1] == "pause_status" and item.after == "PAUSED":
                yield Reason(f"{item.names[0]} is paused", [item])
            elif item.names[-1] in SCHEDULES and item.kind is Kind.REMOVED:
                yield Reason(f"{item.names[-1]} is removed", [item])
            elif len(item.path) == 1 and item.attribute == "continuous" and item.after is False:
                yield Reason("it no longer runs continuously", [item])


class SubscriptionsEmptied(Rule):
    """An alert or job that has somebody less to tell."""

    risk = Risk.MEDIUM

    def reasons(self, change: Change) -> Iterator[Reason]:
        if change.action is not Action.UPDATE:
            return
        gone: dict[str, list[Difference]] = {}
        for item in change.differences:
            name = next((part for part in item.names if part in TOLD), None)
            if name is not None and item.kind in (Kind.REMOVED, Kind.CHANGED):
                gone.setdefault(name, []).append(item)
        for name, items in gone.items():
            left = _tells(_deep(change.after, name))
            told = [shown(_subscriber(item)) for item in items]
            if left:
                yield Reason(f"{name}: no longer told: {', '.join(told)}", items)
            else:
                yield Reason(f"{name} is emptied: nobody is told", items)


def _subscriber(item: Difference) -> Any:
    if isinstance(item.before, dict):
        values = [value for value in item.before.values() if value not in (None, "", [])]
        return values[0] if len(values) == 1 else item.before
    return item.before


def _tells(value: Any) -> bool:
    """Whether there is somebody in it, and not only how they are told."""
    if isinstance(value, dict):
        return any(map(_tells, value.values()))
    if isinstance(value, list):
        return any(map(_tells, value))
    return value not in (None, "", True, False)


def _deep(values: Any, name: str) -> Any:
    """The value of a key, wherever it stands."""
    if isinstance(values, dict):
        if values.get(name):
            return values[name]
        return next(filter(None, (_deep(item, name) for item in values.values())), None)
    if isinstance(values, list):
        return next(filter(None, (_deep(item, name) for item in values)), None)
    return None


class ThresholdLoosened(Rule):
    """What triggered yesterday does not trigger tomorrow."""

    risk = Risk.MEDIUM

    def reasons(self, change: Change) -> Iterator[Reason]:
        if change.action is not Action.UPDATE:
            return
        for item in change.differences:
            if item.names[-1] == "empty_result_state" and item.after in SILENT:
                yield Reason(f"no rows now mean {item.after}, not {shown(item.before)}", [item])
            elif item.names[-1] in ("comparison_operator", "op") and item.kind is Kind.CHANGED:
                yield Reason(f"{item.where}: {item.before} becomes {item.after}", [item])
            elif direction(item, change) == "loosened":
                yield Reason(
                    f"{item.where} is loosened from {shown(item.before)} to {shown(item.after)}",
                    [item],
                )


class ThresholdTightened(Rule):
    """The alert triggers earlier than before."""

    risk = Risk.LOW

    def reasons(self, change: Change) -> Iterator[Reason]:
        for item in change.differences:
            if change.action is Action.UPDATE and direction(item, change) == "tightened":
                words = f"from {shown(item.before)} to {shown(item.after)}"
                yield Reason(f"{item.where} is tightened {words}", [item])


def direction(item: Difference, change: Change) -> str | None:
    """Whether a threshold that differs is loosened or tightened; None when it is none."""
    if "threshold" not in item.names and item.names[:1] != ("health",):
        return None
    if item.names[-1] in ("aggregation", "display", "metric", "op"):
        return "loosened" if item.names[-1] == "aggregation" else None
    operator = _operator(item, change)
    numbers = isinstance(item.before, int | float) and isinstance(item.after, int | float)
    if not numbers or operator not in (*ABOVE, *BELOW):
        # What cannot be compared may be looser.
        return "loosened"
    rises = item.after > item.before
    return "loosened" if rises == (operator in ABOVE) else "tightened"


def _operator(item: Difference, change: Change) -> Any:
    if item.names[:1] == ("health",):
        rules = look_up(change.after, "health", "rules") or []
        return next(
            (rule.get("op") for rule in rules if f"[{rule.get('metric')}]" in item.path), None
        )
    return look_up(change.after, "evaluation", "comparison_operator") or look_up(
        change.after, "condition", "op"
    )


class CronSlowed(Rule):
    """What runs less often tells later, and works on older data."""

    risk = Risk.MEDIUM

    def reasons(self, change: Change) -> Iterator[Reason]:
        for item in crons(change):
            before, after = _runs(item.before), _runs(item.after)
            if before is None or after is None:
                yield Reason(
                    f"{item.where}: cannot tell how often {shown(item.after)} runs", [item]
                )
            elif after < before:
                yield Reason(_often("slower", item, before, after), [item])


class CronQuicker(Rule):
    """What runs more often costs more; what runs at another time costs the same."""

    risk = Risk.LOW

    def reasons(self, change: Change) -> Iterator[Reason]:
        for item in crons(change):
            before, after = _runs(item.before), _runs(item.after)
            if before is None or after is None or after < before:
                continue
            if after > before:
                yield Reason(_often("quicker", item, before, after), [item])
            else:
                words = f"from '{shown(item.before)}' to '{shown(item.after)}'"
                yield Reason(f"another time, as often: {words}", [item])


def crons(change: Change) -> Iterator[Difference]:
    """The cron expressions that differ."""
    if change.action is Action.UPDATE:
        for item in change.differences:
            if item.names[-1] in CRON and item.kind is Kind.CHANGED:
                yield item


def _runs(expression: Any) -> float | None:
    if expression is UNKNOWN or not isinstance(expression, str):
        return None
    try:
        return runs_per_month(expression)
    except CronError:
        return None


def _often(word: str, item: Difference, before: float, after: float) -> str:
    crons_text = f"'{shown(item.before)}' to '{shown(item.after)}'"
    return f"cron is {word}: {before:,.0f} to {after:,.0f} runs a month, {crons_text}"


class MonitorRemoved(Rule):
    """Nobody watches the quality of that table any more."""

    risk = Risk.MEDIUM
    types = MONITORS

    def reasons(self, change: Change) -> Iterator[Reason]:
        yield from destroyed(self.facts.resource_types, change, deleted="removed")
