"""Which resource reads which: the graph of a plan's own configuration."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_INDEX = re.compile(r"\[(?:\"(?:[^\"\\]|\\.)*\"|\d+)\]")


def without_index(address: str) -> str:
    """The address of a resource, without the keys of count and for_each."""
    return _INDEX.sub("", address)


@dataclass(frozen=True)
class Graph:
    """The resources of a configuration, their attributes, and who reads them."""

    configured: Mapping[str, frozenset[str]]
    readers: Mapping[str, frozenset[str]]
    """Address -> the resources that name it in an expression or in depends_on."""
    reads: Mapping[str, Mapping[str, frozenset[str]]]
    """Address -> attribute -> the resources that it names."""

    def downstream(self, addresses: Iterable[str]) -> set[str]:
        """All that reads these, directly or through others."""
        start = {without_index(address) for address in addresses}
        seen: set[str] = set()
        waiting = list(start)
        while waiting:
            for reader in self.readers.get(waiting.pop(), ()):
                if reader not in seen:
                    seen.add(reader)
                    waiting.append(reader)
        return seen - start


def read_graph(configuration: Mapping[str, Any]) -> Graph:
    """The graph of the ``configuration`` of a plan."""
    configured: dict[str, frozenset[str]] = {}
    reads: dict[str, dict[str, frozenset[str]]] = {}
    for module in _modules(configuration.get("root_module", {})):
        for resource in module.body.get("resources", []):
            address = module.prefix + resource["address"]
            expressions = resource.get("expressions", {})
            configured[address] = frozenset(expressions)
            reads[address] = {
                attribute: frozenset(module.resolved(_references(expression)))
                for attribute, expression in expressions.items()
            }
            more = [*resource.get("depends_on", []), *_repetition(resource)]
            reads[address]["depends_on"] = frozenset(module.resolved(more))
    return Graph(configured, _reversed(reads, configured), reads)


def _reversed(
    reads: Mapping[str, Mapping[str, frozenset[str]]], known: Iterable[str]
) -> dict[str, frozenset[str]]:
    readers: defaultdict[str, set[str]] = defaultdict(set)
    resources = frozenset(known)
    for address, attributes in reads.items():
        for names in attributes.values():
            for name in names & resources:
                if name != address:
                    readers[name].add(address)
    return {name: frozenset(found) for name, found in readers.items()}


@dataclass(frozen=True)
class _Module:
    """A module and what its caller gives it."""

    prefix: str
    body: Mapping[str, Any]
    parent: _Module | None = None
    inputs: Mapping[str, Any] | None = None

    def resolved(self, references: Iterable[str]) -> Iterator[str]:
        """References as addresses; inputs and outputs of modules are followed."""
        for reference in references:
            parts = _INDEX.sub("", reference).split(".")
            if parts[0] == "var" and self.parent is not None and len(parts) > 1:
                yield from self.parent.resolved(_references((self.inputs or {}).get(parts[1])))
            elif parts[0] == "module":
                yield from self._output(parts)
            else:
                yield self.prefix + ".".join(parts[: 3 if parts[0] == "data" else 2])

    def _output(self, parts: list[str]) -> Iterator[str]:
        call = self.body.get("module_calls", {}).get(parts[1] if len(parts) > 1 else "")
        if call is None or len(parts) < 3:
            return
        child = self._child(parts[1], call)
        output = child.body.get("outputs", {}).get(parts[2], {})
        yield from child.resolved(_references(output.get("expression")))

    def _child(self, name: str, call: Mapping[str, Any]) -> _Module:
        return _Module(
            f"{self.prefix}module.{name}.",
            call.get("module", {}),
            self,
            call.get("expressions", {}),
        )

    def children(self) -> Iterator[_Module]:
        for name, call in self.body.get("module_calls", {}).items():
            yield self._child(name, call)


def _modules(root: Mapping[str, Any]) -> Iterator[_Module]:
    waiting = [_Module("", root)]
    while waiting:
        module = waiting.pop()
        waiting.extend(module.children())
        yield module


def _repetition(resource: Mapping[str, Any]) -> Iterator[str]:
    for key in ("count_expression", "for_each_expression"):
        yield from _references(resource.get(key))


def _references(expression: Any) -> Iterator[str]:
    """Every reference in an expression, however deep it stands in blocks."""
    if isinstance(expression, list):
        for item in expression:
            yield from _references(item)
    elif isinstance(expression, dict):
        for key, item in expression.items():
            if key == "references" and isinstance(item, list):
                yield from (name for name in item if isinstance(name, str))
            elif key != "constant_value":
                yield from _references(item)
