"""What a risk rule is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from infra.review.changes import Action, Change
from infra.review.differences import Difference
from infra.review.risk import Risk
from infra.review.values import UNKNOWN, Masked


@dataclass(frozen=True)
class Reason:
    """Why a rule speaks up, and the differences that it has judged."""

    text: str
    covers: Sequence[Difference] = ()


@dataclass(frozen=True)
class Finding:
    """A reason with the rule that gave it."""

    rule: type[Rule]
    text: str

    @property
    def risk(self) -> Risk:
        return self.rule.risk


@dataclass(frozen=True)
class Facts:
    """What a rule may know beside the change itself."""

    unprotected: frozenset[str] = frozenset()
    """Resources that lose ``prevent_destroy``."""
    resource_types: dict[str, str] = field(default_factory=dict)
    """The types that the rules know, in words."""


class Rule(ABC):
    """The docstring of a rule says what it is afraid of."""

    risk: ClassVar[Risk]
    types: ClassVar[frozenset[str]] = frozenset()
    """The types of resources that it reads; none: all."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    @classmethod
    def id(cls) -> str:
        """The rule's name in SARIF."""
        letters = (f"-{c.lower()}" if c.isupper() else c for c in cls.__name__)
        return "".join(letters).lstrip("-")

    @classmethod
    def message(cls) -> str:
        return " ".join((cls.__doc__ or "").split())

    def reads(self, change: Change) -> bool:
        return not self.types or change.type in self.types

    @abstractmethod
    def reasons(self, change: Change) -> Iterator[Reason]:
        """Every reason that the rule sees in a change."""


def shown(value: Any, length: int = 60) -> str:
    """A value in one short line."""
    if isinstance(value, list):
        text = ", ".join(shown(item) for item in value)
    elif isinstance(value, dict):
        pairs = (f"{key}: {shown(item)}" for key, item in value.items() if item not in (None, []))
        text = "{" + ", ".join(pairs) + "}"
    elif value is None:
        text = "nothing"
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, Masked) or value is UNKNOWN:
        return str(value)
    else:
        text = " ".join(str(value).split()) if isinstance(value, str) else f"{value:.12g}"
    return text if len(text) <= length else f"{text[: length - 3]}..."


def first(value: Any) -> Any:
    """What is in a block that can stand once: some providers write it as a list."""
    return value[0] if isinstance(value, list) and value else value


def look_up(values: Any, *path: str) -> Any:
    """A value deep in blocks; None where one of them is missing."""
    for part in path:
        values = first(values)
        values = values.get(part) if isinstance(values, dict) else None
    return values


def names_of(kinds: dict[str, str], change: Change) -> str:
    """A change's resource in words: catalog shop."""
    values = change.values
    keys = ("name", "display_name", "table_name", "path", "tag_key")
    name = next((values[key] for key in keys if values.get(key)), None)
    kind = kinds.get(change.type, change.type)
    return kind if name is None else f"{kind} {shown(name)}"


def destroyed(
    kinds: dict[str, str], change: Change, so: str = "", deleted: str = "deleted"
) -> Iterator[Reason]:
    """That a resource is replaced or deleted, and what follows; nothing where it stays."""
    if change.action.destroys:
        word = "replaced" if change.action is Action.REPLACE else deleted
        yield Reason(f"{names_of(kinds, change)} is {word}{so}", change.differences)
