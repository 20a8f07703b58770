"""The parts of a Lakeview dashboard (`serialized_dashboard`) that drawing it needs."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

LEGACY_COLUMNS = 6
GRID_V1_COLUMNS = 12
GLOBAL_FILTERS = "PAGE_TYPE_GLOBAL_FILTERS"


class DashboardError(ValueError):
    """The serialized dashboard cannot be read; the message names the place."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class FieldExpression(_Part):
    name: str
    expression: str


class QueryBody(_Part):
    dataset_name: str = Field(alias="datasetName")
    fields: list[FieldExpression] = []
    disaggregated: bool = False
    filters: list[dict[str, Any]] = []
    orders: list[dict[str, Any]] = []
    parameters: list[dict[str, Any]] = []


class WidgetQuery(_Part):
    name: str
    query: QueryBody


class Spec(_Part):
    version: int = 0
    widget_type: str = Field(alias="widgetType")
    encodings: dict[str, Any] = {}
    frame: dict[str, Any] = {}
    selection: dict[str, Any] = {}
    mark: dict[str, Any] = {}

    @property
    def title(self) -> str:
        return str(self.frame.get("title", "")) if self.frame.get("showTitle") else ""

    @property
    def description(self) -> str:
        shown = self.frame.get("showDescription")
        return str(self.frame.get("description", "")) if shown else ""


class TextLines(_Part):
    lines: list[str] = []


class Widget(_Part):
    name: str
    queries: list[WidgetQuery] = []
    spec: Spec | None = None
    text: TextLines | None = Field(default=None, alias="multilineTextboxSpec")
    old_text: str | None = Field(default=None, alias="textbox_spec")

    @property
    def markdown(self) -> str | None:
        """The Markdown of a text widget; None for any other."""
        return "".join(self.text.lines) if self.text is not None else self.old_text

    @property
    def is_filter(self) -> bool:
        kind = self.spec.widget_type if self.spec else ""
        return kind.startswith("filter-") or kind == "range-slider"


class Position(_Part):
    x: int
    y: int
    width: int
    height: int


class Placed(_Part):
    widget: Widget
    position: Position


class Page(_Part):
    name: str
    display_name: str = Field(default="", alias="displayName")
    layout: list[Placed] = []
    page_type: str = Field(default="PAGE_TYPE_CANVAS", alias="pageType")
    layout_version: str | None = Field(default=None, alias="layoutVersion")

    @property
    def columns(self) -> int:
        return GRID_V1_COLUMNS if self.layout_version == "GRID_V1" else LEGACY_COLUMNS


class Parameter(_Part):
    keyword: str
    data_type: str = Field(default="STRING", alias="dataType")
    complex_type: str | None = Field(default=None, alias="complexType")
    default_selection: dict[str, Any] = Field(default={}, alias="defaultSelection")


class Dataset(_Part):
    name: str
    display_name: str = Field(default="", alias="displayName")
    query_lines: list[str] = Field(default=[], alias="queryLines")
    query: str | None = None
    asset_name: str | None = None
    columns: list[dict[str, Any]] = []
    parameters: list[Parameter] = []

    @property
    def sql(self) -> str:
        return self.query if self.query is not None else "".join(self.query_lines)


class Dashboard(_Part):
    datasets: list[Dataset] = []
    pages: list[Page] = []

    def dataset(self, name: str) -> Dataset | None:
        return next((d for d in self.datasets if d.name == name), None)

    def filters_for(self, page: Page) -> list[Widget]:
        """The filter widgets that act on a page: its own and the global ones."""
        pages = [p for p in self.pages if p.page_type == GLOBAL_FILTERS and p is not page]
        placed = [item for p in (*pages, page) for item in p.layout]
        return [item.widget for item in placed if item.widget.is_filter]


def parse(serialized: str) -> Dashboard:
    """Read a serialized dashboard; DashboardError says what cannot be read."""
    try:
        return Dashboard.model_validate(json.loads(serialized))
    except json.JSONDecodeError as error:
        raise DashboardError(f"not JSON: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DashboardError(f"{place}: {first['msg']}") from error


def problems(dashboard: Dashboard) -> list[str]:
    """What Databricks would save without complaint and then not draw."""
    found: list[str] = []
    names: set[str] = set()
    for page in dashboard.pages:
        taken: dict[tuple[int, int], str] = {}
        for placed in page.layout:
            widget = placed.widget
            if widget.name in names:
                found.append(f"{widget.name}: the name is used twice")
            names.add(widget.name)
            found += _layout_problems(page, placed, taken)
            found += _reference_problems(dashboard, widget)
    return found


def _layout_problems(page: Page, placed: Placed, taken: dict[tuple[int, int], str]) -> list[str]:
    found = []
    at, name = placed.position, placed.widget.name
    if at.x < 0 or at.x + at.width > page.columns:
        found.append(f"{name}: reaches beyond the {page.columns} columns of page {page.name}")
    cells = [(x, y) for x in range(at.x, at.x + at.width) for y in range(at.y, at.y + at.height)]
    others = {taken[cell] for cell in cells if cell in taken}
    found += [f"{name}: overlaps {other}" for other in sorted(others)]
    taken.update(dict.fromkeys(cells, name))
    return found


def _reference_problems(dashboard: Dashboard, widget: Widget) -> list[str]:
    found = []
    fields: set[str] = set()
    for query in widget.queries:
        if dashboard.dataset(query.query.dataset_name) is None:
            found.append(f"{widget.name}: no dataset {query.query.dataset_name}")
        fields |= {field.name for field in query.query.fields}
    if widget.spec is not None:
        used = set(field_names(widget.spec.encodings))
        found += [f"{widget.name}: no field {name}" for name in sorted(used - fields)]
    return found


def field_names(encoding: Any) -> list[str]:
    """All field names that an encoding refers to, at any depth."""
    if isinstance(encoding, dict):
        own = [encoding["fieldName"]] if isinstance(encoding.get("fieldName"), str) else []
        return own + [name for value in encoding.values() for name in field_names(value)]
    if isinstance(encoding, list):
        return [name for item in encoding for name in field_names(item)]
    return []
