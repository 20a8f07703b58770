"""Rules about data that would be lost."""

from __future__ import annotations

from collections.abc import Iterator

from infra.review.changes import Change
from infra.review.graph import without_index
from infra.review.risk import Risk
from infra.review.rule import Reason, Rule, destroyed

HOLDERS = frozenset(
    {
        "databricks_catalog",
        "databricks_schema",
        "databricks_volume",
        "databricks_sql_table",
        "databricks_registered_model",
    }
)


class DataDestroyed(Rule):
    """A catalog, schema, volume, table or registered model goes, and what it holds goes along."""

    risk = Risk.CRITICAL
    types = HOLDERS

    def reasons(self, change: Change) -> Iterator[Reason]:
        yield from destroyed(self.facts.resource_types, change, ": what it holds is lost")


class ForceDestroyOn(Rule):
    """With force_destroy, a destroy no longer stops at a catalog or schema that is not empty."""

    risk = Risk.CRITICAL

    def reasons(self, change: Change) -> Iterator[Reason]:
        for item in change.differences:
            if item.names[-1:] == ("force_destroy",) and item.after is True:
                yield Reason(f"{item.where} is turned on", [item])


class PreventDestroyRemoved(Rule):
    """Without prevent_destroy, the next plan may destroy what holds data."""

    risk = Risk.CRITICAL

    def reasons(self, change: Change) -> Iterator[Reason]:
        if without_index(change.address) in self.facts.unprotected:
            yield Reason("prevent_destroy is removed in the configuration")
