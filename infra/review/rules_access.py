"""Rules about who may see and do what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from infra.review.changes import Action, Change
from infra.review.differences import Difference, Kind
from infra.review.risk import Risk
from infra.review.rule import Reason, Rule, shown
from infra.review.values import UNKNOWN

EVERYBODY = ("account users", "users", "all workspace users")
NAMES = ("principal", "group_name", "user_name", "service_principal_name")
ENTRIES = ("grant", "access_control")
# A level includes those before it, where both are for one kind of object.
RANKS = (
    "CAN_READ",
    "CAN_VIEW",
    "CAN_MONITOR",
    "CAN_QUERY",
    "CAN_USE",
    "CAN_RUN",
    "CAN_MANAGE_RUN",
    "CAN_EDIT",
    "CAN_MANAGE",
    "IS_OWNER",
)
LEVELS = ("privileges", "permission_level", "permission", "authorization", "grant")
PII = re.compile(r"pii|personal|sensitive|confidential", re.IGNORECASE)
PROTECTION = re.compile(r"\bMASK\b|\bROW\s+FILTER\b|contains_pii", re.IGNORECASE)
TAG_MAPS = ("tags", "custom_tags", "properties")
OFF = ("false", "no", "0", "")


class GrantWidened(Rule):
    """Somebody may do what nobody has let them do before."""

    risk = Risk.HIGH
    types = frozenset(
        {
            "databricks_entitlements",
            "databricks_grant",
            "databricks_grants",
            "databricks_group_member",
            "databricks_permissions",
            "databricks_secret_acl",
        }
    )

    def reasons(self, change: Change) -> Iterator[Reason]:
        if change.action in (Action.CREATE, Action.REPLACE):
            yield from self._new(change)
        for item in change.differences if change.action is Action.UPDATE else ():
            yield from self._widened(item, change)

    def _new(self, change: Change) -> Iterator[Reason]:
        """Whom a new resource lets in; a replaced one may have let in others."""
        entries = [
            entry
            for name in ENTRIES
            for entry in change.after.get(name) or []
            if isinstance(entry, dict)
        ]
        before = [entry for name in ENTRIES for entry in change.before.get(name) or []]
        for entry in entries or [dict(change.after)]:
            if entry not in before:
                yield Reason(f"{_who(entry)} gets {_what(entry)}", change.differences)

    def _widened(self, item: Difference, change: Change) -> Iterator[Reason]:
        if item.kind in (Kind.REMOVED, Kind.REORDERED) or is_lower(item):
            return
        if isinstance(item.after, dict):
            yield Reason(f"new principal: {_who(item.after)} gets {_what(item.after)}", [item])
        elif item.names[-1] in LEVELS:
            # The entry of whom it is: the item of the list, or the resource itself.
            label = next((part[1:-1] for part in item.path if part.startswith("[")), None)
            who = label or _who(dict(change.after))
            more = f", instead of {shown(item.before)}" if item.before else ""
            yield Reason(f"{_named(who)} gets {_loud(item.after)}{more}", [item])
        elif item.names[-1] in NAMES or item.after is True:
            yield Reason(f"{item.where}: {_named(shown(item.after))} is let in", [item])


def is_lower(item: Difference) -> bool:
    """Whether a permission level goes down."""
    if item.before not in RANKS or item.after not in RANKS:
        return False
    return RANKS.index(item.after) < RANKS.index(item.before)


def _who(entry: dict[str, Any]) -> str:
    name = next((entry[key] for key in (*NAMES, "member_id") if entry.get(key) is not None), None)
    if name is UNKNOWN:
        return "a principal that is known only after apply"
    return _named("somebody" if name is None else shown(name))


def _named(who: str) -> str:
    return f"{who} (everybody)" if who.lower() in EVERYBODY else who


def _what(entry: dict[str, Any]) -> str:
    given = next((entry[key] for key in LEVELS if entry.get(key) is not None), None)
    if given is None and entry.get("group_id") is not None:
        return f"the rights of group {shown(entry['group_id'])}"
    return _loud(given)


def _loud(given: Any) -> str:
    names = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    text = ", ".join(shown(name) for name in names)
    return f"{text} (every right there is)" if "ALL_PRIVILEGES" in names else text


class PiiTagRemoved(Rule):
    """Masks and filters follow tags: without its PII tag, a column is shown as it is."""

    risk = Risk.HIGH

    def reasons(self, change: Change) -> Iterator[Reason]:
        if "tag_key" in change.values:
            yield from self._assignment(change)
            return
        for item in change.differences:
            if item.attribute in TAG_MAPS and PII.search(item.where) and self._is_off(item):
                yield Reason(f"tag {item.path[-1]} is taken away", [item])

    def _assignment(self, change: Change) -> Iterator[Reason]:
        key = change.values["tag_key"]
        if not isinstance(key, str) or not PII.search(key):
            return
        on = shown(change.values.get("entity_name"))
        if change.action.destroys:
            yield Reason(f"tag {key} is removed from {on}", change.differences)
        for item in change.differing("tag_value") if change.action is Action.UPDATE else ():
            if self._is_off(item):
                change_text = f"{shown(item.before)} to {shown(item.after)}"
                yield Reason(f"tag {key} of {on} goes from {change_text}", [item])

    def _is_off(self, item: Difference) -> bool:
        return item.kind is Kind.REMOVED or str(item.after).lower() in OFF


class PolicyWeakened(Rule):
    """A mask or row filter that is gone, or that no longer holds for somebody, shows data."""

    risk = Risk.HIGH
    types = frozenset({"databricks_policy_info"})
    # Words about a policy change nothing that it does.
    HARMLESS = ("comment", "name")

    def reasons(self, change: Change) -> Iterator[Reason]:
        name = shown(change.values.get("name"))
        kind = str(change.values.get("policy_type", "")).removeprefix("POLICY_TYPE_").lower()
        words = kind.replace("_", " ") or "policy"
        if change.action.destroys:
            yield Reason(f"{words} {name} is removed", change.differences)
            return
        for item in change.differences if change.action is Action.UPDATE else ():
            if item.attribute == "except_principals" and item.kind is not Kind.REMOVED:
                yield Reason(f"{words} {name} no longer holds for {shown(item.after)}", [item])
            elif item.attribute not in self.HARMLESS:
                yield Reason(f"{words} {name} changes in {item.where}", [item])


class ProtectionRemovedFromTable(Rule):
    """A column or table loses its mask or row filter, or the code that sets them loses a line."""

    risk = Risk.HIGH

    def reasons(self, change: Change) -> Iterator[Reason]:
        for item in change.differences:
            if item.kind is Kind.REMOVED and item.names[-1] in ("mask", "row_filter"):
                yield Reason(f"{item.where} is removed", [item])
            elif isinstance(item.before, str) and isinstance(item.after, str):
                yield from self._lines(item)

    def _lines(self, item: Difference) -> Iterator[Reason]:
        # The same line may stand several times: once a column.
        after = Counter(line.strip() for line in item.after.splitlines())
        before = Counter(line.strip() for line in item.before.splitlines())
        for line, count in before.items():
            if PROTECTION.search(line) and after[line] < count:
                yield Reason(f"{item.where} loses the line: {shown(line)}")
