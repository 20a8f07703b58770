"""Lakeview format objects: to text for counters and tables, to d3 patterns for chart axes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
SCALES = ((Decimal(10) ** 12, "T"), (Decimal(10) ** 9, "B"), (Decimal(10) ** 6, "M"))
THOUSAND = Decimal(1000)
NO_VALUE = "unknown"


def as_text(value: Any, form: Mapping[str, Any] | None = None) -> str:
    """A value as a person reads it; a NULL is shown as unknown, never as zero."""
    if value is None:
        return NO_VALUE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return _number(Decimal(str(value)), form or {})
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _number(value: Decimal, form: Mapping[str, Any]) -> str:
    kind = str(form.get("type", "number"))
    before, after = "", ""
    if kind == "number-percent":
        value, after = value * 100, "%"
    elif kind == "number-currency":
        code = str(form.get("currencyCode", "USD"))
        before = SYMBOLS.get(code, f"{code} ")
    scaled, unit = _abbreviated(value) if form.get("abbreviation") == "compact" else (value, "")
    digits = _rounded(scaled, form, default=1 if unit else 2)
    if form.get("hideGroupSeparator"):
        digits = digits.replace(",", "")
    sign = "-" if digits.startswith("-") else ""
    return f"{sign}{before}{digits.removeprefix('-')}{unit}{after}"


def _abbreviated(value: Decimal) -> tuple[Decimal, str]:
    for scale, letter in (*SCALES, (THOUSAND, "K")):
        if abs(value) >= scale:
            return value / scale, letter
    return value, ""


def _rounded(value: Decimal, form: Mapping[str, Any], default: int) -> str:
    places = form.get("decimalPlaces", {})
    count = int(places.get("places", default))
    text = f"{value:,.{count}f}"
    if places.get("type", "max") == "max" and "." in text:
        text = text.rstrip("0").rstrip(".")
    return text


def axis_pattern(form: Mapping[str, Any] | None) -> str | None:
    """The d3-format pattern of a numeric axis; None leaves the default."""
    kind = str((form or {}).get("type", ""))
    if kind == "number-percent":
        return ".1%"
    if kind == "number-currency":
        return "$~s"
    return "~s" if (form or {}).get("abbreviation") == "compact" else None
