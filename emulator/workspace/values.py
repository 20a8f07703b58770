"""Small things that every route needs: a JSON body, the time, fields that must be there."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Request

from emulator.errors import ApiError, invalid_parameter

Document = dict[str, Any]


def now_ms() -> int:
    return int(time.time() * 1000)


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _read_json(request: Request) -> Document:
    raw = await request.body()
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise ApiError(
            400, "MALFORMED_REQUEST", f"Could not parse the request body: {error}"
        ) from error
    if not isinstance(body, dict):
        raise ApiError(400, "MALFORMED_REQUEST", "The request body must be a JSON object.")
    return body


JsonBody = Annotated[Document, Depends(_read_json)]


def required(body: Document, field: str) -> Any:
    """The field's value; INVALID_PARAMETER_VALUE when it was not sent."""
    value = body.get(field)
    if value is None or value == "":
        raise invalid_parameter(f"Missing required field: {field}")
    return value


def whole_number(value: Any, name: str) -> int:
    """A number sent as a number or as text."""
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise invalid_parameter(f"{name} must be a whole number, not {value!r}.") from error


def without(document: Document, *fields: str) -> Document:
    return {key: value for key, value in document.items() if key not in fields}
