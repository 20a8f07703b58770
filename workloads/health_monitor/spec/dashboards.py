"""What can be checked of a dashboard without a workspace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from health_monitor.spec.kinds import Dashboard
from health_monitor.spec.sql import (
    Checker,
    Finding,
    Shapes,
    SqlError,
    expression_columns,
    output_columns,
)

COLUMNS = 12
VERSIONS = {
    "counter": (2,),
    "table": (1, 2),
    "bar": (3,),
    "line": (3,),
    "area": (3,),
    "scatter": (3,),
    "pie": (3,),
    "heatmap": (3,),
    "histogram": (3,),
    "combo": (1,),
    "pivot": (3,),
    "forecast-line": (1,),
    "filter-single-select": (2,),
    "filter-multi-select": (2,),
    "filter-date-picker": (2,),
    "filter-date-range-picker": (2,),
    "filter-text-entry": (2,),
    "range-slider": (2,),
}


def check_dashboard(
    dashboard: Dashboard, shapes: Shapes, functions: frozenset[str]
) -> list[Finding]:
    """Datasets that run, widgets that name their fields, a grid without overlaps."""
    content = dashboard.content
    lines = dashboard.text.splitlines()
    findings: list[Finding] = []
    columns: dict[str, set[str]] = {}
    for dataset in content.get("datasets", []):
        found, columns[dataset["name"]] = _dataset(dataset, shapes, functions)
        findings += [Finding(_line(lines, dataset["name"]), message) for message in found]
    for page in content.get("pages", []):
        placed: list[tuple[str, dict[str, int]]] = []
        for item in page.get("layout", []):
            widget, position = item["widget"], item["position"]
            name = str(widget["name"])
            messages = [*_widget(widget, columns), *_position(name, position, placed)]
            findings += [Finding(_line(lines, name), f"widget {name}: {m}") for m in messages]
            placed.append((name, position))
    return findings


def _line(lines: list[str], name: str) -> int:
    wanted = f'"name": {json.dumps(name)}'
    return next((number for number, line in enumerate(lines, 1) if wanted in line), 1)


def _dataset(
    dataset: dict[str, Any], shapes: Shapes, functions: frozenset[str]
) -> tuple[list[str], set[str]]:
    sql = "".join(dataset.get("queryLines", [])) or str(dataset.get("query", ""))
    try:
        found = Checker(shapes, functions).check(sql)
        return [f"line {f.line} of its query: {f.message}" for f in found], set(output_columns(sql))
    except SqlError as error:
        return [f"line {error.line} of its query: {error}"], set()


def _widget(widget: dict[str, Any], datasets: dict[str, set[str]]) -> Iterator[str]:
    if "spec" not in widget:
        if "multilineTextboxSpec" not in widget:
            yield "neither 'spec' nor 'multilineTextboxSpec'"
        return
    spec = widget["spec"]
    kind, version = spec.get("widgetType"), spec.get("version")
    if kind not in VERSIONS:
        yield f"widgetType {kind!r}; allowed: {', '.join(VERSIONS)}"
    elif version not in VERSIONS[kind]:
        yield f"version {version} of {kind}; allowed: {VERSIONS[kind]}"
    fields: set[str] = set()
    for query in widget.get("queries", []):
        body = query["query"]
        fields |= {field["name"] for field in body.get("fields", [])}
        yield from _fields(body, datasets)
    for name in _field_names(spec.get("encodings", {})):
        if name not in fields:
            yield f"encoding names field {name!r}; its queries have: {', '.join(sorted(fields))}"


def _fields(query: dict[str, Any], datasets: dict[str, set[str]]) -> Iterator[str]:
    dataset = query.get("datasetName")
    if dataset not in datasets:
        yield f"dataset {dataset!r} does not exist; there are: {', '.join(sorted(datasets))}"
        return
    known = datasets[dataset]
    for field in query.get("fields", []):
        expression = field["expression"]
        if "associative_filter_predicate_group" in expression or "*" in known:
            continue
        try:
            unknown = expression_columns(expression) - known - {"*"}
        except SqlError as error:
            yield str(error)
            continue
        for name in sorted(unknown):
            yield f"column {name} is not in dataset {dataset}: {', '.join(sorted(known))}"


def _field_names(encodings: Any) -> Iterator[str]:
    if isinstance(encodings, dict):
        if isinstance(encodings.get("fieldName"), str):
            yield encodings["fieldName"]
        for value in encodings.values():
            yield from _field_names(value)
    elif isinstance(encodings, list):
        for value in encodings:
            yield from _field_names(value)


def _position(
    name: str, position: dict[str, int], placed: list[tuple[str, dict[str, int]]]
) -> Iterator[str]:
    if position["x"] < 0 or position["x"] + position["width"] > COLUMNS:
        yield f"outside the grid of {COLUMNS} columns"
    for other, there in placed:
        apart = (
            position["x"] + position["width"] <= there["x"]
            or there["x"] + there["width"] <= position["x"]
            or position["y"] + position["height"] <= there["y"]
            or there["y"] + there["height"] <= position["y"]
        )
        if not apart:
            yield f"overlaps widget {other}"
        if other == name:
            yield "its name stands twice"
