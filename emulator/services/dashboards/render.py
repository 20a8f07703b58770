"""Draw a dashboard: every widget as text, number, table or picture, with its filters applied."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import vl_convert
from markdown_it import MarkdownIt

from emulator.services.dashboards import queries
from emulator.services.dashboards.charts import chart_for
from emulator.services.dashboards.formats import as_text
from emulator.services.dashboards.model import Dashboard, Page, Placed, Position, Spec, Widget

ROW_PIXELS = 58
COLUMN_PIXELS = 96
TABLE_ROWS = 100
ROW_LIMIT = 5000


class Answer(Protocol):
    """What a query gives: columns that have a name, and rows of Python values."""

    @property
    def columns(self) -> list[Any]: ...

    @property
    def rows(self) -> list[list[Any]]: ...


Query = Callable[[str, Mapping[str, Any]], Answer]


@dataclass
class FilterState:
    """What a filter offers and what it applies now."""

    kind: str
    options: list[str] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)


@dataclass
class Drawn:
    """A widget ready for the page; ``error`` is the message of what could not be drawn."""

    name: str
    kind: str
    title: str
    description: str
    position: Position
    body: str = ""
    error: str | None = None
    filter: FilterState | None = None


@dataclass
class DrawnPage:
    name: str
    title: str
    columns: int
    widgets: list[Drawn]


def render(
    dashboard: Dashboard, query: Query, selections: queries.Selections, now: datetime
) -> list[DrawnPage]:
    """All pages; a widget that fails carries its error and leaves the others whole."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        pages = []
        for page in dashboard.pages:

            def draw(placed: Placed, page: Page = page) -> Drawn:
                return draw_widget(dashboard, page, placed, query, selections, now)

            drawn = list(pool.map(draw, page.layout))
            pages.append(DrawnPage(page.name, page.display_name or page.name, page.columns, drawn))
    return pages


def draw_widget(
    dashboard: Dashboard,
    page: Page,
    placed: Placed,
    query: Query,
    selections: queries.Selections,
    now: datetime,
) -> Drawn:
    """One widget; the error of its query or its drawing goes into ``error``."""
    widget, spec = placed.widget, placed.widget.spec
    kind = spec.widget_type if spec else "text"
    title, description = (spec.title, spec.description) if spec else ("", "")
    drawn = Drawn(widget.name, kind, title, description, placed.position)
    try:
        if widget.markdown is not None:
            drawn.body = MarkdownIt("commonmark", {"html": False}).render(widget.markdown)
        elif widget.is_filter:
            drawn.filter = _filter_state(dashboard, page, widget, query, selections, now)
        elif spec is not None and widget.queries:
            body = widget.queries[0].query
            statement = queries.widget_statement(dashboard, page, body, selections, now)
            answer = query(statement.sql, statement.args)
            drawn.body = _body(spec, answer, placed.position)
        else:
            drawn.error = "the widget has no query"
    except Exception as error:  # noqa: BLE001 - one widget's failure is shown in its own place
        drawn.error = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
    return drawn


def _filter_state(
    dashboard: Dashboard,
    page: Page,
    widget: Widget,
    query: Query,
    selections: queries.Selections,
    now: datetime,
) -> FilterState:
    kind = widget.spec.widget_type if widget.spec else ""
    options: list[str] = []
    if kind in {"filter-multi-select", "filter-single-select"}:
        statement = queries.options_statement(dashboard, page, widget, now)
        if statement is not None:
            rows = query(statement.sql, statement.args).rows
            options = [str(row[0]) for row in rows if row[0] is not None]
    return FilterState(kind, options, queries.selection_of(widget, selections, now))


def _body(spec: Spec, answer: Answer, position: Position) -> str:
    names = [str(column.name) for column in answer.columns]
    rows = [dict(zip(names, row, strict=True)) for row in answer.rows]
    if spec.widget_type == "counter":
        return _counter(spec, rows)
    if spec.widget_type in {"table", "pivot"}:
        return _table(spec, names, rows)
    if not rows:
        return '<p class="empty">No data for this selection</p>'
    chart = chart_for(spec, rows)
    if chart is None:
        note = f'<p class="note">{html.escape(spec.widget_type)} is shown as a table here</p>'
        return note + _table(spec, names, rows)
    chart |= {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": max(position.width * COLUMN_PIXELS - 130, 120),
        "height": max(position.height * ROW_PIXELS - 130, 80),
        "autosize": {"type": "pad"},
        "background": "transparent",
    }
    return str(vl_convert.vegalite_to_svg(json.dumps(chart)))


def _counter(spec: Spec, rows: list[dict[str, Any]]) -> str:
    value = spec.encodings.get("value", {})
    number = int(value.get("rowNumber", 1)) - 1
    row = rows[number] if number < len(rows) else {}
    text = as_text(row.get(value.get("fieldName")), value.get("format"))
    parts = [f'<p class="counter">{html.escape(text)}</p>']
    target = spec.encodings.get("target", {})
    if target.get("fieldName"):
        goal = as_text(row.get(target["fieldName"]), target.get("format"))
        label = str(target.get("displayName", "target"))
        parts.append(f'<p class="target">{html.escape(label)}: {html.escape(goal)}</p>')
    return "".join(parts)


def _table(spec: Spec, names: list[str], rows: list[dict[str, Any]]) -> str:
    columns = [c for c in spec.encodings.get("columns", []) if c.get("visible", True)]
    columns = columns or [{"fieldName": name} for name in names]
    heads = [str(c.get("title") or c.get("displayName") or c["fieldName"]) for c in columns]
    head = "".join(f"<th>{html.escape(text)}</th>" for text in heads)
    lines = []
    for row in rows[:TABLE_ROWS]:
        cells = "".join(_cell(row.get(c["fieldName"]), c) for c in columns)
        lines.append(f"<tr>{cells}</tr>")
    more = len(rows) - TABLE_ROWS
    note = f'<p class="note">{more} more rows</p>' if more > 0 else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return table + note


def _cell(value: Any, column: Mapping[str, Any]) -> str:
    form = column.get("format")
    text = as_text(value, form if isinstance(form, Mapping) else None)
    numeric = isinstance(value, int | float) or type(value).__name__ == "Decimal"
    return f'<td class="{"number" if numeric else "text"}">{html.escape(text)}</td>'
