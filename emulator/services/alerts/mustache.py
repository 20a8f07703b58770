"""Mustache templates: variables, sections over rows, inverted sections, comments."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

_TAG = re.compile(
    r"\{\{(?P<raw>\{)?\s*(?P<sigil>[#^/!&])?\s*(?P<name>[^{}]*?)\s*\}?\}\}", re.DOTALL
)


class TemplateError(ValueError):
    """A section is not closed, or closed without being opened."""


class Html(str):
    """Text that is HTML already, and is not escaped again."""

    __slots__ = ()


def render(template: str, values: Mapping[str, Any], *, escape: bool) -> str:
    """Fill the template in; an unknown variable is empty, as in any Mustache."""
    text, rest = _render(template, 0, [values], escape, None)
    if rest != len(template):
        raise TemplateError("the template ends too early")
    return text


def _render(
    template: str, start: int, scopes: list[Mapping[str, Any]], escape: bool, until: str | None
) -> tuple[str, int]:
    parts: list[str] = []
    position = start
    while found := _TAG.search(template, position):
        parts.append(template[position : found.start()])
        position = found.end()
        sigil, name = found.group("sigil"), found.group("name")
        if sigil == "/":
            if name != until:
                raise TemplateError(f"section {name!r} is closed but not open")
            return "".join(parts), position
        if sigil in ("#", "^"):
            value = _find(scopes, name)
            body, position = _section(template, position, scopes, escape, (name, value, sigil))
            parts.append(body)
        elif sigil != "!":
            value = _find(scopes, name)
            plain = bool(found.group("raw")) or sigil == "&" or not escape
            parts.append(_text(value, plain))
    if until is not None:
        raise TemplateError(f"section {until!r} is not closed")
    parts.append(template[position:])
    return "".join(parts), len(template)


def _section(
    template: str,
    start: int,
    scopes: list[Mapping[str, Any]],
    escape: bool,
    section: tuple[str, Any, str],
) -> tuple[str, int]:
    name, value, sigil = section
    # Rendered once in any case, to find the section's end.
    once, end = _render(template, start, scopes, escape, name)
    if sigil == "^":
        return ("" if value else once), end
    if not value:
        return "", end
    if isinstance(value, Mapping):
        value = [value]
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = [_render(template, start, [*scopes, _scope(v)], escape, name)[0] for v in value]
        return "".join(items), end
    return once, end


def _scope(item: Any) -> Mapping[str, Any]:
    return item if isinstance(item, Mapping) else {".": item}


def _find(scopes: list[Mapping[str, Any]], name: str) -> Any:
    for scope in reversed(scopes):
        if name in scope:
            return scope[name]
    return None


def _text(value: Any, plain: bool) -> str:
    if value is None:
        return ""
    if plain or isinstance(value, Html):
        return str(value)
    return html.escape(str(value))
