"""Accepted drift: data with a reason, an owner and a day on which it ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

from health_monitor.spec import DefinitionErrors, Problem
from health_monitor.spec.documents import Document, read_document
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.environment import available
from infra.environment_messages import explain
from infra.paths import ROOT

FILE = ROOT / "drift_known.yml"
LONGEST = timedelta(days=366)
# What stands for a path where the whole object is meant, or a content that no plan shows.
DELETED, UNMANAGED, CONTENT = "deleted", "unmanaged", "content"


class KnownDrift(BaseModel):
    """A drift of one address, or of several (a final ``*``), that is accepted for a while."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    environments: Annotated[list[str], Field(min_length=1)]
    address: Annotated[str, Field(pattern=r"^[a-z0-9_]+[./][^*]*\*?$")]
    path: Annotated[str, Field(min_length=1, pattern=r"^[^*]+$")]
    reason: Annotated[str, Field(min_length=10)]
    owner: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    expires: date
    line: int = 0

    def covers(self, address: str, path: str) -> bool:
        """Whether the path, or one above it, is accepted at this address."""
        if self.address.endswith("*"):
            if not address.startswith(self.address[:-1]):
                return False
        elif address != self.address:
            return False
        return path == self.path or path.startswith((f"{self.path}.", f"{self.path}["))

    def is_over(self, today: date) -> bool:
        """It holds on its last day and no longer."""
        return today > self.expires


class KnownFile(BaseModel):
    """The file as it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    known: list[KnownDrift]


@dataclass
class Acceptance:
    """The entries of one environment on one day, and which of them were met."""

    entries: list[KnownDrift]
    today: date
    _met: set[int] = field(default_factory=set)

    def of(self, address: str, path: str) -> KnownDrift | None:
        """The entry that accepts a drift today; None: it counts."""
        for entry in self._covering(address, path):
            if not entry.is_over(self.today):
                return entry
        return None

    def expired(self, address: str, path: str) -> KnownDrift | None:
        """The entry that accepted a drift until its last day."""
        return next((e for e in self._covering(address, path) if e.is_over(self.today)), None)

    def _covering(self, address: str, path: str) -> list[KnownDrift]:
        found = [entry for entry in self.entries if entry.covers(address, path)]
        self._met |= {entry.line for entry in found}
        return found

    def unmet(self) -> list[KnownDrift]:
        """The entries that no drift has asked for."""
        return [entry for entry in self.entries if entry.line not in self._met]


def shown(file: Path = FILE) -> str:
    """The file as messages name it."""
    return str(file.relative_to(ROOT)) if file.is_relative_to(ROOT) else str(file)


def load_known(environment: str, today: date, file: Path = FILE) -> Acceptance:
    """The accepted drift of an environment; DefinitionErrors with every mistake of the file."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        message = f"cannot be read: {error.strerror}; without accepted drift it holds `known: []`"
        raise DefinitionErrors([Problem(shown(file), 1, message)]) from error
    document = read_document(shown(file), text)
    if document.problems:
        raise DefinitionErrors(document.problems)
    try:
        read = KnownFile.model_validate(document.data).known
    except ValidationError as error:
        problems = [explain(document, KnownFile, item) for item in error.errors()]
        raise DefinitionErrors(problems) from error
    problems = list(_problems(document, read, today))
    if problems:
        raise DefinitionErrors(problems)
    entries = [
        item.model_copy(update={"line": document.line(("known", index))})
        for index, item in enumerate(read)
        if environment in item.environments
    ]
    return Acceptance(entries, today)


def known_today(environment: str) -> Acceptance:
    """The drift that is accepted today."""
    return load_known(environment, datetime.now(UTC).date())


def _problems(document: Document, read: list[KnownDrift], today: date) -> Iterable[Problem]:
    environments = available()
    for index, item in enumerate(read):
        place = ("known", index)
        for number, name in enumerate(item.environments):
            if name not in environments:
                message = f"environment '{name}' does not exist; there are: "
                where = (*place, "environments", number)
                yield document.problem(where, message + ", ".join(environments))
        if item.expires - today > LONGEST:
            message = f"expires: a drift is accepted for {LONGEST.days} days at most"
            yield document.problem((*place, "expires"), message)
