"""One tree for everything with a schema: what a value is made of, and who may set it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from emulator.provider.wire import Message

SCALARS = ("string", "number", "bool")
_NESTING = {"object": 1, "list": 2, "set": 3, "map": 4}
_FLAGS = ("block", "single", "required", "optional", "computed", "sensitive")


@dataclass(slots=True)
class Node:
    """A scalar, a collection of ``element``, or an object with ``fields``.

    ``block`` marks a nested block (never null: an absent one is an empty list), ``single`` one
    that Terraform writes as a list of at most one and the API as an object; ``nested`` an
    attribute with attributes of its own (protocol 6).
    """

    kind: str
    element: Node | None = None
    fields: dict[str, Node] = field(default_factory=dict)
    block: bool = False
    single: bool = False
    nested: bool = False
    required: bool = False
    optional: bool = False
    computed: bool = False
    sensitive: bool = False

    @property
    def settable(self) -> bool:
        return self.required or self.optional

    @property
    def inner(self) -> Node:
        """The element of a collection; TypeError for anything else."""
        if self.element is None:
            raise TypeError(f"a {self.kind} has no element")
        return self.element

    @property
    def empty(self) -> Any:
        """What stands where nothing was set."""
        return [] if self.block and self.kind in ("list", "set") else None

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {"kind": self.kind}
        if self.element is not None:
            out["element"] = self.element.to_json()
        if self.fields:
            out["fields"] = {name: child.to_json() for name, child in self.fields.items()}
        out.update({flag: True for flag in (*_FLAGS, "nested") if getattr(self, flag)})
        return out

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Node:
        flags = {flag: True for flag in (*_FLAGS, "nested") if flag in data}
        element = cls.from_json(data["element"]) if "element" in data else None
        fields = {name: cls.from_json(child) for name, child in data.get("fields", {}).items()}
        return cls(data["kind"], element, fields, **flags)


def type_of(node: Node) -> Any:
    """The node's type in Terraform's JSON notation."""
    if node.kind in SCALARS:
        return node.kind
    if node.kind == "object":
        return ["object", {name: type_of(child) for name, child in node.fields.items()}]
    return [node.kind, type_of(node.inner)]


def block_message(node: Node) -> Message:
    """The protocol's Block for an object node."""
    attributes, blocks = [], []
    for name, child in sorted(node.fields.items()):
        if child.block:
            blocks.append(_nested_block(name, child))
        else:
            attributes.append(_attribute(name, child))
    return {"attributes": attributes, "block_types": blocks}


def _nested_block(name: str, node: Node) -> Message:
    body = node if node.kind == "object" else node.inner
    return {
        "type_name": name,
        "block": block_message(body),
        "nesting": _NESTING[node.kind],
        # Minimum counts are left to the API: a required single block of the binding may be absent.
        "max_items": 1 if node.single else 0,
    }


def _attribute(name: str, node: Node) -> Message:
    message: Message = {"name": name}
    for flag in ("required", "optional", "computed", "sensitive"):
        message[flag] = getattr(node, flag)
    if not node.nested:
        message["type"] = json.dumps(type_of(node), separators=(",", ":")).encode()
        return message
    body = node if node.kind == "object" else node.inner
    children = [_attribute(child, body.fields[child]) for child in sorted(body.fields)]
    message["nested_type"] = {"attributes": children, "nesting": _NESTING[node.kind]}
    return message
