"""Chart widgets as Vega-Lite: one small function a widget type, found in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from emulator.services.dashboards.formats import axis_pattern
from emulator.services.dashboards.model import Spec

Chart = dict[str, Any]
Rows = list[dict[str, Any]]

PALETTE = [
    *("#077A9D", "#FFAB00", "#00A972", "#FF3621", "#8BCAE7"),
    *("#AB4057", "#99DDB4", "#FCA4A1", "#919191", "#BF7080"),
]
KINDS = {"temporal": "temporal", "quantitative": "quantitative", "categorical": "nominal"}
STACKS = {"stack": "zero", "percent-stack": "normalize", "stack-100": "normalize", "layer": None}


def chart_for(spec: Spec, rows: Rows) -> Chart | None:
    """The Vega-Lite chart of a widget; None when its type is not a chart that we draw."""
    builder = BUILDERS.get(spec.widget_type)
    if builder is None:
        return None
    chart = builder(spec)
    chart["data"] = {"values": [{k: plain(v) for k, v in row.items()} for row in rows]}
    chart["config"] = {
        "range": {"category": PALETTE},
        "view": {"stroke": None},
        "axis": {"labelFont": "sans-serif", "titleFont": "sans-serif", "gridColor": "#e8ecf0"},
        "legend": {"orient": "bottom", "columns": 4, "labelLimit": 180, "title": None},
    }
    return chart


def plain(value: Any) -> Any:
    """A value as JSON for drawing; money becomes a float here and nowhere earlier."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


def _channel(encoding: Mapping[str, Any], **extra: Any) -> dict[str, Any]:
    scale = encoding.get("scale", {})
    name = str(encoding["fieldName"])
    channel: dict[str, Any] = {
        "field": _escaped(name),
        "type": KINDS.get(str(scale.get("type")), "nominal"),
        "title": encoding.get("axis", {}).get("title") or encoding.get("displayName") or name,
    }
    pattern = axis_pattern(encoding.get("format"))
    if pattern:
        channel["axis"] = {"format": pattern}
    if scale.get("type") == "temporal":
        channel["axis"] = {"format": "%d %b", "labelOverlap": True}
    return channel | extra


def _escaped(name: str) -> str:
    """Vega reads dots and brackets in a field name as paths; ours are plain names."""
    for letter in ("\\", ".", "[", "]"):
        name = name.replace(letter, f"\\{letter}")
    return name


def _color(encodings: Mapping[str, Any]) -> dict[str, Any]:
    color = encodings.get("color") or {}
    if not color.get("fieldName"):
        return {}
    channel = _channel(color)
    mappings = color.get("scale", {}).get("mappings", [])
    if mappings:
        colors = [m["color"] if isinstance(m["color"], str) else PALETTE[0] for m in mappings]
        channel["scale"] = {"domain": [m["value"] for m in mappings], "range": colors}
    return {"color": channel}


def _axes(mark: str) -> Callable[[Spec], Chart]:
    def build(spec: Spec) -> Chart:
        encodings = spec.encodings
        chart: Chart = {"mark": {"type": mark, "tooltip": True}, "encoding": {}}
        measures = encodings["y"].get("fields")
        if measures:
            names = [str(f["fieldName"]) for f in measures]
            chart["transform"] = [{"fold": names, "as": ["measure", "value"]}]
            chart["encoding"]["y"] = {"field": "value", "type": "quantitative", "title": None}
            chart["encoding"]["color"] = {"field": "measure", "type": "nominal"}
        else:
            chart["encoding"]["y"] = _channel(encodings["y"])
            chart["encoding"] |= _color(encodings)
        chart["encoding"]["x"] = _channel(encodings["x"])
        _arrange(chart, spec, mark)
        return chart

    return build


def _arrange(chart: Chart, spec: Spec, mark: str) -> None:
    layout = str(spec.mark.get("layout", "stack"))
    if mark in {"bar", "area"}:
        value = "x" if chart["encoding"]["x"]["type"] == "quantitative" else "y"
        chart["encoding"][value]["stack"] = STACKS.get(layout, "zero")
        category = "y" if value == "x" else "x"
        sort = spec.encodings.get(category, {}).get("scale", {}).get("sort", {}).get("by", "")
        if sort in {"x", "x-reversed", "y", "y-reversed"}:
            chart["encoding"][category]["sort"] = ("-" if "reversed" in sort else "") + value
    if mark == "bar" and layout == "group" and "color" in chart["encoding"]:
        chart["encoding"]["xOffset"] = {"field": chart["encoding"]["color"]["field"]}


def _pie(spec: Spec) -> Chart:
    return {
        "mark": {"type": "arc", "innerRadius": 45, "tooltip": True},
        "encoding": {
            "theta": _channel(spec.encodings["angle"], type="quantitative", stack=True),
            **_color(spec.encodings),
            "order": _channel(spec.encodings["angle"], type="quantitative", sort="descending"),
        },
    }


def _heatmap(spec: Spec) -> Chart:
    color = spec.encodings["color"]
    ramp = color.get("scale", {}).get("colorRamp", {}).get("scheme", "blues")
    shade = _channel(color, type="quantitative", scale={"scheme": ramp})
    shade["legend"] = {"format": axis_pattern(color.get("format")) or "~s", "orient": "right"}
    shade.pop("axis", None)
    x, y = (_channel(spec.encodings[name]) for name in ("x", "y"))
    if x["type"] == "temporal":
        x |= {"timeUnit": "utcyearmonthdate", "type": "ordinal"}
    return {"mark": {"type": "rect", "tooltip": True}, "encoding": {"x": x, "y": y, "color": shade}}


def _combo(spec: Spec) -> Chart:
    x = _channel(spec.encodings["x"])
    layers: list[Chart] = []
    for side, mark in (("primary", "bar"), ("secondary", "line")):
        for field in spec.encodings["y"].get(side, {}).get("fields", []):
            y = _channel(field, type="quantitative")
            color = PALETTE[len(layers) % len(PALETTE)]
            layers.append({"mark": {"type": mark, "color": color}, "encoding": {"x": x, "y": y}})
    return {"layer": layers, "resolve": {"scale": {"y": "independent"}}}


BUILDERS: dict[str, Callable[[Spec], Chart]] = {
    "line": _axes("line"),
    "bar": _axes("bar"),
    "area": _axes("area"),
    "scatter": _axes("point"),
    "histogram": _axes("bar"),
    "pie": _pie,
    "heatmap": _heatmap,
    "combo": _combo,
}
