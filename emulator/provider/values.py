"""Values as Terraform sends them (msgpack by schema) and as this provider handles them.

Inside, a value is made of None, bool, str, int, float, list, dict, and UNKNOWN.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgpack

from emulator.provider.schema import Node


class _Unknown:
    """A value that Terraform will know only after apply."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __deepcopy__(self, memo: object) -> _Unknown:
        return self


UNKNOWN = _Unknown()
_UNKNOWN_EXTENSION = msgpack.ExtType(0, b"\x00")


def decode(node: Node, data: bytes) -> Any:
    """Read a DynamicValue's msgpack."""
    return from_plain(node, msgpack.unpackb(data, ext_hook=_extension, raw=False))


def _extension(code: int, data: bytes) -> _Unknown:
    return UNKNOWN


def from_plain(node: Node, value: Any) -> Any:
    """Bring numbers into one form, and give every field of an object a value."""
    if value is UNKNOWN:
        return UNKNOWN
    if value is None:
        return node.empty
    if node.kind == "number":
        return number(value)
    if node.kind == "object":
        return {name: from_plain(child, value.get(name)) for name, child in node.fields.items()}
    if node.kind == "map":
        return {key: from_plain(node.inner, item) for key, item in value.items()}
    if node.kind in ("list", "set"):
        return [from_plain(node.inner, item) for item in value]
    return value


def number(value: Any) -> int | float:
    if isinstance(value, str):
        value = float(value) if any(mark in value for mark in ".eE") else int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value  # type: ignore[no-any-return]


def encode(node: Node, value: Any) -> bytes:
    """Write a DynamicValue's msgpack."""
    packed: bytes = msgpack.packb(_to_plain(node, value), use_bin_type=True)
    return packed


def _to_plain(node: Node, value: Any) -> Any:
    if value is UNKNOWN:
        return _UNKNOWN_EXTENSION
    if value is None:
        return node.empty
    if node.kind == "number":
        # Always as text: a float that Terraform reads back is another number to it.
        return str(number(value))
    if node.kind == "object":
        return {name: _to_plain(child, value.get(name)) for name, child in node.fields.items()}
    if node.kind == "map":
        return {key: _to_plain(node.inner, item) for key, item in value.items()}
    if node.kind in ("list", "set"):
        return [_to_plain(node.inner, item) for item in value]
    return value


def blank(node: Node) -> dict[str, Any]:
    """An object with nothing set."""
    return {name: child.empty for name, child in node.fields.items()}


def has_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return value is UNKNOWN


def same(node: Node, one: Any, other: Any) -> bool:
    """Equality that knows that sets have no order and that no block is an empty list."""
    return bool(canonical(node, one) == canonical(node, other))


def canonical(node: Node, value: Any) -> Any:
    """One form for equal values."""
    if value is UNKNOWN:
        return UNKNOWN
    if value is None:
        return node.empty
    if node.kind == "object":
        return {name: canonical(child, value.get(name)) for name, child in node.fields.items()}
    if node.kind == "map":
        return {key: canonical(node.inner, item) for key, item in value.items()}
    if node.kind in ("list", "set"):
        items = [canonical(node.inner, item) for item in value]
        return sorted(items, key=sort_key) if node.kind == "set" else items
    return value


def sort_key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)


def changed_fields(node: Node, prior: dict[str, Any], planned: dict[str, Any]) -> Iterator[str]:
    """Names of the top-level fields that differ."""
    for name, child in node.fields.items():
        if not same(child, prior.get(name), planned.get(name)):
            yield name
