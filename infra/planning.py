"""Plans every stack of an environment and says what would change."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from infra.environment import Environment
from infra.locks import lock_in
from infra.naming import Naming
from infra.stack_order import ALL_STACKS, DEPENDS_ON
from infra.terraform import CHANGES, ERROR, NO_CHANGES, PlanMode, Result, Terraform

PARALLEL_PLANS = 2
# Terraform's words for an id that an earlier stack has not written yet.
NOT_YET_THERE = ("Unable to find remote state", "Unsupported attribute")


class Outcome(Enum):
    """How the plan of one stack ended."""

    UNCHANGED = "no changes"
    CHANGED = "changes"
    WAITING = "waits"
    FAILED = "error"


@dataclass(frozen=True)
class Change:
    """A resource and what would happen to it."""

    address: str
    action: str


@dataclass(frozen=True)
class StackPlan:
    """The plan of one stack."""

    stack: str
    outcome: Outcome
    changes: list[Change] = field(default_factory=list)
    drift: list[Change] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    waits_for: list[str] = field(default_factory=list)

    @property
    def counts(self) -> Counter[str]:
        return Counter(change.action for change in self.changes)


@dataclass(frozen=True)
class Planner:
    """Plans the stacks of one environment in the order in which they are deployed."""

    environment: Environment
    terraform: Terraform
    output: Path
    # Where the plan of each stack is kept as JSON, for a review.
    save: Path | None = None
    mode: PlanMode = PlanMode.NORMAL
    # Whether the folders of these stacks are initialized already.
    ready: bool = False

    def folder(self, stack: str) -> Path:
        return self.output / "stacks" / Naming(self.environment).stack(stack)

    def plan(
        self, stacks: Sequence[str], tell: Callable[[StackPlan], None] = lambda plan: None
    ) -> list[StackPlan]:
        """The plans of these stacks; a stack whose plan fails does not stop the others."""
        chosen = [name for name in ALL_STACKS if name in stacks]
        for stack in [] if self.ready else chosen:
            # One at a time: Terraform's plugin cache is not made for two.
            self.terraform.init(self.folder(stack))
        done: dict[str, StackPlan] = {}
        with ThreadPoolExecutor(max_workers=PARALLEL_PLANS) as pool:
            results = pool.map(self._planned, chosen)
            for stack, result in zip(chosen, results, strict=True):
                done[stack] = self._read(stack, result, done)
                tell(done[stack])
        return list(done.values())

    def _planned(self, stack: str) -> Result:
        folder = self.folder(stack)
        if self.save is None:
            return self.terraform.plan(folder, mode=self.mode)
        kept = self.save.resolve() / f"{stack}.tfplan"
        file = kept.with_suffix(".json")
        # A plan shows secrets in plain text: for nobody else on this machine.
        self.save.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in (kept, file):
            old.unlink(missing_ok=True)
        result = self.terraform.plan(folder, kept, self.mode)
        if kept.is_file():
            file.touch(mode=0o600)
            file.write_text(self.terraform.show(folder, kept), encoding="utf-8")
            kept.unlink()
        return result

    def _read(self, stack: str, result: Result, done: dict[str, StackPlan]) -> StackPlan:
        changes = _changes(result, "planned_change")
        drift = _changes(result, "resource_drift")
        if result.code == NO_CHANGES:
            return StackPlan(stack, Outcome.UNCHANGED, changes, drift)
        if result.code == CHANGES:
            return StackPlan(stack, Outcome.CHANGED, changes, drift)
        waits_for = self._waits_for(stack, result, done)
        if waits_for:
            declared = self._declared(stack)
            return StackPlan(stack, Outcome.WAITING, declared, waits_for=waits_for)
        errors = _errors(result, self.folder(stack)) or [
            result.text.strip() or "terraform plan gave no reason"
        ]
        return StackPlan(stack, Outcome.FAILED, changes, drift, errors)

    def _waits_for(self, stack: str, result: Result, done: dict[str, StackPlan]) -> list[str]:
        """The earlier stacks whose deploy writes what this plan could not read."""
        summaries = [event["diagnostic"]["summary"] for event in _diagnostics(result)]
        if not summaries or any(summary not in NOT_YET_THERE for summary in summaries):
            return []
        read = self._configuration(stack).get("data", {}).get("terraform_remote_state", {})
        return [name for name in DEPENDS_ON[stack] if name in read and self._is_pending(name, done)]

    def _is_pending(self, stack: str, done: dict[str, StackPlan]) -> bool:
        if stack in done:
            return done[stack].outcome in (Outcome.CHANGED, Outcome.WAITING)
        self.terraform.init(self.folder(stack))
        return not self.terraform.has_state(self.folder(stack))

    def _declared(self, stack: str) -> list[Change]:
        """What a stack that was never deployed would create."""
        if self.terraform.has_state(self.folder(stack)):
            return []
        resources = self._configuration(stack).get("resource", {})
        return [
            Change(f"{kind}.{name}", "create")
            for kind, named in resources.items()
            for name in named
        ]

    def _configuration(self, stack: str) -> dict[str, dict[str, dict[str, Any]]]:
        """What was synthesized: block type -> resource type -> name -> body."""
        text = (self.folder(stack) / "cdk.tf.json").read_text(encoding="utf-8")
        configuration: dict[str, dict[str, dict[str, Any]]] = json.loads(text)
        return configuration


def exit_code(plans: Sequence[StackPlan]) -> int:
    """0: nothing to do in every stack; 2: something is to change; 1: a plan failed."""
    outcomes = {plan.outcome for plan in plans}
    if Outcome.FAILED in outcomes:
        return ERROR
    return NO_CHANGES if outcomes <= {Outcome.UNCHANGED} else CHANGES


def _changes(result: Result, kind: str) -> list[Change]:
    found = []
    for event in result.events:
        if event["type"] == kind:
            change = event["change"]
            # An import may change the resource too; what it is in the first place is an import.
            in_place = change["action"] in ("noop", "update")
            action = "import" if in_place and "importing" in change else change["action"]
            if action not in ("noop", "read"):
                found.append(Change(change["resource"]["addr"], action))
    return found


def _diagnostics(result: Result) -> list[dict[str, Any]]:
    return [
        event
        for event in result.events
        if event["type"] == "diagnostic" and event["diagnostic"]["severity"] == "error"
    ]


def _errors(result: Result, folder: Path) -> list[str]:
    return [error_text(event["diagnostic"], folder) for event in _diagnostics(result)]


def error_text(diagnostic: dict[str, Any], folder: Path) -> str:
    """An error of Terraform in words, with the resource that it is about."""
    lock = lock_in(f"{diagnostic['summary']}\n{diagnostic.get('detail', '')}")
    if lock is not None:
        return lock.message(folder)
    address = diagnostic.get("address")
    parts = [f"{address}: " if address else "", str(diagnostic["summary"])]
    if diagnostic.get("detail"):
        parts.append(f"\n{diagnostic['detail']}")
    return "".join(parts)
