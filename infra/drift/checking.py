"""Plans each stack in halves, and puts together what a person has to know about drift."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config

from infra.drift.audit import CLIENT_ERRORS, AuditLog, Thing, ask, first_line, thing_of
from infra.drift.findings import Accepted, StackDrift, find_drift
from infra.drift.known import UNMANAGED, Acceptance, KnownDrift
from infra.drift.unmanaged import Found, Held, Search
from infra.naming import Naming
from infra.planning import Outcome, Planner, StackPlan
from infra.review.assets import Assets
from infra.review.plan_file import Plan, read_plan
from infra.terraform import CHANGES, ERROR, NO_CHANGES, PlanMode

DRIFT_ONLY = 3
RETRY_SECONDS = 30
HTTP_SECONDS = 60
Tell = Callable[[str], None]


@dataclass
class Report:
    """All that was found."""

    stacks: dict[str, StackDrift] = field(default_factory=dict)
    wanted: list[StackPlan] = field(default_factory=list)
    """What the code wants to change, whatever happened outside."""
    errors: list[str] = field(default_factory=list)
    unmanaged: list[Found] = field(default_factory=list)
    accepted_objects: list[Accepted] = field(default_factory=list)
    expired_objects: dict[str, KnownDrift] = field(default_factory=dict)
    log: AuditLog = field(default_factory=AuditLog)
    notes: list[str] = field(default_factory=list)

    @property
    def findings_count(self) -> int:
        return sum(len(drift.findings) for drift in self.stacks.values()) + len(self.unmanaged)

    @property
    def accepted(self) -> list[Accepted]:
        inside = [item for drift in self.stacks.values() for item in drift.accepted]
        return [*inside, *self.accepted_objects]

    @property
    def exit_code(self) -> int:
        """1 error, 2 the code wants changes, 3 only drift, 0 nothing."""
        if self.errors:
            return ERROR
        if any(plan.outcome is not Outcome.UNCHANGED for plan in self.wanted):
            return CHANGES
        return DRIFT_ONLY if self.findings_count else NO_CHANGES


@dataclass
class Checker:
    """Looks for drift in the stacks of one environment."""

    planner: Planner
    """Knows Terraform and the folders; its mode and folder for plans are set here."""
    assets: Assets
    acceptance: Acceptance
    scratch: Path
    """For plans, which hold secrets: nobody else may read it."""
    tell: Tell = lambda text: None

    def check(self, stacks: Sequence[str], connect: Callable[[], WorkspaceClient]) -> Report:
        """Everything about these stacks."""
        report = Report()
        outside = self._planned(report, stacks, PlanMode.OUTSIDE)
        report.wanted = self._plan(report, stacks, PlanMode.CODE)
        drifted = [stack for stack, plan in outside.items() if plan.resource_drift]
        healing = self._planned(report, drifted, PlanMode.NORMAL)
        for stack in drifted:
            if stack in healing:
                report.stacks[stack] = find_drift(
                    stack, outside[stack], healing[stack], self.assets, self.acceptance
                )
        self._ask_workspace(report, outside, connect)
        report.notes += self._needless(report, stacks)
        return report

    def _planned(self, report: Report, stacks: Sequence[str], mode: PlanMode) -> dict[str, Plan]:
        """The plan of each stack that is deployed."""
        if not stacks:
            return {}
        folder = self.scratch / mode.name.lower()
        plans = self._plan(report, stacks, mode, folder)
        done = (Outcome.UNCHANGED, Outcome.CHANGED)
        return {
            plan.stack: read_plan(folder / f"{plan.stack}.json")
            for plan in plans
            if plan.outcome in done
        }

    def _plan(
        self, report: Report, stacks: Sequence[str], mode: PlanMode, folder: Path | None = None
    ) -> list[StackPlan]:
        words = {PlanMode.OUTSIDE: "the workspace", PlanMode.CODE: "the code"}
        what = words.get(mode, "a deploy")
        # The first look is at the workspace.
        is_ready = mode is not PlanMode.OUTSIDE
        planner = replace(self.planner, mode=mode, save=folder, ready=is_ready)
        plans = planner.plan(stacks, lambda plan: self.tell(f"compared {plan.stack} with {what}"))
        for plan in plans:
            for error in plan.errors:
                told = f"{plan.stack}: {error}"
                report.errors += [] if told in report.errors else [told]
        return plans

    def _ask_workspace(
        self, report: Report, outside: dict[str, Plan], connect: Callable[[], WorkspaceClient]
    ) -> None:
        naming = Naming(self.planner.environment)
        try:
            client = connect()
        except CLIENT_ERRORS as error:
            reason = first_line(error)
            report.log = AuditLog(not_asked=reason)
            report.notes.append(f"what is in no state was not looked for: {reason}")
            return
        missing = [name for name in self.planner.environment.stacks if name not in outside]
        if missing:
            names = ", ".join(missing)
            report.notes.append(f"what is in no state was not looked for: no plan of {names}")
        else:
            search = Search(client, naming, self.assets)
            found, notes = search.unmanaged(Held.of(outside.values()))
            report.notes += notes
            self._judge(report, found)
        things = _things(report)
        if things:
            report.log = ask(client, naming, things)

    def _judge(self, report: Report, found: Sequence[Found]) -> None:
        for item in found:
            entry = self.acceptance.of(item.address, UNMANAGED)
            if entry is not None:
                report.accepted_objects.append(Accepted(item.address, UNMANAGED, entry))
                continue
            report.unmanaged.append(item)
            expired = self.acceptance.expired(item.address, UNMANAGED)
            if expired is not None:
                report.expired_objects[item.address] = expired

    def _needless(self, report: Report, stacks: Sequence[str]) -> list[str]:
        """Entries that nothing asks for; only a look at everything can say so."""
        if report.errors or {*stacks} != {*self.planner.environment.stacks}:
            return []
        return [
            f"drift_known.yml:{entry.line}: {entry.address} no longer drifts there ({entry.path}): "
            "remove the entry"
            for entry in self.acceptance.unmet()
        ]


def _things(report: Report) -> list[Thing]:
    changed = [
        thing_of(finding.change.type, finding.change.values)
        for drift in report.stacks.values()
        for finding in drift.findings
    ]
    return changed + [thing_of_found(item) for item in report.unmanaged]


def thing_of_found(item: Found) -> Thing:
    """An object in no state, as the audit log may call it."""
    return Thing(item.type, frozenset((item.id, item.name)))


def workspace_client(host: str) -> WorkspaceClient:
    """A client that gives up in time; credentials are what the environment has."""
    config = Config(
        host=host, retry_timeout_seconds=RETRY_SECONDS, http_timeout_seconds=HTTP_SECONDS
    )
    return WorkspaceClient(config=config)
