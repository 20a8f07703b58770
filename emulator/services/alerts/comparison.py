"""The two sides of an alert's condition, and whether it holds."""

from __future__ import annotations

import operator
import statistics
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Protocol


class ResultColumn(Protocol):
    @property
    def name(self) -> str: ...


class Result(Protocol):
    """A query's result: what ``emulator.compute.spec.QueryResult`` offers."""

    @property
    def columns(self) -> Sequence[ResultColumn]: ...

    @property
    def rows(self) -> Sequence[Sequence[Any]]: ...


class AlertError(ValueError):
    """The condition cannot be evaluated: the alert's state is ERROR."""


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "EQUAL": operator.eq,
    "NOT_EQUAL": operator.ne,
    "GREATER_THAN": operator.gt,
    "GREATER_THAN_OR_EQUAL": operator.ge,
    "LESS_THAN": operator.lt,
    "LESS_THAN_OR_EQUAL": operator.le,
}
_NULL_OPERATORS = {"IS_NULL": True, "IS_NOT_NULL": False}


def needs_threshold(comparison: str) -> bool:
    return comparison not in _NULL_OPERATORS


def holds(value: Any, comparison: str, threshold: Any) -> bool:
    """Whether the condition is true; a comparison with NULL is not."""
    if comparison in _NULL_OPERATORS:
        return (value is None) is _NULL_OPERATORS[comparison]
    compare = _OPERATORS.get(comparison)
    if compare is None:
        raise AlertError(f"unknown comparison operator {comparison}")
    if value is None or threshold is None:
        return False
    return compare(*_alike(value, threshold))


def operand(result: Result, described: dict[str, Any]) -> Any:
    """A column's value: aggregated over all rows, or of the first row."""
    names = [column.name.lower() for column in result.columns]
    name = str(described["name"])
    if name.lower() not in names:
        raise AlertError(f"the query's result has no column {name!r}, but {', '.join(names)}")
    position = names.index(name.lower())
    values = [row[position] for row in result.rows]
    aggregation = described.get("aggregation")
    if not aggregation:
        return values[0]
    return _aggregate(str(aggregation), name, [value for value in values if value is not None])


def literal(value: dict[str, Any]) -> Any:
    """A threshold that is written down in the alert."""
    for kind, convert in (("double_value", float), ("string_value", str), ("bool_value", bool)):
        if value.get(kind) is not None:
            return convert(value[kind])
    raise AlertError("the threshold has no value")


def _aggregate(aggregation: str, column: str, values: list[Any]) -> Any:
    if aggregation == "COUNT":
        return len(values)
    if aggregation == "COUNT_DISTINCT":
        return len(set(values))
    if not values:
        return None
    if aggregation == "MIN":
        return min(values)
    if aggregation == "MAX":
        return max(values)
    numbers = [_number(value, f"{aggregation} of column {column!r}") for value in values]
    if aggregation == "SUM":
        return sum(numbers)
    if aggregation == "AVG":
        return sum(numbers) / len(numbers)
    if aggregation == "MEDIAN":
        return statistics.median(numbers)
    if aggregation == "STDDEV":
        return statistics.stdev(float(n) for n in numbers) if len(numbers) > 1 else None
    raise AlertError(f"unknown aggregation {aggregation}")


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    """Both sides in one type, as SQL would compare them."""
    if isinstance(left, str) and isinstance(right, str):
        return left, right
    if isinstance(left, bool) and isinstance(right, bool):
        return left, right
    if isinstance(left, date) or isinstance(right, date):
        return _iso(left, right)
    purpose = f"comparing {left!r} and {right!r}"
    left, right = _number(left, purpose), _number(right, purpose)
    if isinstance(left, float) or isinstance(right, float):
        return float(left), float(right)
    return left, right


def _iso(left: Any, right: Any) -> tuple[str, str]:
    """Dates and times as text, which sorts as they do; a date is its midnight."""
    texts = []
    for side in (left, right):
        if not isinstance(side, date | str):
            raise AlertError(f"cannot compare {left!r} and {right!r}")
        text = (side if isinstance(side, str) else side.isoformat()).replace(" ", "T")
        texts.append(text if "T" in text else f"{text}T00:00:00")
    return texts[0], texts[1]


def _number(value: Any, purpose: str) -> Any:
    if isinstance(value, bool):
        raise AlertError(f"{purpose}: {value!r} is not a number")
    if isinstance(value, int | float | Decimal):
        return value
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise AlertError(f"{purpose}: {value!r} is not a number") from error
