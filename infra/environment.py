"""The typed model of environments/*.yml: one complete file an environment, no inheritance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from health_monitor.spec.base import Severity
from health_monitor.spec.documents import Document, read_document
from health_monitor.spec.problems import Problem
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from infra.environment_messages import explain
from infra.environment_refusals import refusals
from infra.paths import ENVIRONMENTS, ROOT
from infra.sensitive_text import RESERVED_DOMAINS
from infra.stack_order import ALL_STACKS, DEPENDS_ON, StackName

Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
# Terraform takes a value from the environment only under this prefix, and a value that it takes
# so never stands in the synthesized configuration.
TerraformVariable = Annotated[str, Field(pattern=r"^TF_VAR_[a-z][a-z0-9_]*$")]


class EnvironmentErrors(Exception):
    """All that is wrong with one environment file."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def _reaches_nobody(text: str) -> str:
    """Refuse a real address or key in the file; those come from a variable."""
    host = (urlsplit(text).hostname or text).rpartition("@")[2]
    if host.rpartition(".")[2] not in RESERVED_DOMAINS:
        raise ValueError(
            "a real address or key comes from a variable (the *_variable key); a literal must end "
            "in .invalid, .localhost or .test"
        )
    return text


def _has_owner(tags: dict[str, str]) -> dict[str, str]:
    if "owner" not in tags:
        raise ValueError("tag 'owner' is missing: tables are tagged with it")
    return tags


Placeholder = Annotated[str, AfterValidator(_reaches_nobody)]


class Part(BaseModel):
    """A part of the file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Workspace(Part):
    """Where to deploy: the variables that hold host, workspace id and credentials.

    A literal id is for a workspace that has the same one wherever it runs.
    """

    host_variable: Literal["DATABRICKS_HOST"]
    id_variable: TerraformVariable | None = None
    id: Annotated[int, Field(ge=1)] | None = None
    loopback_only: bool
    auth_variables: list[Variable]

    @model_validator(mode="after")
    def _one_source(self) -> Workspace:
        if (self.id_variable is None) == (self.id is None):
            raise ValueError("give exactly one of 'id_variable' and 'id'")
        return self


class Account(Part):
    """What belongs to the whole account: made by this environment, or there before it.

    Of the environments in one account, exactly one makes the governed tags.
    """

    groups: Literal["managed", "existing"]
    governed_tags: Literal["managed", "existing"]


class Warehouse(Part):
    """The SQL warehouse of alerts, dashboards and monitors."""

    size: Literal[
        "2X-Small", "X-Small", "Small", "Medium", "Large", "X-Large", "2X-Large", "3X-Large"
    ]
    auto_stop_minutes: Annotated[int, Field(ge=1, le=60)]
    max_clusters: Annotated[int, Field(ge=1, le=40)]


class SilverPipeline(Part):
    """How the silver pipeline runs: all the time, or when a job asks it to."""

    continuous: bool


Cron = Annotated[str, Field(pattern=r"^\S+( \S+){5,6}$")]


class Schedules(Part):
    """Whether jobs and alerts run on their own, and when: bronze, silver and gold, everything."""

    pause_status: Literal["UNPAUSED", "PAUSED"]
    bronze_cron: Cron
    hourly_cron: Cron
    refresh_cron: Cron


class Retries(Part):
    """How often a task is tried again, and how long after it failed."""

    max: Annotated[int, Field(ge=0, le=3)]
    wait_minutes: Annotated[int, Field(ge=0, le=60)]


SEVERITIES: tuple[Severity, ...] = get_args(Severity)
Severities = Annotated[list[Severity], Field(min_length=1)]
"""Of which failed jobs and alerts a destination is told."""


class EmailDestination(Part):
    """Addresses, comma separated in the variable."""

    kind: Literal["email"]
    name: Name
    addresses_variable: TerraformVariable | None = None
    addresses: list[Placeholder] = []
    severities: Severities

    @model_validator(mode="after")
    def _one_source(self) -> EmailDestination:
        if (self.addresses_variable is None) == (not self.addresses):
            raise ValueError("give exactly one of 'addresses_variable' and 'addresses'")
        return self


class SlackDestination(Part):
    """An incoming webhook; its address is a secret."""

    kind: Literal["slack"]
    name: Name
    url_variable: TerraformVariable | None = None
    url: Placeholder | None = None
    severities: Severities

    @model_validator(mode="after")
    def _one_source(self) -> SlackDestination:
        if (self.url_variable is None) == (self.url is None):
            raise ValueError("give exactly one of 'url_variable' and 'url'")
        return self


class PagerDutyDestination(Part):
    """An events integration; its key is a secret."""

    kind: Literal["pagerduty"]
    name: Name
    integration_key_variable: TerraformVariable | None = None
    integration_key: Placeholder | None = None
    severities: Severities

    @model_validator(mode="after")
    def _one_source(self) -> PagerDutyDestination:
        if (self.integration_key_variable is None) == (self.integration_key is None):
            raise ValueError("give exactly one of 'integration_key_variable' and 'integration_key'")
        return self


Destination = Annotated[
    EmailDestination | SlackDestination | PagerDutyDestination, Field(discriminator="kind")
]


class RunAs(Part):
    """The service principal (its application id) that owns what runs."""

    service_principal_variable: TerraformVariable


class Groups(Part):
    """Account groups by role; a domain's group reads the gold tables of this domain."""

    workspace_admins: Text
    data_engineers: Text
    analysts: Text
    monitoring: Text
    domains: Annotated[dict[Name, Text], Field(min_length=1)]

    @property
    def by_role(self) -> dict[str, str]:
        """Every group by its role, as definitions name it: analysts, domains.billing."""
        own = {name: value for name, value in self.model_dump().items() if name != "domains"}
        return {**own, **{f"domains.{name}": group for name, group in self.domains.items()}}


