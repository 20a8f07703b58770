"""The hash of what a plan does: an approval that is bound to it survives an identical re-plan."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from infra.review.changes import action_of
from infra.review.plan_file import ChangedResource, Plan, PlannedChange
from infra.review.values import Masked, Reader

HASH = "sha256"
UNCHANGED = ["no-op"]


def fingerprint(plan: Plan, reader: Reader) -> str:
    """A hash over changes, drift and outputs.

    When a plan was made and how Terraform orders what it writes is not part of it. Of a sensitive
    value only whether it changes is: from a hash, a short secret could be guessed.
    """
    document = {
        "changes": _resources(plan.resource_changes, reader),
        "drift": _resources(plan.resource_drift, reader),
        "outputs": {
            name: _change(change, reader)
            for name, change in plan.output_changes.items()
            if change.actions != UNCHANGED
        },
        "errored": plan.errored,
        "complete": plan.complete,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), default=str)
    return f"{HASH}:{hashlib.new(HASH, text.encode()).hexdigest()}"


def _resources(resources: list[ChangedResource], reader: Reader) -> list[dict[str, Any]]:
    found = [
        {
            "address": resource.address,
            "was": resource.previous_address,
            "deposed": resource.deposed,
            "reason": resource.action_reason,
            **_change(resource.change, reader),
        }
        for resource in resources
        if resource.mode == "managed" and action_of(resource) is not None
    ]
    return sorted(found, key=lambda item: (item["address"], item["deposed"] or ""))


def _change(change: PlannedChange, reader: Reader) -> dict[str, Any]:
    before, after = reader.before(change), reader.after(change)
    return {
        "actions": change.actions,
        "before": before,
        "after": after,
        "secrets": _changed_secrets(before, after) if reader.secrets else [],
        "forced_by": sorted(json.dumps(path) for path in change.replace_paths),
        "importing": change.importing,
    }


def _changed_secrets(before: Any, after: Any) -> list[str]:
    """Where a secret stands that is another one afterwards."""
    old, new = dict(_masked(before, "")), dict(_masked(after, ""))
    return sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))


def _masked(value: Any, path: str) -> Iterator[tuple[str, Masked]]:
    """The secrets in a value and where they stand."""
    if isinstance(value, Masked):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _masked(item, f"{path}.{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _masked(item, f"{path}[{number}]")
