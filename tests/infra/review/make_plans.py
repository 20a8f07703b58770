"""Makes the plans that the tests of the review read: `python -m tests.infra.review.make_plans`.

Every file below plans/ is what `terraform show -json` wrote for a plan that Terraform made. No
workspace is needed: a scenario's "before" is planned first, what only the API would know is filled
in, and the result becomes the state that its "after" is planned against, without a refresh. To keep
these files small, planned_values and prior_state are left out: they repeat resource_changes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.provider.install import environment as provider_variables

Json = dict[str, Any]
PLANS = Path(__file__).with_name("plans")
PLAN = "plan.tfplan"
PROVIDER = {
    "required_providers": {"databricks": {"source": "databricks/databricks", "version": "1.99.0"}}
}


@dataclass(frozen=True)
class Scenario:
    """What was deployed, what the code says now, and how Terraform is asked."""

    after: Json
    before: Json | None = None
    options: tuple[str, ...] = ()
    apply: bool = False
    """The state comes from a real apply; for resources that need no workspace."""
    taint: str | None = None
    apply_after: bool = False
    """Apply the "after" too, let it fail, and plan it again."""
    ids: Json = field(default_factory=dict)
    """What the API would have answered, by address; other computed values are made up."""
    again: bool = False
    """Plan the same state a second time, as <name>_again."""
    keep_configuration: bool = False
    """Keep both configurations beside the plan, for rules that read them."""


class Workshop:
    """A folder in which one scenario is planned."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        self.variables = variables

    def make(self, scenario: Scenario) -> list[str]:
        if scenario.before is not None:
            self._deploy(scenario.before, scenario)
        if scenario.taint:
            self.terraform("taint", scenario.taint)
        self.configure(scenario.after)
        if scenario.apply_after:
            self.terraform("apply", "-auto-approve", "-input=false", allowed=(1,))
        if not scenario.apply:
            return [_smaller(self.plan("-refresh=false", *scenario.options))]
        plans = [self.plan(*scenario.options)]
        if scenario.again:
            # Terraform notes the second in which it plans.
            time.sleep(1.1)
            plans.append(self.plan(*scenario.options))
        return plans

    def _deploy(self, before: Json, scenario: Scenario) -> None:
        self.configure(before)
        if scenario.apply:
            self.terraform("apply", "-auto-approve", "-input=false")
            return
        # An id that another resource refers to is known from the second time on.
        for _ in range(2):
            state = _state(json.loads(self.plan("-refresh=false")), scenario.ids)
            (self.folder / "terraform.tfstate").write_text(json.dumps(state))

    def configure(self, configuration: Json) -> None:
        text = json.dumps(configuration)
        if "databricks_" in text:
            configuration = {"terraform": PROVIDER, **configuration}
        (self.folder / "main.tf.json").write_text(json.dumps(configuration, indent=2))
        self.terraform("init", "-input=false")

    def plan(self, *options: str) -> str:
        # Terraform writes the plan also when it ends with an error.
        self.terraform("plan", "-input=false", f"-out={PLAN}", *options, allowed=(0, 1))
        return self.terraform("show", "-json", PLAN)

    def terraform(self, *arguments: str, allowed: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(
            ["terraform", *arguments, *(["-no-color"] if arguments[0] != "taint" else [])],
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in allowed:
            raise RuntimeError(f"terraform {arguments[0]}: {done.stdout[-1500:]}{done.stderr}")
        return done.stdout


def _smaller(plan: str) -> str:
    document = json.loads(plan)
    del document["planned_values"], document["prior_state"]
    return json.dumps(document)


def _state(planned: Json, ids: Json) -> Json:
    """The state that an apply of this plan would have left."""
    outputs = planned["planned_values"].get("outputs", {})
    providers = {
        item["address"]: item["provider_name"]
        for item in planned["planned_values"]["root_module"].get("resources", [])
    }
    changes = [change for change in planned["resource_changes"] if change["mode"] == "managed"]
    return {
        "version": 4,
        "terraform_version": planned["terraform_version"],
        "serial": 1,
        "lineage": "00000000-0000-4000-8000-000000000000",
        "outputs": {
            name: {"value": item.get("value"), "type": item.get("type", "string")}
            for name, item in outputs.items()
            if "value" in item
        },
        "resources": [
            {
                "mode": "managed",
                "type": change["type"],
                "name": change["name"],
                "provider": f'provider["{providers[change["address"]]}"]',
                "instances": [_instance(change, ids.get(change["address"], {}))],
            }
            for change in changes
        ],
    }


def _instance(change: Json, known: Json) -> Json:
    values = _filled(change["change"]["after"], change["change"]["after_unknown"])
    identity = values.get("id") or values.get("name") or values.get("display_name")
    made = {
        "id": str(identity or change["name"]),
        **{k: v for k, v in known.items() if k != "schema_version"},
    }
    return {"schema_version": known.get("schema_version", 0), "attributes": {**values, **made}}


def _filled(known: Any, unknown: Any) -> Any:
    """Planned values; what the API would have decided stays empty."""
    if unknown is True:
        return None
    if isinstance(known, dict):
        parts = unknown if isinstance(unknown, dict) else {}
        more = {key: None for key, flag in parts.items() if flag is True}
        return {**more, **{key: _filled(item, parts.get(key)) for key, item in known.items()}}
    if isinstance(known, list):
        flags = unknown if isinstance(unknown, list) else []
        padded = [*flags, *[False] * (len(known) - len(flags))]
        return [_filled(item, part) for item, part in zip(known, padded, strict=True)]
    return known


def make(name: str, scenario: Scenario, variables: dict[str, str]) -> None:
    """Plan one scenario and keep what Terraform wrote."""
    with tempfile.TemporaryDirectory() as scratch:
        plans = Workshop(Path(scratch), variables).make(scenario)
    for suffix, text in zip(("", "_again"), plans, strict=False):
        (PLANS / f"{name}{suffix}.json").write_text(text)
    if scenario.keep_configuration:
        for when, configuration in (("before", scenario.before), ("after", scenario.after)):
            file = PLANS / f"{name}.{when}.tf.json"
            file.write_text(json.dumps(configuration, indent=2) + "\n")


def main() -> int:
    """Make all plans, or those that are named."""
    from tests.infra.review.scenarios import SCENARIOS

    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", choices=[[], *SCENARIOS], default=[])
    names = parser.parse_args().names or list(SCENARIOS)
    if shutil.which("terraform") is None:
        print("terraform is not on PATH", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as provider:
        variables = {
            **os.environ,
            **provider_variables(Path(provider), Path(sys.executable)),
            "DATABRICKS_HOST": "http://127.0.0.1:9",
            "DATABRICKS_TOKEN": "none",
            "CHECKPOINT_DISABLE": "1",
            "TF_VAR_password": "hunter2-before",
        }
        for name in names:
            make(name, SCENARIOS[name], variables)
            print(f"{name}: {(PLANS / f'{name}.json').stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
