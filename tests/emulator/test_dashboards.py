"""Dashboards: the SQL of widgets, filters, drawing; DuckDB stands in for the warehouse."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from emulator.services.dashboards import model, queries
from emulator.services.dashboards.formats import as_text
from emulator.services.dashboards.render import Drawn, render

NOW = datetime(2026, 3, 15, 13, 30, tzinfo=UTC)
DATA = """SELECT * FROM (VALUES (DATE '2026-03-01', 'a', 10.5), (DATE '2026-03-01', 'b', 4.5),
 (DATE '2026-03-02', 'a', 1.0), (DATE '2026-03-02', 'b', NULL)) t(day, place, cost)"""


def field(name: str, expression: str) -> dict[str, str]:
    return {"name": name, "expression": expression}


def widget(name: str, kind: str, fields: list[dict[str, str]], encodings: Any, **more: Any) -> Any:
    query = {"datasetName": "d", "fields": fields, "disaggregated": more.pop("rows", False)}
    spec = {"version": 3, "widgetType": kind, "encodings": encodings, **more}
    return {"name": name, "queries": [{"name": "q", "query": query}], "spec": spec}


def dashboard(*widgets: Any, height: int = 4) -> model.Dashboard:
    layout = [
        {"widget": w, "position": {"x": 0, "y": n * height, "width": 6, "height": height}}
        for n, w in enumerate(widgets)
    ]
    page = {"name": "p", "layout": layout, "layoutVersion": "GRID_V1"}
    body = {"datasets": [{"name": "d", "queryLines": [DATA]}], "pages": [page]}
    return model.parse(json.dumps(body))


def ask(sql: str, args: Mapping[str, Any]) -> Any:
    with duckdb.connect() as connection:
        text = re.sub(r"(?<!:):(\w+)", r"$\1", sql)
        text = text.replace("`", '"').replace(" AS STRING", " AS VARCHAR")
        found = connection.execute(text, dict(args) or None)
        names = [SimpleNamespace(name=item[0]) for item in found.description or []]
        return SimpleNamespace(columns=names, rows=[list(row) for row in found.fetchall()])


def draw(board: model.Dashboard, **selections: list[str]) -> dict[str, Drawn]:
    return {w.name: w for page in render(board, ask, selections, NOW) for w in page.widgets}


TOTAL = widget(
    "total",
    "counter",
    [field("sum(cost)", "SUM(`cost`)")],
    {
        "value": {
            "fieldName": "sum(cost)",
            "format": {"type": "number-currency", "decimalPlaces": {"type": "exact", "places": 2}},
        }
    },
)
PLACES = widget(
    "places",
    "filter-multi-select",
    [field("place", "`place`"), field("x", "COUNT_IF(`associative_filter_predicate_group`)")],
    {"fields": [{"fieldName": "place", "queryName": "q"}]},
)
BY_PLACE = widget(
    "by_place",
    "bar",
    [field("place", "`place`"), field("sum(cost)", "SUM(`cost`)")],
    {
        "x": {"fieldName": "place", "scale": {"type": "categorical"}},
        "y": {"fieldName": "sum(cost)", "scale": {"type": "quantitative"}},
    },
)


def test_a_counter_shows_the_sum_and_a_filter_changes_it() -> None:
    board = dashboard(TOTAL, PLACES)
    assert "$16.00" in draw(board)["total"].body
    filtered = draw(board, places=["b"])
    assert "$4.50" in filtered["total"].body
    state = filtered["places"].filter
    assert state is not None
    assert state.options == ["a", "b"]
    assert state.applied == ["b"]


def test_several_chosen_values_and_quotes_in_them_are_bound_not_pasted() -> None:
    board = dashboard(TOTAL, PLACES)
    assert "$16.00" in draw(board, places=["a", "b"])["total"].body
    assert "unknown" in draw(board, places=["' OR 1=1 --"])["total"].body


def test_a_date_range_filters_with_both_ends_included() -> None:
    dates = widget("dates", "filter-date-range-picker", [field("day", "`day`")], {})
    board = dashboard(TOTAL, dates)
    assert "$1.00" in draw(board, dates=["2026-03-02", "2026-03-02"])["total"].body
    assert "$16.00" in draw(board, dates=["2026-03-01", ""])["total"].body


def test_charts_become_pictures_with_their_categories() -> None:
    drawn = draw(dashboard(BY_PLACE))["by_place"]
    assert drawn.error is None
    assert drawn.body.startswith("<svg")
    assert ">a</text>" in drawn.body


def test_an_unknown_type_is_a_table_that_says_so_and_an_error_stays_in_its_widget() -> None:
    strange = widget("strange", "sankey", [field("place", "`place`")], {}, rows=True)
    broken = widget("broken", "counter", [field("n", "SUM(`nowhere`)")], {})
    drawn = draw(dashboard(strange, broken, TOTAL))
    assert "sankey is shown as a table" in drawn["strange"].body
    assert "<table>" in drawn["strange"].body
    assert "nowhere" in str(drawn["broken"].error)
    assert "$16.00" in drawn["total"].body


def test_text_is_markdown_without_raw_html() -> None:
    text = {"name": "t", "multilineTextboxSpec": {"lines": ["## Hello\n", "<script>x</script>"]}}
    body = draw(dashboard(text))["t"].body
    assert "<h2>Hello</h2>" in body
    assert "<script>" not in body


def test_problems_are_found_before_drawing() -> None:
    wide = dashboard(TOTAL, TOTAL)
    wide.pages[0].layout[1].position.x = 9
    lost = widget("lost", "bar", [], {"x": {"fieldName": "gone"}})
    lost["queries"][0]["query"]["datasetName"] = "nowhere"
    found = model.problems(wide) + model.problems(dashboard(lost))
    assert any("used twice" in text for text in found)
    assert any("beyond the 12 columns" in text for text in found)
    assert any("no dataset nowhere" in text for text in found)
    assert any("no field gone" in text for text in found)
    assert model.problems(dashboard(TOTAL, BY_PLACE)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now-30d/d", "2026-02-13"),
        ("now/M", "2026-03-01"),
        ("now-12M/M", "2025-03-01"),
        ("now/w", "2026-03-09"),
        ("now-24h/h", "2026-03-14 13:30:00"),
        ("2026-01-05", "2026-01-05"),
    ],
)
def test_relative_dates(text: str, expected: str) -> None:
    assert queries.resolved_date(text, NOW) == expected


def test_ranges_and_literals_in_datasets_are_told_apart() -> None:
    span = {"min": {"value": "now-1d/d"}, "max": {"value": "now/d"}}
    parameter = {"keyword": "r", "complexType": "RANGE", "dataType": "DATE"}
    parameter["defaultSelection"] = {"range": span}  # type: ignore[assignment]
    lines = ["SELECT ':kept' AS s WHERE 1 < :r.min AND 2 < :r.max"]
    dataset = {"name": "d", "queryLines": lines, "parameters": [parameter]}
    board = model.parse(json.dumps({"datasets": [dataset], "pages": [{"name": "p"}]}))
    body = model.QueryBody.model_validate({"datasetName": "d", "fields": [field("s", "`s`")]})
    statement = queries.widget_statement(board, board.pages[0], body, {}, NOW)
    assert "':kept'" in statement.sql
    assert ":r__min" in statement.sql
    assert statement.args == {"r__min": "2026-03-14", "r__max": "2026-03-15"}


def test_numbers_as_people_read_them() -> None:
    compact = {"type": "number-currency", "abbreviation": "compact"}
    assert as_text(1234567, compact) == "$1.2M"
    assert as_text(-1500, compact) == "-$1.5K"
    assert as_text(0.256, {"type": "number-percent"}) == "25.6%"
    assert as_text(None) == "unknown"
    assert as_text(1234.5) == "1,234.5"
