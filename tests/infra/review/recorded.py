"""The recorded plans, reviewed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.review.assets import Assets, find_assets
from infra.review.plan_file import Plan, read_plan
from infra.review.reviewing import Inputs, Review, Reviewed, review

PLANS = Path(__file__).with_name("plans")
DEFINITIONS = Path(__file__).parents[1] / "definitions"
NO_DEFINITIONS = Assets(Path("/nowhere"), "nowhere")


def plan(name: str) -> Plan:
    return read_plan(PLANS / f"{name}.json")


def document(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((PLANS / f"{name}.json").read_text())
    return content


def written(folder: Path, content: Mapping[str, Any]) -> Path:
    """A plan of a test's own."""
    path = folder / "plan.json"
    path.write_text(json.dumps(content))
    return path


def reviewed(name: str, *, definitions: bool = False) -> Review:
    """The review of a recorded plan, with its configurations where they were kept."""
    assets = find_assets(DEFINITIONS, "definitions") if definitions else NO_DEFINITIONS
    configurations = [PLANS / f"{name}.{when}.tf.json" for when in ("before", "after")]
    if not configurations[0].exists():
        return review(plan(name), Inputs(assets))
    before, after = configurations
    return review(plan(name), Inputs(assets, [after], [before]))


def change(found: Review, address: str) -> Reviewed:
    """The one change of an address; the kind can be left out."""
    (item,) = [
        item
        for item in found.changes
        if address in (item.change.address, item.change.address.partition(".")[2])
    ]
    return item
