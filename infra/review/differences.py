"""What differs between two values; items of lists are matched by identity, not by position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from infra.review.values import UNKNOWN, Masked

Path = tuple[str, ...]
Scalar = str | int | float | bool | Masked | None

# What tells one item of a list from the others; the first that fits all items is taken. Of several
# names in one entry an item has one: a permission is for a group, a user or a service principal.
IDENTITIES: tuple[tuple[str, ...], ...] = (
    ("principal",),
    ("task_key",),
    ("job_cluster_key",),
    ("environment_key",),
    ("group_name", "user_name", "service_principal_name"),
    ("destination_id", "user_email"),
    ("alias",),
    ("key",),
    ("name",),
    ("id",),
    ("metric",),
    ("widget.name",),
)


class Kind(Enum):
    """How a value differs."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    REORDERED = "reordered"


@dataclass(frozen=True)
class Difference:
    """One value that differs; the path names items of lists by their identity."""

    path: Path
    kind: Kind
    before: Any = None
    after: Any = None

    @property
    def where(self) -> str:
        """The path as people read it: grant[analysts].privileges."""
        text = self.path[0] if self.path else ""
        for part in self.path[1:]:
            text += part if part.startswith("[") else f".{part}"
        return text

    @property
    def attribute(self) -> str:
        return self.path[0] if self.path else ""

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes of the path, without the items of lists."""
        return tuple(part for part in self.path if not part.startswith("["))


def differences(before: Any, after: Any, path: Path = ()) -> Iterator[Difference]:
    """What differs; null and absent are the same, as they are for Terraform."""
    if is_empty(before) and is_empty(after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from differences(before.get(key), after.get(key), (*path, key))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(before, after, path)
    elif after is UNKNOWN or not same(before, after):
        yield Difference(path, _kind(before, after), before, after)


def is_empty(value: Any) -> bool:
    """Whether nothing is said: a provider writes that as null or as an empty block."""
    return value is None or value in ([], {})


def same(before: Any, after: Any) -> bool:
    # True equals 1 for Python, and no one else.
    return before == after and isinstance(before, bool) == isinstance(after, bool)


def _kind(before: Any, after: Any) -> Kind:
    if is_empty(before):
        return Kind.ADDED
    return Kind.REMOVED if is_empty(after) else Kind.CHANGED


def _lists(before: list[Any], after: list[Any], path: Path) -> Iterator[Difference]:
    if before == after:
        return
    if all(_is_scalar(item) for item in (*before, *after)):
        yield from _scalars(before, after, path)
        return
    labels = _labels(before, after)
    if labels is None:
        yield from _by_content(before, after, path)
        return
    old = dict(zip(labels[0], before, strict=True))
    new = dict(zip(labels[1], after, strict=True))
    found = [
        difference
        for label in dict.fromkeys([*old, *new])
        for difference in differences(old.get(label), new.get(label), (*path, f"[{label}]"))
    ]
    yield from found or [Difference(path, Kind.REORDERED)]


def _is_scalar(item: Any) -> bool:
    return not isinstance(item, dict | list)


def _scalars(before: list[Any], after: list[Any], path: Path) -> Iterator[Difference]:
    """Names and addresses: which came, which went."""
    gone = [item for item in before if item not in after]
    come = [item for item in after if item not in before or item is UNKNOWN]
    if gone and not come:
        yield Difference(path, Kind.REMOVED, gone, None)
    elif come and not gone:
        yield Difference(path, Kind.ADDED, None, come)
    elif gone:
        yield Difference(path, Kind.CHANGED, gone, come)
    elif len(before) != len(after):
        yield Difference(path, Kind.CHANGED, before, after)
    else:
        yield Difference(path, Kind.REORDERED)


def _labels(before: list[Any], after: list[Any]) -> tuple[list[str], list[str]] | None:
    """A name for each item, unique in its list; None where the items have none."""
    if not all(isinstance(item, dict) for item in (*before, *after)):
        return None
    for keys in IDENTITIES:
        labels = _named(before, keys), _named(after, keys)
        if all(names is not None and len({*names}) == len(names) for names in labels):
            return labels[0] or [], labels[1] or []
    return None


def _named(items: Sequence[dict[str, Any]], keys: Sequence[str]) -> list[str] | None:
    names = []
    for number, item in enumerate(items):
        values = [value for key in keys if (value := _look_up(item, key)) not in (None, "")]
        if not values or isinstance(values[0], dict | list):
            return None
        # Two secrets, or two unknown values, show alike and are not one.
        numbered = values[0] is UNKNOWN or isinstance(values[0], Masked)
        names.append(f"{values[0]} {number}" if numbered else str(values[0]))
    return names


def _look_up(item: dict[str, Any], key: str) -> Any:
    first, _, rest = key.partition(".")
    value = item.get(first)
    return _look_up(value, rest) if rest and isinstance(value, dict) else value


def _by_content(before: list[Any], after: list[Any], path: Path) -> Iterator[Difference]:
    """Items without a name: equal ones belong together, then the rest in order."""
    rest = list(after)
    gone = []
    for item in before:
        if item in rest:
            rest.remove(item)
        else:
            gone.append(item)
    if not gone and not rest:
        yield Difference(path, Kind.REORDERED)
    # A block that can stand once: its number says nothing.
    single = len(before) <= 1 and len(after) <= 1
    for number in range(max(len(gone), len(rest))):
        old = gone[number] if number < len(gone) else None
        new = rest[number] if number < len(rest) else None
        yield from differences(old, new, path if single else (*path, f"[{number}]"))
