"""Catalog, schemas, the volume with the wheel, who may use them, and where notifications go."""

from __future__ import annotations

from typing import Any

from infra.constructs.base import Reference
from infra.constructs.catalog import Catalog
from infra.constructs.exchange import export
from infra.constructs.grants import Grants
from infra.constructs.input_variable import input_variable
from infra.constructs.notification_destination import NotificationDestination
from infra.constructs.schema import Schema
from infra.constructs.volume import Volume
from infra.constructs.wheel_file import WheelFile
from infra.environment import Destination, EmailDestination, SlackDestination
from infra.naming import ARTIFACTS_VOLUME, SCHEMAS
from infra.stacks.base import Platform, addresses, destination_export, new_stack, run_as

READ = ("USE_SCHEMA", "SELECT", "EXECUTE")
WRITE = (
    "USE_CATALOG",
    "USE_SCHEMA",
    "SELECT",
    "MODIFY",
    "EXECUTE",
    "READ_VOLUME",
    "CREATE_TABLE",
    "CREATE_FUNCTION",
    "CREATE_MODEL",
    "CREATE_MATERIALIZED_VIEW",
)
# What people who only read may see; bronze and silver hold rows that nobody has checked.
READABLE_SCHEMAS = ("gold", "gold_monitoring")


class GovernanceStack:
    """What a bad change costs: data, or a secret."""

    def __init__(self, app: Any, platform: Platform) -> None:
        self.stack = new_stack(app, platform, "governance")
        self._platform = platform
        environment = platform.environment
        catalog = Catalog(
            self.stack,
            name=environment.catalog,
            comment="Databricks Health Monitor: cost, reliability, performance, access and quality",
            owner=environment.groups.workspace_admins,
            properties=environment.tags,
            prevent_destroy=environment.prevent_destroy,
            force_destroy=environment.force_destroy,
        )
        schemas = {name: self._schema(catalog, name) for name in SCHEMAS}
        volume = Volume(
            self.stack,
            catalog=catalog.name,
            schema=schemas["platform"].name,
            name=ARTIFACTS_VOLUME,
            comment="Wheels; a build never overwrites another",
            owner=environment.groups.workspace_admins,
            prevent_destroy=environment.prevent_destroy,
        )
        wheel = platform.wheel.path
        WheelFile(
            self.stack, path=platform.naming.volume_path(wheel.name), wheel=wheel, volume=volume
        )
        self._grants(catalog, schemas)
        for destination in environment.destinations:
            export(self.stack, destination_export(destination.name), self._destination(destination))

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

    def _schema(self, catalog: Catalog, name: str) -> Schema:
        environment = self._platform.environment
        return Schema(
            self.stack,
            catalog=catalog.name,
            name=name,
            comment=SCHEMAS[name],
            owner=environment.groups.workspace_admins,
            properties={**environment.tags, "layer": name},
            prevent_destroy=environment.prevent_destroy,
            force_destroy=environment.force_destroy,
        )

    def _grants(self, catalog: Catalog, schemas: dict[str, Schema]) -> None:
        groups = self._platform.environment.groups
        principal = run_as(self.stack, self._platform.environment)
        writers = [groups.data_engineers, *([] if principal is None else [principal])]
        Grants(
            self.stack,
            name="catalog",
            on="catalog",
            securable=catalog.name,
            privileges={
                groups.workspace_admins: ["ALL_PRIVILEGES", "MANAGE"],
                groups.analysts: ["USE_CATALOG"],
                **{writer: list(WRITE) for writer in writers},
            },
        )
        for name in READABLE_SCHEMAS:
            Grants(
                self.stack,
                name=f"schema_{name}",
                on="schema",
                securable=schemas[name].full_name,
                privileges={groups.analysts: READ},
            )
