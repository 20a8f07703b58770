"""Identical changes of many resources as one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from infra.review.reviewing import Reviewed


@dataclass(frozen=True)
class Fold:
    """Changes that say the same of resources of one type."""

    items: tuple[Reviewed, ...]

    @property
    def first(self) -> Reviewed:
        return self.items[0]

    @property
    def addresses(self) -> list[str]:
        return [item.change.address for item in self.items]

    @property
    def destroys(self) -> bool:
        return self.first.change.action.destroys


def fold(items: Iterable[Reviewed]) -> list[Fold]:
    """The changes in their order; identical ones stand with the first of them."""
    groups: dict[str, list[Reviewed]] = {}
    for item in items:
        groups.setdefault(_key(item), []).append(item)
    return [Fold(tuple(group)) for group in groups.values()]


def _key(item: Reviewed) -> str:
    """What must be alike, as it is shown: two secrets that change look the same."""
    change = item.change
    same = [(d.where, d.kind.value, d.before, d.after) for d in change.differences]
    return repr((change.type, change.action, item.risk, tuple(item.reasons), same))
