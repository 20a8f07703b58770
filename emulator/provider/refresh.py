"""Refresh three ways: the state, what the API said last time, and what it says now.

Only what the API changed since then changes in the state. So what a server adds, rewrites or
leaves out of its answers is never taken for a change by somebody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from emulator.provider.schema import Node
from emulator.provider.values import UNKNOWN, same

_IDENTITY = (
    "task_key",
    "job_cluster_key",
    "environment_key",
    "principal",
    "name",
    "key",
    "user_name",
    "group_name",
    "service_principal_name",
)


def merge(node: Node, state: Any, old: Any, new: Any) -> Any:
    """The state after the API's answer went from ``old`` to ``new``."""
    if same(node, old, new):
        return state
    if node.kind == "object" and state and old and new:
        fields = node.fields.items()
        return {n: merge(c, state.get(n), old.get(n), new.get(n)) for n, c in fields}
    if node.kind == "map" and state and old:
        return _merge_map(state, old, new or {})
    if node.kind in ("list", "set") and node.inner.kind == "object" and state and old and new:
        return _merge_elements(node, state, old, new)
    return new


def _merge_map(
    state: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]
) -> dict[str, Any]:
    out = {k: v for k, v in state.items() if k in new or k not in old}
    out.update({k: v for k, v in new.items() if old.get(k) != v})
    return out


def _merge_elements(node: Node, state: list[Any], old: list[Any], new: list[Any]) -> list[Any]:
    identity = identity_of(node, state, old, new)
    if identity is None:
        if len(state) == len(old) == len(new):
            triples = zip(state, old, new, strict=True)
            return [merge(node.inner, s, o, n) for s, o, n in triples]
        return new
    olds = {element[identity]: element for element in old}
    news = {element[identity]: element for element in new}
    known = {element[identity] for element in state}
    kept = [
        merge(node.inner, element, olds.get(key), news[key]) if key in olds else news[key]
        for element in state
        if (key := element[identity]) in news
    ]
    added = [element for key, element in news.items() if key not in known and key not in olds]
    return kept + added


def identity_of(node: Node, *lists: list[Any]) -> str | None:
    """The field that tells these elements apart, if there is one."""
    for name in _IDENTITY:
        if name not in node.inner.fields:
            continue
        columns = [[element.get(name) for element in elements] for elements in lists]
        if all(None not in column and len(set(column)) == len(column) for column in columns):
            return name
    return None


def fill(node: Node, planned: Any, observed: Any) -> Any:
    """The state after apply: planned values stand, unknown ones come from the API's answer."""
    if planned is UNKNOWN:
        return node.empty if observed is None else observed
    if node.kind == "object" and isinstance(planned, dict):
        seen = observed if isinstance(observed, dict) else {}
        return {name: fill(c, planned.get(name), seen.get(name)) for name, c in node.fields.items()}
    if node.kind in ("list", "set") and node.inner.kind == "object" and planned:
        seen_list = observed if isinstance(observed, list) else []
        identity = identity_of(node, planned, seen_list)
        by_key = {e[identity]: e for e in seen_list} if identity else dict(enumerate(seen_list))
        return [
            fill(node.inner, element, by_key.get(element[identity] if identity else position))
            for position, element in enumerate(planned)
        ]
    return planned


def redact(node: Node, observed: Any) -> Any:
    """The answer as it may lie in Terraform's private state: secrets only as a digest."""
    if node.sensitive and observed not in (None, [], {}):
        return "sha256:" + hashlib.sha256(repr(observed).encode()).hexdigest()
    if node.kind == "object" and isinstance(observed, dict):
        return {name: redact(child, observed.get(name)) for name, child in node.fields.items()}
    if node.kind in ("list", "set") and isinstance(observed, list):
        return [redact(node.inner, element) for element in observed]
    return observed
