"""The SQL of a widget: its dataset, the applied filters, its fields, grouped as Lakeview does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from emulator.services.dashboards.model import (
    Dashboard,
    DashboardError,
    Dataset,
    Page,
    Parameter,
    QueryBody,
    Widget,
)

Selections = Mapping[str, list[str]]

AGGREGATES_BY_NAME = {"MEASURE", "PERCENTILE", "COUNT_IF", "APPROX_PERCENTILE", "AGG", "MEDIAN"}
HELPER_COLUMN = "associative_filter_predicate_group"
PARAMETER = re.compile(r"'(?:[^'\\]|\\.|'')*'|--[^\n]*|/\*.*?\*/|(?<!:):(\w+)(\.(min|max))?", re.S)
RELATIVE = re.compile(r"now(?:(?P<sign>[+-])(?P<count>\d+)(?P<unit>[smhdwMy]))?(?:/(?P<floor>\w))?")


@dataclass(frozen=True)
class Statement:
    """A statement and the values of its named parameters."""

    sql: str
    args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Predicate:
    """A condition on the columns of a dataset, with its parameter values."""

    sql: str
    args: dict[str, Any]


def widget_statement(
    dashboard: Dashboard, page: Page, query: QueryBody, selections: Selections, now: datetime
) -> Statement:
    """The statement of one widget query under the given selections; defaults where none is."""
    dataset = dashboard.dataset(query.dataset_name)
    if dataset is None:
        raise DashboardError(f"no dataset {query.dataset_name}")
    filters = dashboard.filters_for(page)
    source, args = _source(dataset, filters, selections, now)
    conditions = [str(item["expression"]) for item in query.filters]
    for predicate in _predicates(dataset, filters, selections, now):
        conditions.append(predicate.sql)
        args |= predicate.args
    return Statement(_select(dataset, query, source, conditions), args)


def options_statement(
    dashboard: Dashboard, page: Page, widget: Widget, now: datetime
) -> Statement | None:
    """The distinct values that a field filter offers; None for a filter without fields."""
    for query in widget.queries:
        fields = [f for f in query.query.fields if HELPER_COLUMN not in f.expression]
        dataset = dashboard.dataset(query.query.dataset_name)
        if fields and dataset is not None:
            source, args = _source(dataset, [], {}, now)
            expression = fields[0].expression
            text = f"SELECT DISTINCT {expression} AS option FROM {source} ORDER BY 1 LIMIT 200"
            return Statement(text, args)
    return None


def _select(dataset: Dataset, query: QueryBody, source: str, conditions: list[str]) -> str:
    fields = [f for f in query.fields if HELPER_COLUMN not in f.expression]
    measures = {str(c["displayName"]): str(c["expression"]) for c in dataset.columns}
    expressions = [(f.name, _repaired(f.expression, measures)) for f in fields]
    columns = ", ".join(f"{text} AS `{name.replace('`', '``')}`" for name, text in expressions)
    parts = [f"SELECT {columns or '*'} FROM {source}"]
    if conditions:
        parts.append("WHERE " + " AND ".join(f"({text})" for text in conditions))
    groups = [text for _, text in expressions if not is_aggregate(text)]
    if not query.disaggregated and groups:
        parts.append("GROUP BY " + ", ".join(groups))
    if query.orders:
        parts.append("ORDER BY " + ", ".join(_order(o) for o in query.orders))
    return " ".join(parts)


def _order(order: Mapping[str, Any]) -> str:
    direction = "DESC" if order.get("direction") == "DESC" else "ASC"
    return f"{order['expression']} {direction}"


def _repaired(expression: str, measures: Mapping[str, str]) -> str:
    """Lakeview's own spellings in plain SQL: a backticked star, measures of the dataset."""
    text = expression.replace("COUNT(`*`)", "COUNT(*)")
    for name, definition in measures.items():
        text = text.replace(f"MEASURE(`{name}`)", f"({definition})")
    return text


def is_aggregate(expression: str) -> bool:
    """Whether an expression aggregates; what cannot be parsed counts as a plain column."""
    try:
        tree = sqlglot.parse_one(expression, dialect="databricks")
    except SqlglotError:
        return False
    if tree.find(exp.AggFunc):
        return True
    return any(
        str(node.this).upper() in AGGREGATES_BY_NAME for node in tree.find_all(exp.Anonymous)
    )


def _source(
    dataset: Dataset, filters: list[Widget], selections: Selections, now: datetime
) -> tuple[str, dict[str, Any]]:
    if dataset.asset_name:
        return dataset.asset_name, {}
    chosen = _parameter_choices(dataset, filters, selections)
    args: dict[str, Any] = {}
    for parameter in dataset.parameters:
        args |= _bound(parameter, chosen.get(parameter.keyword), now)

    def rename(match: re.Match[str]) -> str:
        if match.group(1) and match.group(2):
            return f":{match.group(1)}__{match.group(3)}"
        return match.group(0)

    return f"({PARAMETER.sub(rename, dataset.sql.rstrip().rstrip(';'))}) AS dataset", args


