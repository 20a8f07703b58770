"""A destroy and a create of one thing under two addresses: a rename that would lose the state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.review.changes import Action, Change

# What people call a thing, by the attribute that holds it.
TITLES = ("name", "display_name", "path", "table_name", "key", "principal")
# Where a thing of that name lies: two schemas may have a table of one name.
PLACES = (
    "catalog",
    "catalog_name",
    "entity_name",
    "parent_path",
    "schema",
    "schema_name",
    "scope",
    "tag_key",
    "table",
    "volume",
)


@dataclass(frozen=True)
class Rename:
    """The old and the new address of one thing."""

    old: str
    new: str

    @property
    def block(self) -> str:
        """What to write into the configuration."""
        return f"moved {{\n  from = {self.old}\n  to   = {self.new}\n}}"

    @property
    def command(self) -> str:
        """What does it at once."""
        return f"terraform state mv {_quoted(self.old)} {_quoted(self.new)}"


def find_renames(changes: Iterable[Change]) -> list[Rename]:
    """Pairs of a destroy and a create of the same kind and name; each stands in one pair."""
    gone: defaultdict[tuple[Any, ...], list[Change]] = defaultdict(list)
    come: defaultdict[tuple[Any, ...], list[Change]] = defaultdict(list)
    for change in changes:
        if change.action is Action.DELETE and change.deposed is None:
            gone[_identity(change.type, change.before)].append(change)
        elif change.action is Action.CREATE:
            come[_identity(change.type, change.after)].append(change)
    return [
        Rename(old.address, new.address)
        for identity, olds in gone.items()
        if identity[1:]
        for old, new in zip(olds, come.get(identity, []), strict=False)
    ]


def _identity(kind: str, values: Mapping[str, Any]) -> tuple[Any, ...]:
    titles = [(key, values[key]) for key in TITLES if isinstance(values.get(key), str)]
    if not titles:
        return (kind,)
    places = [(key, values[key]) for key in PLACES if isinstance(values.get(key), str)]
    return (kind, *titles, *places)


def _quoted(address: str) -> str:
    return "'" + address.replace("'", "'\\''") + "'"
