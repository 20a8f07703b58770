"""A pydantic error in one line: what is wrong, what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, get_args

from health_monitor.spec.documents import Document, Place
from health_monitor.spec.problems import Problem
from pydantic import BaseModel

# What is written there by mistake may be the secret itself.
SECRET_KEYS = ("url", "integration_key")


def explain(document: Document, model: type[BaseModel], error: Mapping[str, Any]) -> Problem:
    """The problem at the line of the key that it is about."""
    place = _place(document, error["loc"])
    key = place[-1] if place else ""
    kind = error["type"]
    if kind == "extra_forbidden":
        allowed = _allowed_keys(model, error["loc"])
        near = difflib.get_close_matches(str(key), allowed, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        message = f"unknown key '{key}'{hint}; allowed here: {', '.join(allowed)}"
        return document.problem(place, message)
    if kind == "missing":
        return document.problem(place[:-1], f"key '{_dotted(place)}' is missing; it must be given")
    given = "this value" if key in SECRET_KEYS else _shown(error.get("input"))
    return document.problem(place, f"{_dotted(place)}: {_wrong(error, given)}")


def _wrong(error: Mapping[str, Any], given: str) -> str:
    context = error.get("ctx", {})
    if error["type"] == "literal_error":
        return f"{given} is not allowed; allowed: {context['expected']}"
    if error["type"] == "string_pattern_mismatch":
        return f"{given} is not allowed; it must match {context['pattern']}"
    if error["type"].startswith("union_tag"):
        return f"{given} has no known kind; allowed kinds: {context.get('expected_tags', '')}"
    if error["type"] == "value_error":
        return (
            f"{given}: {context['error']}"
            if not isinstance(error.get("input"), dict)
            else str(context["error"])
        )
    allowed = str(error["msg"]).replace("Input should be", "must be")
    return f"{given} is not allowed; {allowed[0].lower()}{allowed[1:]}"


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    return f"'{value}'"


def _place(document: Document, loc: tuple[str | int, ...]) -> Place:
    """pydantic puts the union's tag (email, slack) into the path; the file does not have it."""
    place: Place = ()
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        if (*place, part) in document.lines or last:
            place = (*place, part)
    return place


def _dotted(place: Place) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _allowed_keys(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """The fields of the model that the key was put into."""
    found = _models_of(model)
    for part in loc[:-1]:
        inner = [m for m in found if m.__name__.lower().startswith(str(part))]
        if len(found) > 1 and inner:
            found = inner
            continue
        fields = [m.model_fields[str(part)].annotation for m in found if part in m.model_fields]
        found = [m for annotation in fields for m in _models_of(annotation)] or found
    return sorted({field for m in found for field in m.model_fields})


def _models_of(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_of(part)]
