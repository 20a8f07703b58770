"""What a change would do: the planned values, and which of them need a new resource."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from emulator.provider.schema import Node
from emulator.provider.values import UNKNOWN, changed_fields, same

State = dict[str, Any]


@dataclass(frozen=True)
class PlanRules:
    """What the binding does not say about a kind; all names are of top-level fields."""

    legacy: bool
    force_new: Sequence[str] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    volatile: Sequence[str] = ()
    keep_if_unset: Sequence[str] = ()


def plan_create(node: Node, rules: PlanRules, proposed: State, config: State) -> State:
    """All that the API will decide is unknown."""
    planned = _with_defaults(rules, copy.deepcopy(proposed))
    for name, child in node.fields.items():
        if name not in rules.defaults:
            planned[name] = _unknown_where_computed(child, planned.get(name), config.get(name))
    return planned


def _unknown_where_computed(node: Node, planned: Any, config: Any) -> Any:
    if config is UNKNOWN:
        return UNKNOWN
    if node.computed and config in (None, []) and planned in (None, []):
        return UNKNOWN
    if node.kind == "object" and isinstance(config, dict):
        return {
            name: _unknown_where_computed(child, planned.get(name), config.get(name))
            for name, child in node.fields.items()
        }
    if node.kind == "list" and node.inner.kind == "object" and config:
        pairs = zip(planned, config, strict=True)
        return [_unknown_where_computed(node.inner, p, c) for p, c in pairs]
    return planned


def plan_update(
    node: Node, rules: PlanRules, prior: State, proposed: State, config: State
) -> tuple[State, list[str]]:
    """The planned values, and the changed fields that only a new resource can have."""
    planned = _with_defaults(rules, copy.deepcopy(proposed))
    for name, child in node.fields.items():
        unset = config.get(name) in (None, [])
        if unset and (name in rules.keep_if_unset or _means_nothing(rules, name, child, prior)):
            planned[name] = prior.get(name)
    if any(True for _ in changed_fields(node, prior, planned)):
        for name in rules.volatile:
            if config.get(name) is None:
                planned[name] = UNKNOWN
    replaced = [
        name
        for name in rules.force_new
        if not same(node.fields[name], prior.get(name), planned.get(name))
    ]
    return planned, replaced


def _means_nothing(rules: PlanRules, name: str, node: Node, prior: State) -> bool:
    """The older SDK does not tell a zero value from one that was never set."""
    zero = prior.get(name) in (0, "", False, [], {})
    return rules.legacy and zero and name not in rules.defaults and not node.required


def _with_defaults(rules: PlanRules, planned: State) -> State:
    for name, default in rules.defaults.items():
        if planned.get(name) is None:
            planned[name] = default
    return planned
