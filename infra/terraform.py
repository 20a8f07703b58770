"""Runs Terraform in the folder of one synthesized stack."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from infra.preflight import find, search_path

NO_CHANGES, ERROR, CHANGES = 0, 1, 2


class PlanMode(Enum):
    """What a plan compares: with what is there, or only one half of that."""

    NORMAL = ""
    # The state with the workspace: what changed outside.
    OUTSIDE = "-refresh-only"
    # The state with the code: what the code wants, whatever happened outside.
    CODE = "-refresh=false"


class TerraformError(Exception):
    """Terraform failed; the message is Terraform's own."""


@dataclass(frozen=True)
class Result:
    """The exit code of a command and the JSON events that it wrote."""

    code: int
    events: list[dict[str, Any]]
    text: str


@dataclass(frozen=True)
class StateResource:
    """A managed resource that a state holds."""

    address: str
    type: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Terraform:
    """The terraform program with the variables that it runs with."""

    program: str
    variables: Mapping[str, str]

    @classmethod
    def found(cls, variables: Mapping[str, str]) -> Terraform:
        return cls(find("terraform", variables), terraform_variables(variables))

    def init(self, folder: Path) -> None:
        """Make the folder ready: provider and state backend."""
        result = self._run(folder, ["init", "-input=false", "-no-color"])
        if result.code != 0:
            raise TerraformError(f"terraform init failed in {folder.name}:\n{result.text.strip()}")

    def plan(
        self, folder: Path, out: Path | None = None, mode: PlanMode = PlanMode.NORMAL
    ) -> Result:
        """What would change; 0 nothing, 1 error, 2 changes. ``out`` is where the plan is kept."""
        more = [] if out is None else [f"-out={out}"]
        more += [mode.value] if mode.value else []
        return self._run(folder, ["plan", "-input=false", "-json", "-detailed-exitcode", *more])

    def show(self, folder: Path, plan: Path) -> str:
        """A kept plan as JSON."""
        return self._output(folder, ["show", "-json", str(plan)], f"reading {plan.name}")

    def has_state(self, folder: Path) -> bool:
        """Whether the stack is deployed: its state holds something."""
        return bool(self._state(folder))

    def resources(self, folder: Path) -> list[StateResource]:
        """The managed resources in the stack's state, which is read without its lock."""
        return [
            StateResource(f"{item['type']}.{item['name']}", item["type"], instance["attributes"])
            for item in self._state(folder)
            if item["mode"] == "managed"
            for instance in item["instances"]
        ]

    def _state(self, folder: Path) -> list[dict[str, Any]]:
        state = self._output(folder, ["state", "pull"], f"reading the state of {folder.name}")
        # Where there is no state, one backend gives nothing and another an empty one.
        resources: list[dict[str, Any]] = json.loads(state)["resources"] if state.strip() else []
        return resources

    def adopt(self, folder: Path, address: str, id_: str) -> None:
        """Take what is there into the state, without looking at the rest."""
        command = ["import", "-input=false", "-no-color", address, id_]
        self._output(folder, command, f"importing {address}")

    def destroy(self, folder: Path, tell: Callable[[dict[str, Any]], None]) -> Result:
        """Destroy everything in the stack's state."""
        return self._run(folder, ["destroy", "-input=false", "-json", "-auto-approve"], tell)

    def _output(self, folder: Path, arguments: list[str], what: str) -> str:
        answer = subprocess.run(
            [self.program, *arguments],
            cwd=folder,
            env=dict(self.variables),
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode != 0:
            raise TerraformError(f"{what} failed:\n{answer.stderr}")
        return answer.stdout

    def _run(
        self,
        folder: Path,
        arguments: list[str],
        tell: Callable[[dict[str, Any]], None] | None = None,
    ) -> Result:
        process = subprocess.Popen(
            [self.program, *arguments],
            cwd=folder,
            env=dict(self.variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines, events = [], []
        for line in process.stdout or ():
            event = _event(line)
            if event is None:
                lines.append(line)
                continue
            events.append(event)
            if tell is not None:
                tell(event)
        return Result(process.wait(), events, "".join(lines))


def terraform_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of a terraform or cdktf process: quiet, and asking nobody."""
    quiet = {
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
    }
    return {**variables, **quiet, "PATH": search_path(variables)}


def _event(line: str) -> dict[str, Any] | None:
    """A line of Terraform's machine-readable output; None for any other text."""
    if not line.startswith("{"):
        return None
    try:
        event = json.loads(line)
    except json.JSONDecodeError:
        return None
    return event if isinstance(event, dict) and "type" in event else None


def current_variables() -> dict[str, str]:
    """The variables of this process."""
    return dict(os.environ)
