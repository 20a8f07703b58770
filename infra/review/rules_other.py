"""Rules about every resource: what is new, what is gone, and what no other rule has judged."""

from __future__ import annotations

from collections.abc import Iterator

from infra.review.changes import Action, Change
from infra.review.differences import Kind
from infra.review.risk import Risk
from infra.review.rule import Reason, Rule, names_of, shown
from infra.review.rules_access import is_lower

WORDS = (
    "comment",
    "custom_description",
    "custom_summary",
    "custom_tags",
    "description",
    "display_name",
    "properties",
    "tags",
)
SHOWN = 8
DOES_SOMETHING = (Action.CREATE, Action.UPDATE, Action.DELETE, Action.REPLACE)


class UnknownType(Rule):
    """A type of resource that no rule knows: nobody has said what a change of it could break."""

    risk = Risk.HIGH

    def reasons(self, change: Change) -> Iterator[Reason]:
        if change.type not in self.facts.resource_types and change.action in DOES_SOMETHING:
            yield Reason(f"no rule knows type {change.type}")


class Gone(Rule):
    """What is deleted or replaced is missing meanwhile, and so is all that has its old id."""

    risk = Risk.MEDIUM

    def reasons(self, change: Change) -> Iterator[Reason]:
        name = names_of(self.facts.resource_types, change)
        if change.action is Action.DELETE:
            yield Reason(f"{name} is deleted")
        elif change.action is Action.REPLACE:
            yield Reason(f"{name} is replaced", change.differences)


class Forgotten(Rule):
    """A forgotten resource stays as it is, but no plan looks after it any more."""

    risk = Risk.MEDIUM

    def reasons(self, change: Change) -> Iterator[Reason]:
        if change.action is Action.FORGET:
            yield Reason("Terraform forgets it: it stays, and nobody sees it change")


class Created(Rule):
    """Something new takes nothing away."""

    risk = Risk.LOW

    def reasons(self, change: Change) -> Iterator[Reason]:
        if change.action is Action.CREATE:
            yield Reason(f"{names_of(self.facts.resource_types, change)} is new")


class Described(Rule):
    """Comments, descriptions, titles and tags are read by people."""

    risk = Risk.LOW

    def reasons(self, change: Change) -> Iterator[Reason]:
        items = [item for item in change.differences if set(item.names) & {*WORDS}]
        if items and change.action is Action.UPDATE:
            yield Reason(f"words change: {shown([item.where for item in items])}", items)


class Reordered(Rule):
    """The same entries in another order."""

    risk = Risk.LOW

    def reasons(self, change: Change) -> Iterator[Reason]:
        items = [item for item in change.differences if item.kind is Kind.REORDERED]
        if items and change.action is Action.UPDATE:
            yield Reason(f"another order: {shown([item.where for item in items])}", items)


class GrantNarrowed(Rule):
    """Somebody may do less than before."""

    risk = Risk.LOW
    types = frozenset({"databricks_grant", "databricks_grants", "databricks_permissions"})

    def reasons(self, change: Change) -> Iterator[Reason]:
        items = [i for i in change.differences if i.kind is Kind.REMOVED or is_lower(i)]
        if items and change.action is Action.UPDATE:
            yield Reason(f"taken away: {shown([item.where for item in items])}", items)


class MovedOrImported(Rule):
    """Only the state changes."""

    risk = Risk.LOW

    def reasons(self, change: Change) -> Iterator[Reason]:
        if change.previous_address:
            yield Reason(f"moved from {change.previous_address}")
        if change.imported_id:
            yield Reason(f"imported: {change.imported_id}")


class NotJudged(Rule):
    """A difference that no other rule has judged."""

    risk = Risk.MEDIUM

    def reasons(self, change: Change) -> Iterator[Reason]:
        if change.action is Action.UPDATE and change.differences:
            places = list(dict.fromkeys(item.where for item in change.differences))
            more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
            yield Reason(f"changes: {', '.join(places[:SHOWN])}{more}", change.differences)
