"""The two ways out of a drift: the line to change, or the command that reverts it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from health_monitor.spec.documents import Document, Place, read_document

from infra.declared import Configuration, Declared
from infra.drift.findings import Finding
from infra.drift.unmanaged import Found
from infra.naming import Naming
from infra.paths import ENVIRONMENTS, OUTPUT, ROOT
from infra.planning import Planner
from infra.review.assets import Assets
from infra.review.changes import Action, Change
from infra.review.differences import Difference, Kind
from infra.review.rule import shown
from infra.review.sources import Source, Sources

# Attributes whose value an environment file holds: type, attribute -> key of the file.
SETTINGS: dict[tuple[str, str], Place] = {
    ("databricks_sql_endpoint", "cluster_size"): ("warehouse", "size"),
    ("databricks_sql_endpoint", "auto_stop_mins"): ("warehouse", "auto_stop_minutes"),
    ("databricks_sql_endpoint", "max_num_clusters"): ("warehouse", "max_clusters"),
    ("databricks_sql_endpoint", "tags"): ("tags",),
    ("databricks_job", "tags"): ("tags",),
    ("databricks_job", "schedule.pause_status"): ("schedules", "pause_status"),
    ("databricks_job", "run_as"): ("run_as",),
    ("databricks_job", "email_notifications"): ("destinations",),
    ("databricks_job", "webhook_notifications"): ("destinations",),
    ("databricks_job", "budget_policy_id"): ("budget_policy_id_variable",),
    ("databricks_pipeline", "budget_policy_id"): ("budget_policy_id_variable",),
    ("databricks_model_serving", "budget_policy_id"): ("budget_policy_id_variable",),
    ("databricks_pipeline", "continuous"): ("silver_pipeline", "continuous"),
    ("databricks_catalog", "properties"): ("tags",),
    ("databricks_catalog", "owner"): ("groups", "workspace_admins"),
    ("databricks_catalog", "name"): ("catalog",),
    ("databricks_schema", "properties"): ("tags",),
    ("databricks_schema", "owner"): ("groups", "workspace_admins"),
    ("databricks_volume", "owner"): ("groups", "workspace_admins"),
    ("databricks_notification_destination", "config"): ("destinations",),
}
VALUE_LENGTH = 60
NOTEBOOK = "databricks_notebook"
# Where what is found in no state would be declared: the stack, and the definition or file.
HOMES: dict[str, tuple[str, str]] = {
    "databricks_schema": ("governance", "infra/naming.py (SCHEMAS)"),
    "databricks_volume": ("governance", "infra/stacks/governance.py"),
    "databricks_sql_table": ("pipelines", "workloads/definitions/gold/"),
    "databricks_function": ("semantic", "workloads/definitions/functions/"),
    "databricks_registered_model": ("ml", "workloads/definitions/models/"),
    "databricks_model_serving": ("ml", "workloads/definitions/models/"),
    "databricks_job": ("pipelines", "workloads/definitions/jobs/"),
    "databricks_pipeline": ("pipelines", "infra/stacks/pipelines.py"),
    "databricks_sql_endpoint": ("pipelines", "infra/stacks/pipelines.py"),
    "databricks_notebook": ("pipelines", "workloads/notebooks/"),
    "databricks_workspace_file": ("pipelines", "workloads/definitions/"),
    "databricks_dashboard": ("semantic", "workloads/definitions/dashboards/"),
    "databricks_alert_v2": ("observability", "workloads/definitions/alerts/"),
    "databricks_notification_destination": ("governance", "environments/ (destinations)"),
}
# Made by a job from its definition; there is nothing to import.
BY_JOB = ("databricks_function", "databricks_sql_table")
REMOVALS = {
    "databricks_schema": "databricks schemas delete {id}",
    "databricks_volume": "databricks volumes delete {id}",
    "databricks_sql_table": "databricks tables delete {id}",
    "databricks_function": "databricks functions delete {id}",
    "databricks_registered_model": "databricks registered-models delete {id}",
    "databricks_model_serving": "databricks serving-endpoints delete {id}",
    "databricks_job": "databricks jobs delete {id}",
    "databricks_pipeline": "databricks pipelines delete {id}",
    "databricks_sql_endpoint": "databricks warehouses delete {id}",
    "databricks_notebook": "databricks workspace delete {id}",
    "databricks_workspace_file": "databricks workspace delete {id}",
    "databricks_dashboard": "databricks lakeview trash {id}",
    "databricks_alert_v2": "databricks alerts-v2 trash-alert {id}",
    "databricks_notification_destination": "databricks notification-destinations delete {id}",
}


@dataclass(frozen=True)
class WaysOut:
    """Where the drift would be adopted, and what reverts it."""

    adopt: list[str]
    revert: str


def read_declared(planner: Planner) -> dict[tuple[str, str], Declared]:
    """What the stacks declare, by type and the name that the workspace shows."""
    return {
        (item.type, item.name): item
        for stack in planner.environment.stacks
        for item in Configuration.read(planner.folder(stack)).declared(stack)
    }


@dataclass
class Directions:
    """Knows the files of one environment, and what its stacks declare."""

    naming: Naming
    assets: Assets
    declared: Mapping[tuple[str, str], Declared] = field(default_factory=dict)

    @cached_property
    def _sources(self) -> Sources:
        return Sources(self.assets)

    @cached_property
    def _settings(self) -> Document:
        path = ENVIRONMENTS / f"{self.naming.environment.name}.yml"
        text = path.read_text(encoding="utf-8")
        return read_document(path.relative_to(ROOT).as_posix(), text)

    def ways_out(self, finding: Finding) -> WaysOut:
        """Both ways, as a person can follow them."""
        return WaysOut(list(self._adopt(finding)), self._revert(finding))

    def declare(self, item: Found) -> list[str]:
        """Where an object in no state would be declared, and what then takes it into the state."""
        declared = self.declared.get((item.type, item.name))
        if declared is not None:
            # A deploy that was killed has made it, and could not write its state.
            return [
                f"the code declares it ({declared.address}); a deploy takes it into the state:",
                f"python -m infra deploy {self._options(declared.stack)}",
            ]
        stack, place = HOMES[item.type]
        if item.type in BY_JOB:
            return [f"declare it in {place}: its job makes it from then on"]
        return [
            f"declare it in {place}, then plan it and take it into the state:",
            f"terraform -chdir={self._folder(stack)} import \\",
            f"  {item.type}.NAME {shlex.quote(item.id)}",
        ]

    def _options(self, stack: str) -> str:
        return f"--env {self.naming.environment.name} --stack {stack}"

    def _folder(self, stack: str) -> str:
        return (OUTPUT / "stacks" / self.naming.stack(stack)).relative_to(ROOT).as_posix()

    def _adopt(self, finding: Finding) -> Iterator[str]:
        change = finding.change
        if change.action is Action.DELETE:
            source = self._sources.source(change) or self._code(finding.stack, change)
            yield f"{source}: remove what declares it"
            return
        for difference in change.differences:
            yield f"{self._line(finding.stack, change, difference)}: {_told(difference)}"
        if not change.differences:
            source = self._sources.source(change) or self._code(finding.stack, change)
            yield f"{source}: write there what the workspace holds now"

    def _line(self, stack: str, change: Change, difference: Difference) -> Source:
        setting = _setting(change.type, difference)
        if setting is not None:
            return Source(self._settings.file, self._settings.line(setting))
        found = self._sources.source(replace(change, differences=[difference]))
        return found or self._code(stack, change)

    def _code(self, stack: str, change: Change) -> Source:
        """The line that makes a resource without a definition: by its name, else by its kind."""
        if change.type == NOTEBOOK:
            path = str(change.values.get("path")).partition("/notebooks/")[2]
            return Source(f"workloads/notebooks/{path}.py", 1)
        kind, _, name = change.address.rpartition(".")[2].partition("_")
        lines = (ROOT / "infra" / "stacks" / f"{stack}.py").read_text(encoding="utf-8").splitlines()
        for pattern in (
            rf'name="{re.escape(name)}"',
            rf"{re.escape(kind.capitalize())}\(",
        ):
            for number, line in enumerate(lines, 1):
                if re.search(pattern, line):
                    return Source(f"infra/stacks/{stack}.py", number)
        return Source(f"infra/stacks/{stack}.py", 1)

    def _revert(self, finding: Finding) -> str:
        options = self._options(finding.stack)
        does = {
            Action.CREATE: "creates it anew, empty and with another id",
            Action.REPLACE: "destroys it and creates it anew",
            Action.DELETE: "deletes it",
        }.get(finding.healing, "puts it back")
        return f"python -m infra deploy {options}\n({does}; plan it first)"


def _setting(kind: str, difference: Difference) -> Place | None:
    names = difference.names
    for length in range(len(names), 0, -1):
        found = SETTINGS.get((kind, ".".join(names[:length])))
        if found is not None:
            return found
    return None


def _told(difference: Difference) -> str:
    value = shown(difference.after, VALUE_LENGTH)
    if difference.kind is Kind.REMOVED:
        return f"remove {difference.where}"
    if difference.kind is Kind.REORDERED:
        return f"write {difference.where} in the order of the workspace"
    if difference.kind is Kind.ADDED:
        return f"add {difference.where}: {value}"
    return f"set {difference.where} to {value}"


def command_words(addresses: Sequence[str], most: int = 8) -> str:
    """Addresses in one line."""
    more = f" and {len(addresses) - most} more" if len(addresses) > most else ""
    return ", ".join(addresses[:most]) + more


def removal(item: Found) -> str:
    """The command that takes away what nobody declared."""
    return REMOVALS[item.type].format(id=shlex.quote(item.id))
