"""Between Terraform's values and the API's JSON, by schema and a table of names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.provider.schema import Node
from emulator.provider.values import UNKNOWN, number


class Names:
    """How fields are called and shaped in the API.

    ``rename`` maps a field to the API's name: by its whole path (``.task``) or wherever it stands
    (``library``). ``objects`` are blocks without a limit that the API takes as one object.
    ``skip`` are paths that never travel, ``readonly`` those that are only read.
    """

    def __init__(self, rules: Mapping[str, Any]) -> None:
        self._rename: dict[str, str] = rules.get("rename", {})
        self._objects = {f".{path}" for path in rules.get("objects", ())}
        self._skip = {f".{path}" for path in rules.get("skip", ())} | {".id", ".timeouts"}
        self._readonly = self._skip | {f".{path}" for path in rules.get("readonly", ())}

    def api_name(self, path: str, name: str) -> str:
        return self._rename.get(path, self._rename.get(name, name))

    def skips(self, path: str) -> bool:
        return path in self._skip

    def sends(self, path: str) -> bool:
        return path not in self._readonly

    def is_object(self, path: str, node: Node) -> bool:
        return node.single or path in self._objects


def to_api(names: Names, node: Node, value: dict[str, Any], path: str = "") -> dict[str, Any]:
    """The request body for an object: what is set, in the API's names and shapes."""
    body: dict[str, Any] = {}
    for name, child in node.fields.items():
        where = f"{path}.{name}"
        item = value.get(name)
        if not names.sends(where) or not child.settable or _nothing(child, item):
            continue
        body[names.api_name(where, name)] = _item_to_api(names, child, item, where)
    return body


def _nothing(node: Node, item: Any) -> bool:
    return item is None or item is UNKNOWN or (node.block and item == [])


def _item_to_api(names: Names, node: Node, item: Any, path: str) -> Any:
    if node.kind == "object":
        return to_api(names, node, item, path)
    if node.kind in ("list", "set") and node.inner.kind == "object":
        if names.is_object(path, node):
            return to_api(names, node.inner, item[0] or {}, path)
        return [to_api(names, node.inner, element or {}, path) for element in item]
    return item


def from_api(names: Names, node: Node, body: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """What the API's answer says of each field; nothing for what it does not mention."""
    out: dict[str, Any] = {}
    for name, child in node.fields.items():
        where = f"{path}.{name}"
        skipped = names.skips(where)
        item = None if skipped else body.get(names.api_name(where, name))
        out[name] = child.empty if item is None else _item_from_api(names, child, item, where)
    return out


def _item_from_api(names: Names, node: Node, item: Any, path: str) -> Any:
    if node.kind == "object":
        return from_api(names, node, item, path)
    if node.kind in ("list", "set"):
        if node.inner.kind == "object":
            elements = [item] if isinstance(item, dict) else item
            return [from_api(names, node.inner, element, path) for element in elements]
        return list(item)
    if node.kind == "map":
        return {key: _scalar(node.inner, value) for key, value in item.items()}
    return _scalar(node, item)


def _scalar(node: Node, item: Any) -> Any:
    if node.kind == "number":
        return number(item)
    if node.kind == "bool":
        return item if isinstance(item, bool) else str(item).lower() == "true"
    return item if isinstance(item, str) else str(item)
