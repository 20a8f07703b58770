"""Puts all parts together: a plan becomes a review."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from infra.review.assessment import Assessed, Assessor
from infra.review.assets import Assets
from infra.review.assumptions import DEFAULT, read_assumptions
from infra.review.changes import Action, Change, ChangeReader, Resource
from infra.review.cost import Cost, Estimator
from infra.review.differences import Difference, Kind, differences
from infra.review.fingerprint import fingerprint
from infra.review.graph import Graph, read_graph, without_index
from infra.review.impact import Impact, Surroundings, is_touched
from infra.review.plan_file import Plan
from infra.review.protection import protected
from infra.review.renames import Rename, find_renames
from infra.review.risk import Risk
from infra.review.sources import Source, Sources
from infra.review.values import Reader, Secrets

WAREHOUSE = "databricks_sql_endpoint"


@dataclass(frozen=True)
class Inputs:
    """What a review may read beside the plan."""

    assets: Assets
    configurations: Sequence[Path] = ()
    previous_configurations: Sequence[Path] = ()
    assumptions: Path = DEFAULT


@dataclass(frozen=True)
class Reviewed:
    """A change with all that is said about it."""

    assessed: Assessed
    reasons: Sequence[str]
    source: Source | None

    @property
    def change(self) -> Change:
        return self.assessed.change

    @property
    def risk(self) -> Risk:
        return self.assessed.risk


@dataclass(frozen=True)
class Review:
    """All that a reviewer is told about a plan."""

    hash: str
    changes: list[Reviewed]
    drift: list[Reviewed]
    outputs: list[Difference]
    renames: list[Rename]
    impacts: list[Impact]
    cost: Cost
    errored: bool
    notes: list[str] = field(default_factory=list)

    @property
    def risk(self) -> Risk:
        """The highest risk of what an apply would do."""
        lowest = Risk.LOW if self.outputs else Risk.NONE
        return max((item.risk for item in self.changes), default=lowest)


def review(plan: Plan, inputs: Inputs) -> Review:
    """Everything about one plan."""
    graph = read_graph(plan.configuration)
    reader = Reader(Secrets(plan))
    changes_of = ChangeReader(reader, graph.configured)
    sources = Sources(inputs.assets)
    removed = _unprotected(inputs)
    resources = changes_of.resources(plan.resource_changes)
    changes = changes_of.changes(plan.resource_changes)
    changes += _only_unprotected(resources, changes, removed)
    drift = changes_of.changes(plan.resource_drift, drift=True)
    renames = find_renames(changes)
    assessor = Assessor(removed)
    reviewed = [_reviewed(assessor.assess(change), sources, renames) for change in changes]
    return Review(
        hash=fingerprint(plan, reader),
        changes=sorted(reviewed, key=_order),
        drift=sorted((_reviewed(assessor.assess(c), sources, []) for c in drift), key=_order),
        outputs=_outputs(plan, reader),
        renames=renames,
        impacts=_impacts(changes, graph, sources, resources),
        cost=_estimator(inputs, resources).cost(changes),
        errored=plan.errored,
        notes=[*_notes(plan), *inputs.assets.problems],
    )


def _unprotected(inputs: Inputs) -> frozenset[str]:
    """What the previous configuration protects and this one does not, or no longer has."""
    if not inputs.previous_configurations or not inputs.configurations:
        return frozenset()
    return protected(inputs.previous_configurations) - protected(inputs.configurations)


def _only_unprotected(
    resources: Iterable[Resource], changes: Iterable[Change], removed: frozenset[str]
) -> list[Change]:
    """Resources that lose their protection and are no change for Terraform."""
    listed = {change.address for change in changes}
    return [
        Change(item.address, item.type, Action.UPDATE, item.before, item.after)
        for item in resources
        if without_index(item.address) in removed and item.address not in listed
    ]


def _reviewed(assessed: Assessed, sources: Sources, renames: Iterable[Rename]) -> Reviewed:
    reasons = assessed.reasons
    address = assessed.change.address
    for rename in renames:
        if address == rename.old:
            reasons.append(f"looks like a rename to {rename.new}: {rename.command}")
        elif address == rename.new:
            reasons.append(f"looks like a rename from {rename.old}: {rename.command}")
    return Reviewed(assessed, reasons, sources.source(assessed.change))


def _order(item: Reviewed) -> tuple[int, int, str, str]:
    change = item.change
    return (-item.risk, not change.action.destroys, change.address, change.deposed or "")


def _outputs(plan: Plan, reader: Reader) -> list[Difference]:
    found = []
    for name, change in sorted(plan.output_changes.items()):
        if change.actions != ["no-op"]:
            before, after = reader.before(change), reader.after(change)
            found += [
                replace(item, path=(name, *item.path)) for item in differences(before, after)
            ] or [Difference((name,), _output_kind(change.actions), before, after)]
    return found


def _output_kind(actions: Sequence[str]) -> Kind:
    """How an output differs of which no value does: it comes or goes with an empty one."""
    if actions == ["create"]:
        return Kind.ADDED
    return Kind.REMOVED if actions == ["delete"] else Kind.CHANGED


def _impacts(
    changes: Iterable[Change], graph: Graph, sources: Sources, resources: list[Resource]
) -> list[Impact]:
    touched = [change for change in changes if is_touched(change)]
    if not touched:
        return []
    around = Surroundings(graph, sources, resources)
    return [impact for change in touched if (impact := around.impact(change))]


def _estimator(inputs: Inputs, resources: Iterable[Resource]) -> Estimator:
    warehouses = {
        str(item.values.get("id")): item.after or item.before
        for item in resources
        if item.type == WAREHOUSE
    }
    return Estimator(read_assumptions(inputs.assumptions), warehouses)


def _notes(plan: Plan) -> list[str]:
    notes = []
    if plan.errored:
        notes.append("The plan ended with an error: it is not all that would change.")
    elif not plan.complete:
        notes.append("The plan is not complete: applying it leaves something for another plan.")
    if plan.deferred_changes:
        notes.append(f"Terraform defers {len(plan.deferred_changes)} changes to another plan.")
    for check in plan.checks:
        if check.get("status") in ("fail", "error"):
            name = check.get("address", {}).get("to_display", "a check")
            notes.append(f"The check of {name} ends with: {check['status']}.")
    return notes
