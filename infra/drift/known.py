"""Accepted drift: data with a reason, an owner and a day on which it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field

from infra.dated_entries import DatedEntry, load_entries
from infra.paths import ROOT

FILE = ROOT / "drift_known.yml"
# What stands for a path where the whole object is meant, or a content that no plan shows.
DELETED, UNMANAGED, CONTENT = "deleted", "unmanaged", "content"


class KnownDrift(DatedEntry):
    """A drift of one address, or of several (a final ``*``), that is accepted for a while."""

    address: Annotated[str, Field(pattern=r"^[a-z0-9_]+[./][^*]*\*?$")]
    path: Annotated[str, Field(min_length=1, pattern=r"^[^*]+$")]

    def covers(self, address: str, path: str) -> bool:
        """Whether the path, or one above it, is accepted at this address."""
        if self.address.endswith("*"):
            if not address.startswith(self.address[:-1]):
                return False
        elif address != self.address:
            return False
        return path == self.path or path.startswith((f"{self.path}.", f"{self.path}["))


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


def load_known(environment: str, today: date, file: Path = FILE) -> Acceptance:
    """The accepted drift of an environment; DefinitionErrors with every mistake of the file."""
    entries = load_entries(file, "known", KnownDrift, today, lambda *_: iter(()))
    return Acceptance([item for item in entries if environment in item.environments], today)


def known_today(environment: str) -> Acceptance:
    """The drift that is accepted today."""
    return load_known(environment, datetime.now(UTC).date())
