"""The lock of a state, as Terraform tells of it, and how it is released."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from infra.paths import ROOT

REFUSED = "Error acquiring the state lock"
# Terraform frames an error in plain text, and wraps it.
_FRAME = r"^[\s│|]*"
_ENTRIES = ("ID", "Path", "Operation", "Who", "Created")


@dataclass(frozen=True)
class Lock:
    """Who holds the state of a stack."""

    id: str
    state: str
    """The stack whose state it is: the last part of the state's path."""
    operation: str
    who: str
    created: str

    def message(self, folder: Path) -> str:
        """What a person can do about it; ``folder`` is the synthesized stack."""
        place = folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder
        return "\n".join(
            [
                f"the state of {folder.name} is locked by {self.who} since {self.created} "
                f"({self.operation})",
                "  That is still at work: wait, then try again.",
                "  That was killed, and nobody deploys now: release the lock, then try again:",
                f"    terraform -chdir={place} force-unlock {self.id}",
            ]
        )


def lock_in(text: str) -> Lock | None:
    """The lock that refused a command, from Terraform's error; None where none did."""
    if REFUSED not in text:
        return None
    found = {name: _entry(text, name) for name in _ENTRIES}
    if not found["ID"]:
        return None
    operation = found["Operation"].removeprefix("OperationType").lower() or "unknown operation"
    created = found["Created"].partition(".")[0] or "an unknown time"
    state = PurePosixPath(found["Path"]).stem
    return Lock(found["ID"], state, operation, found["Who"] or "somebody", created)


def _entry(text: str, name: str) -> str:
    match = re.search(rf"{_FRAME}(?:\S+-\S+\s+)?{name}:\s+(\S.*?)\s*$", text, re.MULTILINE)
    return match[1] if match else ""
