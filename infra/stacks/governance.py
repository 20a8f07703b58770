"""Catalog, schemas, the volume with the wheel: who may see them; where notifications go."""

from __future__ import annotations

from typing import Any

from health_monitor.spec import DefinitionErrors, Problem
from health_monitor.spec.governance import EACH_DOMAIN, EVERY_DOMAIN, EVERYBODY
from health_monitor.spec.tagging import governed_tags

from infra.constructs.base import Reference
from infra.constructs.catalog import Catalog
from infra.constructs.exchange import export
from infra.constructs.grants import Grants
from infra.constructs.group import Group
from infra.constructs.input_variable import input_variable
from infra.constructs.notification_destination import NotificationDestination
from infra.constructs.schema import Schema
from infra.constructs.tag import GovernedTag, Tag
from infra.constructs.volume import Volume
from infra.constructs.wheel_file import WheelFile
from infra.constructs.workspace_binding import WorkspaceBinding
from infra.environment import Destination, EmailDestination, SlackDestination
from infra.naming import ARTIFACTS_VOLUME, SCHEMAS
from infra.stacks.access import catalog_privileges, schema_privileges
from infra.stacks.base import (
    Platform,
    addresses,
    destination_export,
    new_stack,
    run_as,
    upload_definitions,
)

# The account keeps what was said about a governed tag, whoever reads it.
GOVERNED = "Health Monitor's access policies follow this tag: who sets it decides who sees what"


class GovernanceStack:
    """What a bad change costs: data, or a secret. A job sets what tables and columns need."""

    def __init__(self, app: Any, platform: Platform) -> None:
        self.stack = new_stack(app, platform, "governance")
        self._platform = platform
        self._environment = platform.environment
        self._refuse_unknown_roles()
        self._catalog = self._make_catalog(self._groups())
        schemas = {name: self._schema(name) for name in SCHEMAS}
        self._isolate()
        self._artifacts(schemas["platform"])
        self._grants(schemas)
        self._governed_tags()
        for kind in ("policies", "grants"):
            upload_definitions(self.stack, platform, kind)
        for destination in self._environment.destinations:
            export(self.stack, destination_export(destination.name), self._destination(destination))

    def _refuse_unknown_roles(self) -> None:
        """A policy or grant for a group that the environment does not name."""
        known = {EVERYBODY, EACH_DOMAIN, EVERY_DOMAIN, *self._environment.groups.by_role}
        file = f"environments/{self._environment.name}.yml"
        problems = []
        for definition, place, role in self._roles():
            if role not in known:
                document = self._platform.definitions.documents[definition.path]
                message = f"no group for the role '{role}'; name it: groups.{role} in {file}"
                problems.append(Problem(document.file, document.line(place), message))
        if problems:
            raise DefinitionErrors(problems)

    def _roles(self) -> list[tuple[Any, tuple[str, ...], str]]:
        definitions = self._platform.definitions
        found: list[tuple[Any, tuple[str, ...], str]] = [
            (grant, ("to",), grant.to) for grant in definitions.grants.values()
        ]
        for policy in definitions.policies.values():
            found += [(policy, ("to",), role) for role in policy.to]
            found += [(policy, ("exempt",), role) for role in policy.exempt]
        return found

    def _groups(self) -> list[Any]:
        """The groups, where the account has none: what is granted to them waits for them."""
        if self._environment.account.groups == "existing":
            return []
        named = self._environment.groups.by_role.items()
        groups = [
            Group(self.stack, name=role.replace(".", "_"), group=group) for role, group in named
        ]
        return [group.resource for group in groups]

    def _make_catalog(self, groups: list[Any]) -> Catalog:
        environment = self._environment
        catalog = Catalog(
            self.stack,
            name=environment.catalog,
            comment="Databricks Health Monitor: cost, reliability, performance, access and quality",
            owner=environment.groups.workspace_admins,
            properties=environment.tags,
            prevent_destroy=environment.prevent_destroy,
            force_destroy=environment.force_destroy,
            after=groups,
        )
        self._tags("catalogs", "catalog", catalog.name, {})
        return catalog

    def _schema(self, name: str) -> Schema:
        environment = self._environment
        schema = Schema(
            self.stack,
            catalog=self._catalog.name,
            name=name,
            comment=SCHEMAS[name],
            owner=environment.groups.workspace_admins,
            properties={**environment.tags, "layer": name},
            prevent_destroy=environment.prevent_destroy,
            force_destroy=environment.force_destroy,
        )
        self._tags("schemas", f"schema_{name}", schema.full_name, {"layer": name})
        return schema

    def _tags(self, on: Any, name: str, entity: Any, more: dict[str, str]) -> None:
        tags = {"owner": self._environment.tags["owner"], **more}
        for key, value in tags.items():
            Tag(self.stack, name=name, on=on, entity=entity, key=key, value=value)

    def _isolate(self) -> None:
        """The catalog is seen from this workspace only."""
        workspace = self._environment.workspace
        value: Any = workspace.id
        if workspace.id_variable is not None:
            value = input_variable(
                self.stack,
                workspace.id_variable,
                sensitive=False,
                description="Id of the workspace that sees the catalog",
            )
        WorkspaceBinding(
            self.stack, name="catalog", catalog=self._catalog.name, workspace=Reference(value)
        )

    def _artifacts(self, schema: Schema) -> None:
        environment, platform = self._environment, self._platform
        volume = Volume(
            self.stack,
            catalog=self._catalog.name,
            schema=schema.name,
            name=ARTIFACTS_VOLUME,
            comment="Wheels; a build never overwrites another",
            owner=environment.groups.workspace_admins,
            prevent_destroy=environment.prevent_destroy,
        )
        self._tags("volumes", f"volume_{ARTIFACTS_VOLUME}", volume.full_name, {"layer": "platform"})
        wheel = platform.wheel.path
        WheelFile(
            self.stack, path=platform.naming.volume_path(wheel.name), wheel=wheel, volume=volume
        )

    def _grants(self, schemas: dict[str, Schema]) -> None:
        principal = run_as(self.stack, self._environment)
        groups = self._environment.groups
        Grants(
            self.stack,
            name="catalog",
            on="catalog",
            securable=self._catalog.name,
            privileges=catalog_privileges(groups, principal),
        )
        for name, privileges in schema_privileges(groups, principal).items():
            Grants(
                self.stack,
                name=f"schema_{name}",
                on="schema",
                securable=schemas[name].full_name,
                privileges=privileges,
            )

    def _governed_tags(self) -> None:
        """Policies can ask for these only; one environment of an account makes them."""
        if self._environment.account.governed_tags == "existing":
            return
        for key, values in governed_tags(self._platform.definitions).items():
            GovernedTag(
                self.stack,
                key=key,
                description=GOVERNED,
                values=values,
                prevent_destroy=self._environment.prevent_destroy,
            )

    def _destination(self, destination: Destination) -> Reference:
        values: dict[str, Any]
        if isinstance(destination, EmailDestination):
            values = {"addresses": addresses(self.stack, destination)}
        elif isinstance(destination, SlackDestination):
            values = {"slack_url": self._secret(destination.url_variable, destination.url)}
        else:
            key = self._secret(destination.integration_key_variable, destination.integration_key)
            values = {"pagerduty_key": key}
        made = NotificationDestination(
            self.stack,
            name=destination.name,
            display_name=self._platform.naming.title(destination.name.replace("_", " ")),
            **values,
        )
        return made.id

    def _secret(self, variable: str | None, placeholder: str | None) -> Any:
        if variable is None:
            return placeholder
        return input_variable(
            self.stack, variable, sensitive=True, description="Secret of a notification destination"
        )
