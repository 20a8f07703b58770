"""What exists in the platform's schemas and folders, or under its names, and in no state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.workspace import ObjectType
from health_monitor.spec.platform import PLATFORM_TABLES

from infra.drift.audit import CLIENT_ERRORS, first_line
from infra.naming import SCHEMAS, Naming
from infra.review.assets import Assets
from infra.review.plan_file import Plan

# What Unity Catalog makes by itself in every catalog, and pipelines beside their tables.
BUILT_IN_SCHEMAS = ("information_schema", "default")
INTERNAL_TABLES = ("__materialization_", "__dlt_", "event_log_")
# Names of the API under which the same place has another name in a state.
WORKSPACE = "/Workspace"


@dataclass(frozen=True)
class Found:
    """An object of the workspace: the type that Terraform has for it, id and name."""

    type: str
    id: str
    name: str

    @property
    def address(self) -> str:
        """What the file of known drift calls it."""
        return f"{self.type}/{self.name}"


@dataclass
class Held:
    """What the states hold, by type: ids and names."""

    identities: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, plans: Iterable[Plan]) -> Held:
        held = cls()
        for plan in plans:
            root = plan.prior_state.get("values", {}).get("root_module", {})
            for resource in root.get("resources", []):
                if resource.get("mode") == "managed":
                    held.add(resource["type"], resource.get("values", {}))
        return held

    def add(self, type_: str, values: Mapping[str, Any]) -> None:
        known = self.identities.setdefault(type_, set())
        for key in ("id", "dashboard_id", "endpoint_id", "path", "name"):
            if isinstance(values.get(key), str | int):
                known.add(str(values[key]).removeprefix(WORKSPACE))

    def holds(self, found: Found) -> bool:
        return found.id.removeprefix(WORKSPACE) in self.identities.get(found.type, ())


@dataclass(frozen=True)
class Listings:
    """What stands under the platform's names, or in its folder, by kind."""

    client: WorkspaceClient
    naming: Naming

    def jobs(self) -> Iterator[Found]:
        for job in self.client.jobs.list():
            settings = job.settings
            if settings and self._is_ours(settings.name, settings.tags):
                yield _found("databricks_job", job.job_id, settings.name)

    def pipelines(self) -> Iterator[Found]:
        for pipeline in self.client.pipelines.list_pipelines():
            if self._is_ours(pipeline.name):
                yield _found("databricks_pipeline", pipeline.pipeline_id, pipeline.name)

    def warehouses(self) -> Iterator[Found]:
        for warehouse in self.client.warehouses.list():
            pairs = warehouse.tags.custom_tags if warehouse.tags else None
            tags = {str(pair.key): str(pair.value) for pair in pairs or []}
            if self._is_ours(warehouse.name, tags):
                yield _found("databricks_sql_endpoint", warehouse.id, warehouse.name)

    def dashboards(self) -> Iterator[Found]:
        for board in self.client.lakeview.list():
            if self._is_titled(board.display_name) or self._is_inside(board.path):
                yield _found("databricks_dashboard", board.dashboard_id, board.display_name)

    def alerts(self) -> Iterator[Found]:
        for alert in self.client.alerts_v2.list_alerts():
            if self._is_titled(alert.display_name) or self._is_inside(alert.parent_path):
                yield _found("databricks_alert_v2", alert.id, alert.display_name)

    def endpoints(self) -> Iterator[Found]:
        for endpoint in self.client.serving_endpoints.list():
            tags = {tag.key: str(tag.value) for tag in endpoint.tags or []}
            if self._is_ours(endpoint.name, tags):
                yield _found("databricks_model_serving", endpoint.name, endpoint.name)

    def destinations(self) -> Iterator[Found]:
        for item in self.client.notification_destinations.list():
            if self._is_titled(item.display_name):
                yield _found("databricks_notification_destination", item.id, item.display_name)

    @property
    def _monitors(self) -> str:
        """Where Databricks puts the dashboards that it makes for monitors."""
        return self.naming.monitor_assets("").removeprefix(WORKSPACE).rstrip("/")

    def _is_ours(self, name: str | None, tags: Mapping[str, str] | None = None) -> bool:
        """By the prefix of its name, or by all tags of the environment, as a copy has them."""
        prefix = self.naming.job("")
        wanted = self.naming.environment.tags.items()
        return str(name).startswith(prefix) or bool(tags and wanted <= tags.items())

    def _is_titled(self, title: str | None) -> bool:
        return str(title).startswith(self.naming.title("").rstrip())

    def _is_inside(self, path: str | None) -> bool:
        inside = str(path).removeprefix(WORKSPACE)
        is_monitors = inside.startswith(f"{self._monitors}/") or inside == self._monitors
        return inside.startswith(f"{self.naming.folder}/") and not is_monitors


