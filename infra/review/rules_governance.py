"""Rules about what hides data, and from whom, where it is deployed as definitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from infra.review.assets import LOADER
from infra.review.changes import Action, Change
from infra.review.differences import Difference, Kind, differences
from infra.review.risk import Risk
from infra.review.rule import Reason, Rule, destroyed, shown
from infra.review.sources import uploaded_file

FILES = frozenset({"databricks_workspace_file"})
CONTENT = "content_base64"
LAYERS = ("bronze", "silver", "gold")
PII = "contains_pii"
ISOLATED = "ISOLATED"


class PolicyFileWeakened(Rule):
    """A job makes masks and row filters from these files: what one no longer says is shown."""

    risk = Risk.HIGH
    types = FILES

    def reasons(self, change: Change) -> Iterator[Reason]:
        file = _file(change, "policies")
        if file is None:
            return
        if change.action.destroys:
            yield Reason(f"{file} is removed: what its policy hides is shown", change.differences)
        for item in _contents(change):
            if file.endswith(".sql"):
                yield Reason(f"the function of {file} changes", [item])
            else:
                yield from _policy_changes(file, item)


def _policy_changes(file: str, item: Difference) -> Iterator[Reason]:
    for found in _differences(item):
        if found.attribute == "exempt" and found.kind is not Kind.REMOVED:
            yield Reason(f"{file} no longer holds for {shown(found.after)}", [item])
        elif found.attribute not in ("comment", "exempt"):
            yield Reason(f"{file} changes in {found.where}", [item])


class PiiMarkRemoved(Rule):
    """Tags and masks follow this mark: without it a column is shown as it is."""

    risk = Risk.HIGH
    types = FILES

    def reasons(self, change: Change) -> Iterator[Reason]:
        file = next((f for layer in LAYERS if (f := _file(change, layer)) is not None), None)
        if file is None or not file.endswith(".yml"):
            return
        if change.action.destroys and _marked(_parsed(change.before.get(CONTENT))):
            yield Reason(f"{file} is removed: it marks personal data", change.differences)
        for item in _contents(change):
            kept = _marked(_parsed(item.after))
            for column in sorted(_marked(_parsed(item.before)) - kept):
                yield Reason(f"{file}: column {column} is no longer marked {PII}", [item])


class GrantFileWidened(Rule):
    """A job grants what these files say."""

    risk = Risk.HIGH
    types = FILES

    def reasons(self, change: Change) -> Iterator[Reason]:
        file = _file(change, "grants")
        if file is None:
            return
        if change.action is Action.CREATE:
            grant = _parsed(change.after.get(CONTENT))
            what = ", ".join(map(str, grant.get("privileges", [])))
            where = ", ".join(map(str, grant.get("tables", [])))
            yield Reason(f"{grant.get('to')} gets {what} on {where}", change.differences)
        for item in _contents(change):
            for found in _differences(item):
                if found.attribute != "comment" and found.kind is not Kind.REMOVED:
                    text = f"{file} changes in {found.where}: {shown(found.after)}"
                    yield Reason(text, [item])


class RoleGivenToGroup(Rule):
    """Grants and policies name roles: another group behind a role gets what the role gets."""

    risk = Risk.HIGH
    types = frozenset({"databricks_job"})

    def reasons(self, change: Change) -> Iterator[Reason]:
        for item in change.differences if change.action is Action.UPDATE else ():
            if item.names[-3:-1] == ("named_parameters", "groups"):
                role = item.names[-1]
                yield Reason(f"role {role} goes to {shown(item.after)}", [item])


class SeenFromElsewhere(Rule):
    """Data leaves the workspaces that were meant to see it."""

    risk = Risk.HIGH
    types = frozenset({"databricks_catalog", "databricks_workspace_binding"})

    def reasons(self, change: Change) -> Iterator[Reason]:
        if change.type == "databricks_workspace_binding":
            if change.action in (Action.CREATE, Action.REPLACE):
                catalog = shown(change.values.get("securable_name"))
                workspace = shown(change.after.get("workspace_id"))
                text = f"{catalog} is seen from workspace {workspace}"
                yield Reason(text, change.differences)
            return
        for item in change.differing("isolation_mode"):
            if item.before == ISOLATED and item.after != ISOLATED:
                yield Reason("the catalog is opened to every workspace", [item])


class GovernedTagTaken(Rule):
    """Policies can ask for governed tags only: without the tag, or a value, they hold no more."""

    risk = Risk.HIGH
    types = frozenset({"databricks_tag_policy"})

    def reasons(self, change: Change) -> Iterator[Reason]:
        so = ": policies that ask for it hold no more"
        yield from destroyed(self.facts.resource_types, change, so)
        for item in change.differing("values") if change.action is Action.UPDATE else ():
            yield Reason(f"tag {shown(change.values.get('tag_key'))}: {item.where} changes", [item])


def _file(change: Change, kind: str) -> str | None:
    """The definition file of a kind that a change uploads."""
    file = uploaded_file(change)
    return file if file is not None and file.startswith(f"{kind}/") else None


def _contents(change: Change) -> Iterator[Difference]:
    """The content, where an update changes it and it can be read."""
    yield from change.differing(CONTENT) if change.action is Action.UPDATE else ()


def _parsed(text: Any) -> Mapping[str, Any]:
    """A definition; an empty one where it cannot be read, so that all of the other counts."""
    try:
        found = yaml.load(text, LOADER) if isinstance(text, str) else None  # noqa: S506
    except yaml.YAMLError:
        found = None
    return found if isinstance(found, Mapping) else {}


def _differences(item: Difference) -> Iterator[Difference]:
    return differences(dict(_parsed(item.before)), dict(_parsed(item.after)))


def _marked(definition: Mapping[str, Any]) -> set[str]:
    """The columns with personal data."""
    parts = (definition.get("columns") or {}, definition.get("derived") or {})
    return {
        str(name)
        for part in parts
        for name, column in part.items()
        if isinstance(column, Mapping) and column.get(PII) is True
    }
