"""Where state lies, and which providers act on it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from infra.policy.configuration import Configuration, Stack
from infra.policy.rule import Rule, Violation

EXACT = re.compile(r"\d+\.\d+\.\d+")


def backend_of(stack: Stack) -> tuple[str, dict[str, Any]]:
    """The kind and the settings of a stack's backend; Terraform's default is a local file."""
    for kind, settings in stack.settings.get("backend", {}).items():
        return str(kind), dict(settings)
    return "local", {}


class StateIsShared(Rule):
    """State lies in S3, locked while somebody writes it, and encrypted on a real account."""

    def violations(self, configuration: Configuration) -> Iterator[Violation]:
        encrypted = not configuration.environment.workspace.loopback_only
        for stack in configuration.stacks:
            kind, settings = backend_of(stack)
            if kind != "s3":
                yield self.at(stack.name, "terraform.backend", f"the backend is {kind}")
                continue
            if settings.get("use_lockfile") is not True:
                yield self.at(stack.name, "terraform.backend", "use_lockfile is not true")
            if encrypted and settings.get("encrypt") is not True:
                yield self.at(stack.name, "terraform.backend", "encrypt is not true")


class StateIsItsOwn(Rule):
    """Each stack has a state of its own."""

    def violations(self, configuration: Configuration) -> Iterator[Violation]:
        places = Counter(_place(stack) for stack in configuration.stacks)
        for stack in configuration.stacks:
            if places[_place(stack)] > 1:
                found = f"{_place(stack)} is the state of another stack too"
                yield self.at(stack.name, "terraform.backend", found)


class ProviderIsPinned(Rule):
    """A provider has one exact version: the same code gives the same plan next year."""

    def violations(self, configuration: Configuration) -> Iterator[Violation]:
        for stack in configuration.stacks:
            for name, provider in stack.settings.get("required_providers", {}).items():
                version = str(provider.get("version"))
                if not EXACT.fullmatch(version):
                    yield self.at(stack.name, f"provider.{name}", f"version is {version}")


def _place(stack: Stack) -> str:
    kind, settings = backend_of(stack)
    return f"{kind}:{settings.get('bucket')}/{settings.get('key')}"
