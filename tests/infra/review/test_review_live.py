"""The recorded plans can be made again: Terraform says today what it said then."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.infra.review.make_plans import Workshop
from tests.infra.review.recorded import document
from tests.infra.review.scenarios_generic import GENERIC


def outline(plan: dict[str, Any]) -> set[tuple[str, ...]]:
    return {
        (
            item["address"],
            item.get("action_reason", ""),
            "deposed" if "deposed" in item else "",
            *item["change"]["actions"],
        )
        for item in plan.get("resource_changes", [])
    }


@pytest.mark.terraform
@pytest.mark.parametrize("name", ["tainted", "moved", "deposed", "forgotten", "errored"])
def test_terraform_makes_the_recorded_plan_again(name: str, tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, {**os.environ, "CHECKPOINT_DISABLE": "1"})
    (made,) = workshop.make(GENERIC[name])
    assert outline(json.loads(made)) == outline(document(name))
