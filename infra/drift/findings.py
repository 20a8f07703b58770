"""What changed outside, as the plans of one stack tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from infra.drift.known import CONTENT, DELETED, Acceptance, KnownDrift
from infra.review.assessment import Assessor
from infra.review.assets import Assets
from infra.review.changes import Action, Change
from infra.review.differences import Difference, Kind, Path
from infra.review.plan_file import Plan
from infra.review.reviewing import Inputs, Reviewed, review


@dataclass(frozen=True)
class Finding:
    """A resource that changed outside, with the differences that count."""

    stack: str
    item: Reviewed
    healing: Action
    """What a deploy does to the resource to put it back."""
    expired: KnownDrift | None = None

    @property
    def change(self) -> Change:
        return self.item.change

    @property
    def paths(self) -> list[str]:
        """What counts, as the file of known drift names it."""
        if self.change.action is Action.DELETE:
            return [DELETED]
        return [difference.where for difference in self.change.differences] or [CONTENT]

    @property
    def transition(self) -> str:
        """What must be alike for findings to be told as one; all secrets look the same."""
        change = self.change
        alike = [(d.where, d.kind, d.before, d.after) for d in change.differences]
        return repr((self.stack, change.type, change.action, self.healing, alike))


@dataclass(frozen=True)
class Accepted:
    """A drift that an entry of the file of known drift takes."""

    address: str
    path: str
    entry: KnownDrift


@dataclass(frozen=True)
class StackDrift:
    """All that changed outside in one stack."""

    findings: list[Finding] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    left_alone: list[tuple[str, str]] = field(default_factory=list)
    """Address and path of what differs and no deploy changes back."""


def find_drift(
    stack: str, outside: Plan, healing: Plan, assets: Assets, acceptance: Acceptance
) -> StackDrift:
    """``outside`` is a refresh-only plan, ``healing`` what a deploy would do now."""
    inputs = Inputs(assets)
    heals = {item.change.address: item.change for item in review(healing, inputs).changes}
    found = StackDrift()
    for item in review(outside, inputs).drift:
        _judge(stack, item, heals.get(item.change.address), acceptance, found)
    return found


def _judge(
    stack: str, item: Reviewed, heal: Change | None, acceptance: Acceptance, found: StackDrift
) -> None:
    change = item.change
    if change.action is Action.MOVE:
        # A new address is the code's doing.
        return
    # What has no difference of its own went as a whole, or is told by a checksum only.
    word = DELETED if change.action is Action.DELETE else CONTENT
    whole = Difference((word,), Kind.CHANGED)
    counting, expired = [], None
    for difference in change.differences or [whole]:
        path = difference.where
        if heal is None or not (difference is whole or _puts_back(heal, difference.path)):
            found.left_alone.append((change.address, path))
        elif entry := acceptance.of(change.address, path):
            found.accepted.append(Accepted(change.address, path, entry))
        else:
            counting.append(difference)
            expired = expired or acceptance.expired(change.address, path)
    if counting and heal is not None:
        found.findings.append(Finding(stack, _only(item, counting, whole), heal.action, expired))


def _puts_back(heal: Change, path: Path) -> bool:
    """Whether the change of a deploy reaches the path; a new object is new as a whole."""
    if heal.action is not Action.UPDATE:
        return True
    return any(
        path[: len(other.path)] == other.path or other.path[: len(path)] == path
        for other in heal.differences
    )


def _only(item: Reviewed, differences: Sequence[Difference], whole: Difference) -> Reviewed:
    """The same without the other differences, judged anew: its risk may be theirs."""
    if item.change.action is Action.DELETE:
        return item
    change = replace(item.change, differences=list(differences))
    assessed = Assessor().assess(change)
    if whole in differences:
        # A content is judged as any attribute is, and has no value that could be shown.
        assessed = replace(assessed, change=item.change)
    return Reviewed(assessed, assessed.reasons, item.source)


def groups(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings with the same transition together, in the order of the first."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.transition, []).append(finding)
    return list(found.values())
