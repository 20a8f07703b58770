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
        "secrets_change": bool(reader.secrets) and [*_masked(before)] != [*_masked(after)],
        "forced_by": sorted(json.dumps(path) for path in change.replace_paths),
        "importing": change.importing,
    }


def _masked(value: Any) -> Iterator[Masked]:
    """The secrets in a value, in the order in which they stand."""
    if isinstance(value, Masked):
        yield value
    elif isinstance(value, dict):
        for key in sorted(value):
            yield from _masked(value[key])
    elif isinstance(value, list):
        for item in value:
            yield from _masked(item)
