"""What a rule is: a class whose docstring is the message."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from infra.environment import Environment
from infra.policy.configuration import Configuration, Resource

_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, order=True)
class Violation:
    """Where a rule is broken, and how."""

    stack: str
    address: str
    message: str
    rule: str

    def __str__(self) -> str:
        return f"{self.stack}: {self.address}: {self.message} ({self.rule})"


class Rule(ABC):
    """A rule over the whole configuration."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not cls.__doc__:
            raise TypeError(f"rule {cls.__name__} has no docstring; it is the rule's message")

    @classmethod
    def name(cls) -> str:
        """How an exemption names the rule."""
        return _WORDS.sub("_", cls.__name__).lower()

    @classmethod
    def message(cls) -> str:
        return inspect.cleandoc(str(cls.__doc__)).split("\n\n")[0].replace("\n", " ").rstrip(".")

    def applies(self, environment: Environment) -> bool:
        """Whether the rule holds in this environment; in all, where a rule does not say."""
        return True

    @abstractmethod
    def violations(self, configuration: Configuration) -> Iterator[Violation]:
        """Where the rule is broken."""

    def at(self, stack: str, address: str, found: str) -> Violation:
        """A violation: the rule's message, then what was found there."""
        return Violation(stack, address, f"{self.message()}: {found}", self.name())


class ResourceRule(Rule):
    """A rule over one resource at a time; ``kinds`` says of which kinds, none means all."""

    kinds: ClassVar[tuple[str, ...]] = ()

    def violations(self, configuration: Configuration) -> Iterator[Violation]:
        for resource in configuration.resources(*self.kinds):
            for found in self.findings(resource, configuration.environment):
                yield self.at(resource.stack, resource.address, found)

    @abstractmethod
    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        """What is wrong with this resource."""


@cache
def all_rules() -> tuple[Rule, ...]:
    """One of each rule in ``infra.policy.rules``, by name."""
    package = importlib.import_module("infra.policy.rules")
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    rules = [rule() for rule in _concrete(Rule) if rule.__module__.startswith(package.__name__)]
    names = [rule.name() for rule in rules]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise TypeError(f"two rules have the same name: {', '.join(sorted(twice))}")
    return tuple(sorted(rules, key=lambda rule: rule.name()))


def _concrete(base: type[Any]) -> Iterator[type[Any]]:
    for found in base.__subclasses__():
        if not inspect.isabstract(found):
            yield found
        yield from _concrete(found)
