"""Dynamic values: ``{{job.id}}``, ``{{tasks.t.values.k}}``, ``{{input}}`` and their like."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_REFERENCE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")


class UnknownReferenceError(ValueError):
    """A ``{{...}}`` that stands for nothing; the message names it and what is known."""


@dataclass(frozen=True)
class Scope:
    """What references of one task can mean. Dotted names to values; ``input`` of a for-each."""

    values: Mapping[str, Any]
    task_values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    input: Any = None

    def look_up(self, reference: str) -> Any:
        if reference in self.values:
            return self.values[reference]
        parts = reference.split(".")
        if parts[0] == "input" and self.input is not None:
            return _member(self.input, parts[1:], reference)
        if parts[0] == "tasks" and len(parts) >= 4 and parts[2] == "values":
            values = self.task_values.get(parts[1])
            key = ".".join(parts[3:])
            if values is not None and key in values:
                return values[key]
            raise UnknownReferenceError(
                f"{{{{{reference}}}}}: task {parts[1]} has set no value {key}"
            )
        known = ", ".join(sorted(self.values))
        raise UnknownReferenceError(
            f"{{{{{reference}}}}} stands for nothing here; known are: {known}"
        )


def resolve(value: Any, scope: Scope) -> Any:
    """The value with all references replaced, at any depth."""
    if isinstance(value, dict):
        return {key: resolve(member, scope) for key, member in value.items()}
    if isinstance(value, list):
        return [resolve(member, scope) for member in value]
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: _text(scope.look_up(found[1])), value)
    return value


def job_values(
    job_id: str, job_name: str, run_id: int, start_ms: int, parameters: Mapping[str, str]
) -> dict[str, Any]:
    """The references that all tasks of a run share."""
    start = datetime.fromtimestamp(start_ms / 1000, UTC)
    return {
        "job.id": job_id,
        "job.name": job_name,
        "job.run_id": run_id,
        "job.start_time.iso_date": start.strftime("%Y-%m-%d"),
        "job.start_time.iso_datetime": start.strftime("%Y-%m-%dT%H:%M:%S"),
        "job.start_time.timestamp_ms": start_ms,
        "job.start_time.year": start.year,
        "job.start_time.month": start.month,
        "job.start_time.day": start.day,
        "job.start_time.hour": start.hour,
        "job.start_time.minute": start.minute,
        "job.start_time.second": start.second,
        "job.start_time.iso_weekday": start.isoweekday(),
        "job.start_time.is_weekday": start.isoweekday() <= 5,
        **{f"job.parameters.{name}": value for name, value in parameters.items()},
    }


def job_parameters(
    declared: list[dict[str, str]], given: Mapping[str, str] | None
) -> list[dict[str, str]]:
    """Declared parameters with the values of this run; an undeclared one is an error."""
    overrides = dict(given or {})
    rows = []
    for parameter in declared:
        name, default = parameter["name"], parameter["default"]
        rows.append({"name": name, "default": default, "value": overrides.pop(name, default)})
    if overrides:
        known = ", ".join(row["name"] for row in rows) or "none"
        names = ", ".join(sorted(overrides))
        raise ValueError(f"The job has no parameter {names}; its parameters are: {known}")
    return rows


def for_each_inputs(value: Any) -> list[Any]:
    """The list that ``inputs`` of a for-each task means."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise UnknownReferenceError(f"for_each inputs are no JSON list: {value!r}") from error
    if not isinstance(value, list):
        raise UnknownReferenceError(f"for_each inputs are no list: {value!r}")
    return value


def holds(operator: str, left: str, right: str) -> bool:
    """A condition task's comparison: equality on text, order on numbers."""
    if operator == "EQUAL_TO":
        return left == right
    if operator == "NOT_EQUAL":
        return left != right
    try:
        a, b = float(left), float(right)
    except ValueError as error:
        raise UnknownReferenceError(
            f"{operator} compares numbers, not {left!r} and {right!r}"
        ) from error
    comparisons = {
        "GREATER_THAN": a > b,
        "GREATER_THAN_OR_EQUAL": a >= b,
        "LESS_THAN": a < b,
        "LESS_THAN_OR_EQUAL": a <= b,
    }
    if operator not in comparisons:
        raise UnknownReferenceError(f"unknown condition operator {operator!r}")
    return comparisons[operator]


def _member(value: Any, path: list[str], reference: str) -> Any:
    for part in path:
        if not isinstance(value, dict) or part not in value:
            raise UnknownReferenceError(f"{{{{{reference}}}}}: the input has no {part}")
        value = value[part]
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