class Backend(Part):
    """Where state lies: S3, or what speaks its protocol at AWS_ENDPOINT_URL_S3."""

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{2,62}$")]
    key_prefix: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9/_-]*$")]
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    use_lockfile: Literal[True]
    endpoint_variable: Literal["AWS_ENDPOINT_URL_S3"] | None
    credential_variables: list[Variable]


class Environment(Part):
    """One environment, whole."""

    name: Name
    production: bool
    workspace: Workspace
    catalog: Name
    system_catalog: Name
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    warehouse: Warehouse
    silver_pipeline: SilverPipeline
    schedules: Schedules
    retries: Retries
    destinations: list[Destination]
    run_as: RunAs | None
    account: Account
    budget_policy_id_variable: TerraformVariable | None
    groups: Groups
    backend: Backend
    tags: Annotated[dict[Name, Text], AfterValidator(_has_owner)]
    prevent_destroy: bool
    force_destroy: bool
    risk_ceiling: Literal["low", "medium", "high", "critical"]
    stacks: Annotated[list[StackName], Field(min_length=1)]

    @property
    def required_variables(self) -> list[str]:
        """What must be set before Terraform can plan; a synth needs none of it."""
        return [
            self.workspace.host_variable,
            *self.workspace.auth_variables,
            *([self.backend.endpoint_variable] if self.backend.endpoint_variable else []),
            *self.backend.credential_variables,
            *self.terraform_variables,
        ]

    @property
    def terraform_variables(self) -> list[str]:
        """The TF_VAR_ variables that the file names."""
        parts = [self.workspace, *self.destinations, *([self.run_as] if self.run_as else [])]
        values = [value for part in parts for value in part.model_dump().values()]
        values.append(self.budget_policy_id_variable)
        return [text for text in values if isinstance(text, str) and text.startswith("TF_VAR_")]

    def missing_variables(self, variables: Mapping[str, str]) -> list[str]:
        """The required variables that are unset or empty."""
        return [name for name in self.required_variables if not variables.get(name)]


def available(folder: Path = ENVIRONMENTS) -> list[str]:
    """The names of the environments that have a file."""
    return sorted(path.stem for path in folder.glob("*.yml"))


