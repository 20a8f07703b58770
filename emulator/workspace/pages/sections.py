"""What pages are made of: facts, tables, texts; one template draws them all."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Link:
    """Text that leads to another page of the workspace."""

    text: str
    href: str


@dataclass(frozen=True)
class State:
    """A word with the colour of its meaning: good, bad, busy or neutral."""

    text: str

    @property
    def tone(self) -> str:
        word = self.text.upper()
        if word in {"SUCCESS", "OK", "COMPLETED", "READY", "ACTIVE", "RUNNING", "FINISHED"}:
            return "good"
        if word in {"PENDING", "QUEUED", "INITIALIZING", "SETTING_UP_TABLES", "IN_PROGRESS"}:
            return "busy"
        failed = ("FAILED", "ERROR", "TRIGGERED", "TIMEDOUT")
        return "bad" if any(part in word for part in failed) else "neutral"


@dataclass
class Table:
    """Rows of texts, links, states and numbers below a row of heads."""

    title: str
    heads: list[str]
    rows: list[list[Any]]
    empty: str = "nothing yet"
    kind: str = field(default="table", init=False)


@dataclass
class Facts:
    """Names and values, one beside the other."""

    title: str
    pairs: list[tuple[str, Any]]
    kind: str = field(default="facts", init=False)


@dataclass
class Text:
    """Text as it is: a log, a query, a trace."""

    title: str
    text: str
    kind: str = field(default="text", init=False)


Section = Table | Facts | Text


def moment(milliseconds: int | None) -> str:
    """A time of the API (epoch milliseconds) in UTC."""
    if not milliseconds:
        return UNKNOWN
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def span(start: int | None, end: int | None) -> str:
    """The seconds between two times of the API."""
    return f"{(end - start) / 1000:.1f} s" if start and end else UNKNOWN