def _parameter_choices(
    dataset: Dataset, filters: list[Widget], selections: Selections
) -> dict[str, list[str]]:
    chosen = {}
    for widget in filters:
        if widget.name not in selections:
            continue
        for query in widget.queries:
            if query.query.dataset_name == dataset.name:
                for parameter in query.query.parameters:
                    chosen[str(parameter["keyword"])] = selections[widget.name]
    return chosen


def _bound(parameter: Parameter, chosen: list[str] | None, now: datetime) -> dict[str, Any]:
    if parameter.complex_type == "RANGE":
        span = parameter.default_selection.get("range", {})
        ends = chosen or [str(span.get(end, {}).get("value", "")) for end in ("min", "max")]
        return {
            f"{parameter.keyword}__{end}": resolved_date(value, now)
            for end, value in zip(("min", "max"), ends, strict=True)
        }
    values = chosen if chosen is not None else default_values(parameter.default_selection)
    if parameter.complex_type == "MULTI":
        return {parameter.keyword: values}
    value = values[0] if values else None
    if value is not None and parameter.data_type in {"DATE", "DATETIME"}:
        value = resolved_date(value, now)
    return {parameter.keyword: value}


def _predicates(
    dataset: Dataset, filters: list[Widget], selections: Selections, now: datetime
) -> list[Predicate]:
    found = []
    for number, widget in enumerate(filters):
        for query in widget.queries:
            fields = [f for f in query.query.fields if HELPER_COLUMN not in f.expression]
            if query.query.dataset_name == dataset.name and fields:
                expression = fields[0].expression
                predicate = _predicate(widget, expression, f"f{number}", selections, now)
                found += [predicate] if predicate else []
    return found


def _predicate(
    widget: Widget, expression: str, prefix: str, selections: Selections, now: datetime
) -> Predicate | None:
    kind = widget.spec.widget_type if widget.spec else ""
    chosen = selection_of(widget, selections, now)
    if not chosen:
        return None
    if kind in {"filter-date-range-picker", "range-slider"}:
        signs = {f"{prefix}_low": ">=", f"{prefix}_high": "<="}
        bounds = {name: value for name, value in zip(signs, chosen, strict=True) if value}
        tests = [f"{expression} {signs[name]} :{name}" for name in bounds]
        return Predicate(" AND ".join(tests), bounds) if tests else None
    names = {f"{prefix}_v{number}": value for number, value in enumerate(chosen)}
    marks = ", ".join(f":{name}" for name in names)
    return Predicate(f"CAST({expression} AS STRING) IN ({marks})", names)


def selection_of(widget: Widget, selections: Selections, now: datetime) -> list[str]:
    """The values that a filter applies: chosen, else its default; empty means all."""
    if widget.name in selections:
        return list(selections[widget.name])
    default = (widget.spec.selection if widget.spec else {}).get("defaultSelection", {})
    if "range" in default:
        ends = [str(default["range"].get(e, {}).get("value", "")) for e in ("min", "max")]
        return [resolved_date(value, now) for value in ends]
    return default_values(default)


def default_values(selection: Mapping[str, Any]) -> list[str]:
    return [str(item["value"]) for item in selection.get("values", {}).get("values", [])]


def resolved_date(value: str, now: datetime) -> str:
    """A literal date as it is; `now-30d/d` and the like as a timestamp or date text (UTC)."""
    match = RELATIVE.fullmatch(value)
    if match is None:
        return value
    moment = now.astimezone(UTC)
    if match["count"]:
        count = int(match["count"]) * (-1 if match["sign"] == "-" else 1)
        moment = _shifted(moment, count, match["unit"])
    floor = match["floor"]
    if floor in {"h", "m", "s"} or floor is None:
        return moment.strftime("%Y-%m-%d %H:%M:%S")
    day = moment.date()
    if floor == "w":
        day -= timedelta(days=day.weekday())
    elif floor in {"M", "y"}:
        day = day.replace(day=1, month=1 if floor == "y" else day.month)
    return day.isoformat()


def _shifted(moment: datetime, count: int, unit: str) -> datetime:
    names = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    if unit in names:
        return moment + timedelta(**{names[unit]: count})
    months = moment.year * 12 + moment.month - 1 + count * (12 if unit == "y" else 1)
    return moment.replace(year=months // 12, month=months % 12 + 1, day=min(moment.day, 28))
