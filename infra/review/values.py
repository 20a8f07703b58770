"""Planned values in which what is secret or not yet known is an object of its own."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from infra.review.plan_file import Plan, PlannedChange

# A short secret would be found inside of nearly any text.
SHORTEST_PART = 4
LINE_LISTS = ("queryLines", "query_lines")


@dataclass(frozen=True)
class Masked:
    """A sensitive value: it can be compared, and never be shown."""

    _value: str = field(repr=False)

    def __str__(self) -> str:
        return "(sensitive value)"


class Unknown:
    """A value that Terraform knows only after apply."""

    def __str__(self) -> str:
        return "(known after apply)"


UNKNOWN: Final = Unknown()


class Secrets:
    """All sensitive values of a plan, to recognize their copies in values that no mark covers.

    Terraform marks what is known to be sensitive, but a provider may answer with the same value in
    a computed attribute that has no mark.
    """

    def __init__(self, plan: Plan) -> None:
        self._values = {text for text in _sensitive_texts(plan) if text}
        parts = sorted((v for v in self._values if len(v) >= SHORTEST_PART), key=len, reverse=True)
        self._parts = re.compile("|".join(map(re.escape, parts))) if parts else None

    def __bool__(self) -> bool:
        return bool(self._values)

    def __contains__(self, text: str) -> bool:
        return text in self._values or bool(self._parts and self._parts.search(text))


def _sensitive_texts(plan: Plan) -> Iterator[str]:
    for resource in (*plan.resource_changes, *plan.resource_drift):
        yield from _marked_texts(resource.change)
    for change in plan.output_changes.values():
        yield from _marked_texts(change)
    declared = plan.configuration.get("root_module", {}).get("variables", {})
    for name, variable in plan.variables.items():
        if declared.get(name, {}).get("sensitive"):
            yield from _texts(variable.value, True)


def _marked_texts(change: PlannedChange) -> Iterator[str]:
    yield from _texts(change.before, _pruned(change.before_sensitive))
    yield from _texts(change.after, _pruned(change.after_sensitive))


def _texts(value: Any, mark: Any) -> Iterator[str]:
    """The texts below the marks."""
    if mark is True:
        if isinstance(value, dict):
            for item in value.values():
                yield from _texts(item, True)
        elif isinstance(value, list):
            for item in value:
                yield from _texts(item, True)
        elif isinstance(value, str):
            yield value
    elif isinstance(mark, dict) and isinstance(value, dict):
        for key, inner in mark.items():
            if inner:
                yield from _texts(value.get(key), inner)
    elif isinstance(mark, list) and isinstance(value, list):
        for item, inner in zip(value, mark, strict=False):
            yield from _texts(item, inner)


@dataclass(frozen=True)
class Reader:
    """Puts a value and its marks together; documents inside of texts become structures.

    What is null or empty is left out: a provider writes every attribute that nobody has set.
    """

    secrets: Secrets
    _read: dict[int, tuple[PlannedChange, Any, Any]] = field(default_factory=dict)

    def before(self, change: PlannedChange) -> Any:
        return self._both(change)[1]

    def after(self, change: PlannedChange) -> Any:
        return self._both(change)[2]

    def _both(self, change: PlannedChange) -> tuple[PlannedChange, Any, Any]:
        # The change is kept too, so that its id stays its own.
        found = self._read.get(id(change))
        if found is None:
            before = self.read(change.before, False, _pruned(change.before_sensitive))
            after = self.read(
                change.after, _pruned(change.after_unknown), _pruned(change.after_sensitive)
            )
            found = self._read[id(change)] = (change, before, after)
        return found

    def read(self, value: Any, unknown: Any, sensitive: Any, key: str = "") -> Any:
        """A value under its marks."""
        if not unknown and not sensitive:
            return self._plain(value, key)
        if sensitive is True:
            return None if value is None and not unknown else _masked(value, unknown)
        if unknown is True:
            return UNKNOWN
        if isinstance(value, dict) or (value is None and isinstance(unknown, dict)):
            return self._mapping(value or {}, unknown, sensitive)
        if isinstance(value, list):
            unknowns = unknown if isinstance(unknown, list) else []
            marks = sensitive if isinstance(sensitive, list) else []
            return [
                self.read(item, _at(unknowns, index), _at(marks, index))
                for index, item in enumerate(value)
            ]
        return self._plain(value, key)

    def _mapping(self, value: dict[str, Any], unknown: Any, sensitive: Any) -> Any:
        unknowns = unknown if isinstance(unknown, dict) else {}
        marks = sensitive if isinstance(sensitive, dict) else {}
        found = {}
        for key in dict.fromkeys([*value, *(key for key, flag in unknowns.items() if flag)]):
            item = self.read(value.get(key), unknowns.get(key), marks.get(key), key)
            if item is not None:
                found[key] = item
        return found

    def _plain(self, value: Any, key: str = "") -> Any:
        """A value without marks."""
        if isinstance(value, str):
            return self._text(value, key)
        if isinstance(value, dict):
            return self._plain_mapping(value)
        return [self._plain(item) for item in value] if isinstance(value, list) else value

    def _plain_mapping(self, value: dict[str, Any]) -> dict[str, Any]:
        # Nearly all of a large plan passes here, and most of it is null or empty.
        found: dict[str, Any] = {}
        for key, item in value.items():
            if isinstance(item, str):
                found[key] = self._text(item, key)
            elif isinstance(item, dict | list):
                if item:
                    found[key] = self._plain(item)
            elif item is not None:
                found[key] = item
        return found

    def _text(self, text: str, key: str) -> Any:
        if text in self.secrets:
            return Masked(text)
        if key.endswith("_base64"):
            decoded = _decoded(text)
            return Masked(text) if decoded in self.secrets else decoded
        if text[:1] in ("{", "[") and text[-1:] in ("}", "]"):
            document = _document(text)
            if document is not None:
                return self._plain(document)
        return text


def _masked(value: Any, unknown: Any) -> Masked:
    if isinstance(value, str):
        return Masked(value)
    # An unknown secret differs from every known one.
    return Masked(f"unknown {unknown}" if value is None else json.dumps(value, sort_keys=True))


def _pruned(marks: Any) -> Any:
    """Marks without the attributes in which nothing is marked: most are large, and empty."""
    if isinstance(marks, dict):
        return {key: item for key, item in marks.items() if item is True or "True" in repr(item)}
    return marks


def _at(marks: list[Any], index: int) -> Any:
    return marks[index] if index < len(marks) else False


def _decoded(text: str) -> str:
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error:
        return text
    try:
        return content.decode()
    except UnicodeDecodeError:
        digest = hashlib.sha256(content).hexdigest()[:16]
        return f"(binary, {len(content):,} bytes, SHA-256 {digest})"


def _document(text: str) -> Any:
    try:
        document = json.loads(text)
    except json.JSONDecodeError:
        return None
    return _joined(document) if isinstance(document, dict | list) and document else None


def _joined(value: Any) -> Any:
    """A query that a document keeps as a list of lines, as one text."""
    if isinstance(value, dict):
        return {
            key: "".join(map(str, item))
            if key in LINE_LISTS and isinstance(item, list)
            else _joined(item)
            for key, item in value.items()
        }
    return [_joined(item) for item in value] if isinstance(value, list) else value