@dataclass(frozen=True)
class Search(Listings):
    """Lists what is the platform's own by its name, tags or place."""

    assets: Assets

    def unmanaged(self, held: Held) -> tuple[list[Found], list[str]]:
        """What no state holds, and a line for each kind that could not be listed."""
        found: list[Found] = []
        notes: list[str] = []
        if self._shares_catalog:
            notes.append("schemas were not listed: the catalog is not the platform's alone")
        for what, listing in self._listings().items():
            try:
                for item in listing():
                    if not held.holds(item):
                        found.append(item)
            except CLIENT_ERRORS as error:
                notes.append(f"{what} could not be listed: {first_line(error)}")
        return sorted(found, key=lambda item: (item.type, item.name)), notes

    def _listings(self) -> dict[str, Callable[[], Iterator[Found]]]:
        return {
            "schemas": self._schemas,
            "tables": self._tables,
            "volumes": self._volumes,
            "models": self._models,
            "functions": self._functions,
            "jobs": self.jobs,
            "pipelines": self.pipelines,
            "warehouses": self.warehouses,
            "dashboards": self.dashboards,
            "alerts": self.alerts,
            "serving endpoints": self.endpoints,
            "notification destinations": self.destinations,
            "workspace files": self._files,
        }

    def _schemas(self) -> Iterator[Found]:
        for schema in [] if self._shares_catalog else self.client.schemas.list(self.naming.catalog):
            if schema.name not in BUILT_IN_SCHEMAS:
                yield _found("databricks_schema", schema.full_name, schema.full_name)

    @property
    def _shares_catalog(self) -> bool:
        """A catalog that holds the system tables too has schemas of others."""
        return self.naming.environment.system_catalog == self.naming.catalog

    def _tables(self) -> Iterator[Found]:
        made = self.assets.names | PLATFORM_TABLES.keys()
        for schema in SCHEMAS:
            tables = self.client.tables.list(
                self.naming.catalog, schema, omit_columns=True, omit_properties=True
            )
            for table in tables:
                if not str(table.name).startswith(INTERNAL_TABLES):
                    yield from self._not_made("databricks_sql_table", table.full_name, made)

    def _volumes(self) -> Iterator[Found]:
        for schema in SCHEMAS:
            for volume in self.client.volumes.list(self.naming.catalog, schema):
                yield _found("databricks_volume", volume.full_name, volume.full_name)

    def _models(self) -> Iterator[Found]:
        listing = self.client.registered_models
        for schema in SCHEMAS:
            for model in listing.list(catalog_name=self.naming.catalog, schema_name=schema):
                yield _found("databricks_registered_model", model.full_name, model.full_name)

    def _functions(self) -> Iterator[Found]:
        for schema in SCHEMAS:
            for function in self.client.functions.list(self.naming.catalog, schema):
                name = function.full_name
                yield from self._not_made("databricks_function", name, self.assets.names)

    def _not_made(
        self, type_: str, full_name: str | None, made: Collection[str]
    ) -> Iterator[Found]:
        """Jobs make tables, views and functions from definitions; those are in no state."""
        if str(full_name).lower().removeprefix(f"{self.naming.catalog.lower()}.") not in made:
            yield _found(type_, full_name, full_name)

    def _files(self, folder: str = "") -> Iterator[Found]:
        folder = folder or self.naming.folder
        for item in self.client.workspace.list(folder):
            path = str(item.path).removeprefix(WORKSPACE)
            if item.object_type is ObjectType.DIRECTORY:
                if path != self._monitors:
                    yield from self._files(path)
            elif item.object_type is ObjectType.NOTEBOOK:
                yield _found("databricks_notebook", path, path)
            elif item.object_type is ObjectType.FILE:
                yield _found("databricks_workspace_file", path, path)


def _found(type_: str, identity: object, name: str | None) -> Found:
    return Found(type_, str(identity), str(name))