def load_environment(name: str, folder: Path = ENVIRONMENTS) -> Environment:
    """The environment of this name; EnvironmentErrors with every problem of its file."""
    path = folder / f"{name}.yml"
    shown = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
    if not path.is_file():
        known = ", ".join(available(folder)) or "none"
        raise EnvironmentErrors([Problem(shown, 1, f"no such environment; there are: {known}")])
    document = read_document(shown, path.read_text(encoding="utf-8"))
    if document.problems and not document.data:
        raise EnvironmentErrors(document.problems)
    problems = [*document.problems, *_cross_checks(document, name)]
    try:
        environment = Environment.model_validate(document.data)
    except ValidationError as error:
        problems += [explain(document, Environment, item) for item in error.errors()]
    if problems:
        raise EnvironmentErrors(problems)
    return environment


def _cross_checks(document: Document, name: str) -> list[Problem]:
    """What one key says about another; runs on whatever could be read."""
    problems = []
    data = document.data
    if isinstance(data.get("name"), str) and data["name"] != name:
        problems.append(
            document.problem(("name",), f"name '{data['name']}' must be the file's: '{name}'")
        )
    if data.get("prevent_destroy") is True and data.get("force_destroy") is True:
        message = "force_destroy and prevent_destroy contradict each other; only one may be true"
        problems.append(document.problem(("force_destroy",), message))
    problems += _stack_problems(document, data.get("stacks"))
    problems += _repeated_destinations(document, data.get("destinations"))
    problems += _shared_groups(document, data.get("groups"))
    problems += _untold(document, data.get("destinations"))
    problems += refusals(document)
    return problems


def _stack_problems(document: Document, stacks: Any) -> list[Problem]:
    if not isinstance(stacks, list):
        return []
    problems = []
    for index, stack in enumerate(stacks):
        if stack in stacks[:index]:
            problems.append(document.problem(("stacks", index), f"stack '{stack}' stands twice"))
        needed = [n for n in DEPENDS_ON.get(stack, ()) if n not in stacks]
        if stack in ALL_STACKS and needed:
            message = f"stack '{stack}' needs {', '.join(needed)}: add what is missing"
            problems.append(document.problem(("stacks", index), message))
    return problems


def _repeated_destinations(document: Document, destinations: Any) -> list[Problem]:
    if not isinstance(destinations, list):
        return []
    seen: set[str] = set()
    problems = []
    for index, item in enumerate(destinations):
        name = item.get("name") if isinstance(item, dict) else None
        if isinstance(name, str) and name in seen:
            place = ("destinations", index, "name")
            problems.append(document.problem(place, f"destination '{name}' stands twice"))
        elif isinstance(name, str):
            seen.add(name)
    return problems


def _shared_groups(document: Document, groups: Any) -> list[Problem]:
    """One group in two roles would get what both get."""
    if not isinstance(groups, dict):
        return []
    domains = groups.get("domains")
    places: dict[Any, Any] = {("groups", role): group for role, group in groups.items()}
    if isinstance(domains, dict):
        places |= {("groups", "domains", name): group for name, group in domains.items()}
    seen: dict[str, str] = {}
    problems = []
    for place, group in places.items():
        if not isinstance(group, str):
            continue
        role = ".".join(place[1:])
        if group in seen:
            message = f"group '{group}' is {seen[group]} already; each role has its own"
            problems.append(document.problem(place, message))
        seen.setdefault(group, role)
    return problems


def _untold(document: Document, destinations: Any) -> list[Problem]:
    """A severity that no destination takes; and one that two mailing lists take."""
    if not isinstance(destinations, list):
        return []
    told: dict[str, list[str]] = {severity: [] for severity in SEVERITIES}
    problems = []
    for index, item in enumerate(destinations):
        named = item.get("severities") if isinstance(item, dict) else None
        for severity in named if isinstance(named, list) else []:
            if severity not in told:
                continue
            if item.get("kind") == "email" and "email" in told[severity]:
                message = f"severity '{severity}' has a mailing list already; use one for it"
                problems.append(document.problem(("destinations", index, "severities"), message))
            told[severity].append(str(item.get("kind")))
    for severity, kinds in told.items():
        if not kinds:
            message = f"severity '{severity}' has no destination; name it in 'severities' of one"
            problems.append(document.problem(("destinations",), message))
    return problems
