"""What every stack starts from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdktf import TerraformStack
from health_monitor.spec import Definitions
from health_monitor.spec.base import Severity

from infra.constructs.base import Reference
from infra.constructs.exchange import Imports
from infra.constructs.input_variable import input_variable, split_list
from infra.constructs.job import Operations, Told
from infra.constructs.provider import databricks_provider
from infra.constructs.state_backend import s3_state, state_settings
from infra.constructs.workspace_file import WorkspaceFile
from infra.environment import SEVERITIES, EmailDestination, Environment
from infra.naming import Naming
from infra.paths import NOTEBOOKS
from infra.stack_order import StackName
from infra.wheel import Wheel


@dataclass(frozen=True)
class Platform:
    """One environment and all that is deployed into it."""

    environment: Environment
    definitions: Definitions
    wheel: Wheel
    notebooks: Path = NOTEBOOKS

    @property
    def naming(self) -> Naming:
        return Naming(self.environment)

    def job_parameters(self) -> dict[str, str]:
        """What every entry point takes."""
        return {"catalog": self.environment.catalog, "definitions": self.naming.definitions}


def new_stack(app: Any, platform: Platform, name: StackName) -> Any:
    """An empty stack with its provider and its state."""
    stack = TerraformStack(app, platform.naming.stack(name))
    databricks_provider(stack)
    use_lockfile = platform.environment.backend.use_lockfile
    s3_state(stack, _state_of(platform, name), use_lockfile=use_lockfile)
    return stack


def imports(stack: Any, platform: Platform, name: StackName) -> Imports:
    """What an earlier stack exports."""
    return Imports(stack, name, _state_of(platform, name))


def _state_of(platform: Platform, name: StackName) -> dict[str, Any]:
    backend = platform.environment.backend
    return state_settings(
        bucket=backend.bucket,
        key=f"{backend.key_prefix}/{name}.tfstate",
        region=backend.region,
        is_aws=backend.endpoint_variable is None,
    )


def operations(stack: Any, platform: Platform) -> Operations:
    """What the environment says about all that runs in this stack."""
    environment = platform.environment
    naming = platform.naming
    return Operations(
        naming=naming,
        wheel=naming.volume_path(platform.wheel.path.name),
        tags=environment.tags,
        run_as=run_as(stack, environment),
        told={severity: _told(stack, platform, severity) for severity in SEVERITIES},
        pause_status=environment.schedules.pause_status,
        retries=environment.retries,
        budget_policy=budget_policy(stack, environment),
    )


def run_as(stack: Any, environment: Environment) -> Any | None:
    """The service principal that owns what runs; None where the deployer is that."""
    if environment.run_as is None:
        return None
    return input_variable(
        stack,
        environment.run_as.service_principal_variable,
        sensitive=False,
        description="Application id of the service principal that runs jobs",
    )


def writer(stack: Any, environment: Environment) -> Any:
    """Who owns what jobs write to: the jobs' own identity, which has to alter it."""
    principal = run_as(stack, environment)
    return environment.groups.workspace_admins if principal is None else principal


def addresses(stack: Any, destination: EmailDestination) -> Any:
    """The addresses of an e-mail destination."""
    if destination.addresses_variable is None:
        return destination.addresses
    text = input_variable(
        stack,
        destination.addresses_variable,
        sensitive=False,
        description=f"Addresses of {destination.name}, comma separated",
    )
    return split_list(text)


def emails(stack: Any, environment: Environment, severity: Severity) -> Any | None:
    """The addresses that are told of this severity; None where there are none."""
    for destination in environment.destinations:
        if isinstance(destination, EmailDestination) and severity in destination.severities:
            return addresses(stack, destination)
    return None


def destination_export(name: str) -> str:
    """The output of the governance stack that holds the id of a notification destination."""
    return f"destination_{name}_id"


def destination(stack: Any, platform: Platform, name: str) -> Reference:
    """The id of a notification destination."""
    return imports(stack, platform, "governance").reference(destination_export(name))


def _told(stack: Any, platform: Platform, severity: Severity) -> Told:
    """A job tells addresses by itself, and all other destinations by their id."""
    environment = platform.environment
    others = [
        destination(stack, platform, item.name)
        for item in environment.destinations
        if severity in item.severities and not isinstance(item, EmailDestination)
    ]
    return Told(emails(stack, environment, severity), others)


def budget_policy(stack: Any, environment: Environment) -> Any | None:
    """The budget policy that serverless compute is billed to; None where there is none."""
    if environment.budget_policy_id_variable is None:
        return None
    return input_variable(
        stack,
        environment.budget_policy_id_variable,
        sensitive=False,
        description="Id of the budget policy that serverless compute is billed to",
    )


def upload_definitions(stack: Any, platform: Platform, kind: str) -> dict[str, WorkspaceFile]:
    """One workspace file for each file of a kind; the files by the definition's name."""
    uploaded: dict[str, WorkspaceFile] = {}
    for definition in platform.definitions.of(kind).values():
        for path in filter(None, (definition.path, getattr(definition, "sql_path", ""))):
            name = path.replace("/", "_").replace(".", "_")
            uploaded[definition.name] = WorkspaceFile(
                stack,
                name=name,
                source=platform.definitions.root / path,
                path=platform.naming.definition_file(path),
            )
    return uploaded
