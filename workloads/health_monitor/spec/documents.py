"""YAML files with the line of every key, so that a mistake can be shown where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from health_monitor.spec.problems import Problem

Place = tuple[str | int, ...]
# The one in C, where the library has it, takes a tenth of the time.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class Document:
    """The content of one YAML file and where each part of it stands."""

    file: str
    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest thing that contains it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def problem(self, place: Place, message: str) -> Problem:
        return Problem(self.file, self.line(place), message)


def read_document(file: str, text: str) -> Document:
    """Parse a YAML mapping; keys stay as written, so that ``on`` is no truth value."""
    document = Document(file)
    try:
        node = yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark else 1
        document.problems.append(Problem(file, line, f"not valid YAML: {error.problem}"))
        return document
    if not isinstance(node, yaml.MappingNode):
        document.problems.append(Problem(file, 1, "expected keys and values at the top level"))
        return document
    document.data = _mapping(document, node, ())
    return document


def _value(document: Document, node: yaml.Node, place: Place) -> Any:
    document.lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(document, node, place)
    if isinstance(node, yaml.SequenceNode):
        return [_value(document, item, (*place, index)) for index, item in enumerate(node.value)]
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError) as error:
        document.problems.append(
            Problem(document.file, node.start_mark.line + 1, f"not a plain value: {error}")
        )
        return None
    finally:
        loader.dispose()


def _mapping(document: Document, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        line = key_node.start_mark.line + 1
        if key in result:
            document.problems.append(Problem(document.file, line, f"key '{key}' stands twice"))
        document.lines[(*place, key)] = line
        result[key] = _value(document, value_node, (*place, key))
    return result
