"""What was synthesized for one environment, as the rules read it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.environment import Environment
from infra.naming import Naming

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Resource:
    """One resource of a stack."""

    stack: str
    kind: str
    name: str
    body: Body

    @property
    def address(self) -> str:
        return f"{self.kind}.{self.name}"

    def value(self, path: str) -> Any:
        """What stands at a dotted path; a block that may repeat is its first one."""
        found: Any = self.body
        for part in path.split("."):
            first = blocks(found)[:1]
            found = first[0].get(part) if first else None
        return found


@dataclass(frozen=True)
class Stack:
    """The Terraform configuration of one stack."""

    name: str
    content: Body

    @property
    def resources(self) -> Iterator[Resource]:
        for kind, named in self.content.get("resource", {}).items():
            for name, body in named.items():
                yield Resource(self.name, kind, name, body)

    @property
    def variables(self) -> Body:
        found: Body = self.content.get("variable", {})
        return found

    @property
    def settings(self) -> Body:
        """The terraform block: backend and required providers."""
        found: Body = self.content.get("terraform", {})
        return found


@dataclass(frozen=True)
class Configuration:
    """All stacks of an environment."""

    environment: Environment
    stacks: tuple[Stack, ...]

    def resources(self, *kinds: str) -> Iterator[Resource]:
        """The resources of these kinds; all of them where no kind is named."""
        for stack in self.stacks:
            for resource in stack.resources:
                if not kinds or resource.kind in kinds:
                    yield resource


def read_configuration(environment: Environment, output: Path) -> Configuration:
    """The stacks of the environment below the output folder of cdktf."""
    naming = Naming(environment)
    stacks = []
    for name in environment.stacks:
        file = output / "stacks" / naming.stack(name) / "cdk.tf.json"
        stacks.append(Stack(name, json.loads(file.read_text(encoding="utf-8"))))
    return Configuration(environment, tuple(stacks))


def blocks(value: Any) -> list[Body]:
    """A block as a list: cdktf writes one that may stand once as it is, others as a list."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, Mapping)]


def texts(value: Any) -> Iterator[str]:
    """Every string in a value, whatever it is nested in."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
