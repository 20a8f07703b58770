"""How long the review of a large plan takes: for `make bench`, and for a test."""

from __future__ import annotations

import copy
import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.paths import ROOT


@dataclass(frozen=True)
class Timing:
    """The seconds of a whole command, with the start of its interpreter."""

    changes: int
    megabytes: float
    seconds: float
    cpu_seconds: float
    """Without the time in which the machine did something else."""


def enlarge(plan: dict[str, Any], changes: int) -> dict[str, Any]:
    """A plan with that many changes, copies of those of a small one under other addresses."""
    originals = [
        item for item in plan["resource_changes"] if item["change"]["actions"] != ["no-op"]
    ]
    declared = {item["address"]: item for item in plan["configuration"]["root_module"]["resources"]}
    large = copy.deepcopy(plan)
    large["resource_changes"] = []
    resources: list[dict[str, Any]] = []
    for number in range(changes):
        item = copy.deepcopy(originals[number % len(originals)])
        old = item["address"]
        item["name"] = f"{item['name']}_{number}"
        item["address"] = f"{item['type']}.{item['name']}"
        for when in ("before", "after"):
            if item["change"][when] and "name" in item["change"][when]:
                item["change"][when]["name"] += f" {number}"
        large["resource_changes"].append(item)
        if old in declared:
            resources.append({**declared[old], "address": item["address"], "name": item["name"]})
    large["configuration"]["root_module"]["resources"] = resources
    return large


def time_review(small: Path, folder: Path, changes: int = 1_000) -> Timing:
    """Review an enlarged copy of a plan with the real command, as a workflow runs it."""
    plan = folder / "large.json"
    plan.write_text(json.dumps(enlarge(json.loads(small.read_text()), changes)))
    command = [sys.executable, "-m", "infra", "review", str(plan), "--format", "markdown"]
    start, used = time.monotonic(), _cpu_of_children()
    done = subprocess.run(
        [*command, "--output", str(folder / "review.md")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - start
    if done.returncode not in (0, 2, 3):
        raise RuntimeError(f"the review ended with {done.returncode}: {done.stderr.strip()}")
    cpu = _cpu_of_children() - used
    return Timing(changes, plan.stat().st_size / 1e6, seconds, cpu)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
