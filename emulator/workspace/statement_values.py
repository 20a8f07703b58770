"""Values between SQL and the Statement Execution API: parameters in, cells out."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from emulator.errors import invalid_parameter
from emulator.workspace.values import Document

_WHOLE = {"BYTE", "TINYINT", "SHORT", "SMALLINT", "INT", "INTEGER", "LONG", "BIGINT"}
_TRUTH = {"true": True, "false": False}


def parameter_values(parameters: Any) -> dict[str, Any] | None:
    """Named parameters as Python values of their SQL types; None if there are none."""
    if not parameters:
        return None
    values: dict[str, Any] = {}
    for parameter in parameters:
        name = parameter.get("name")
        if not name:
            raise invalid_parameter("parameters: only named parameters are known here.")
        values[name] = _parsed(name, parameter.get("value"), str(parameter.get("type", "STRING")))
    return values


def _parsed(name: str, value: Any, type_text: str) -> Any:
    base = type_text.upper().partition("(")[0].strip()
    if value is None or base == "VOID":
        return None
    text = str(value)
    try:
        return _converted(base, text)
    except (ValueError, KeyError, InvalidOperation) as error:
        raise invalid_parameter(f"parameters: {name}: {text!r} is no {type_text}.") from error


def _converted(base: str, text: str) -> Any:
    if base in _WHOLE:
        return int(text)
    if base in ("FLOAT", "REAL", "DOUBLE"):
        return float(text)
    if base in ("DECIMAL", "DEC", "NUMERIC"):
        return Decimal(text)
    if base == "BOOLEAN":
        return _TRUTH[text.lower()]
    if base == "DATE":
        return date.fromisoformat(text)
    if base in ("TIMESTAMP", "TIMESTAMP_NTZ"):
        moment = datetime.fromisoformat(text)
        if base == "TIMESTAMP_NTZ":
            return moment.replace(tzinfo=None)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if base == "STRING":
        return text
    raise invalid_parameter(f"parameters: the type {base} is not known here.")


def cell(value: Any, type_name: str = "") -> str | None:
    """One cell of a JSON_ARRAY result: text, or null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return _moment(value, zoned=type_name != "TIMESTAMP_NTZ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return _real(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False)
    return str(value)


def _moment(value: datetime, *, zoned: bool) -> str:
    text = value.replace(tzinfo=None).isoformat(timespec="milliseconds")
    return f"{text}Z" if zoned else text


def _real(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


def _plain(value: Any) -> Any:
    if hasattr(value, "asDict"):
        return _plain(value.asDict(recursive=False))
    if isinstance(value, Mapping):
        return {str(key): _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    if isinstance(value, Decimal | datetime | date | bytes | bytearray | timedelta):
        return cell(value)
    return value


def column_info(column: Any) -> Document:
    """One column of a result's manifest."""
    shown = {
        "name": column.name,
        "type_text": column.type_text.upper(),
        "type_name": column.type_name,
        "position": column.position,
    }
    if column.type_name == "DECIMAL" and "(" in column.type_text:
        precision, _, scale = column.type_text.partition("(")[2].rstrip(")").partition(",")
        shown["type_precision"] = int(precision)
        shown["type_scale"] = int(scale or 0)
    return shown
