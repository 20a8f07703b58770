"""Finds the object that a declared resource would be: by type and name, or by its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from infra.declared import Declared
from infra.drift.unmanaged import WORKSPACE, Found, Listings
from infra.naming import Naming

# Each list is asked for once, when it is first needed.
LISTED: dict[str, Callable[[Listings], Iterator[Found]]] = {
    "databricks_alert_v2": Listings.alerts,
    "databricks_job": Listings.jobs,
    "databricks_model_serving": Listings.endpoints,
    "databricks_notification_destination": Listings.destinations,
    "databricks_pipeline": Listings.pipelines,
    "databricks_sql_endpoint": Listings.warehouses,
}
# What a name finds at once; each gives the id that Terraform imports.
NAMED: dict[str, Callable[[WorkspaceClient, str], Any]] = {
    "databricks_catalog": lambda client, name: client.catalogs.get(name).name,
    "databricks_file": lambda client, path: _file(client, path),
    "databricks_mlflow_experiment": lambda client, name: _experiment(client, name),
    "databricks_quality_monitor": lambda client, name: client.quality_monitors.get(name).table_name,
    "databricks_registered_model": lambda client, name: (
        client.registered_models.get(name).full_name
    ),
    "databricks_schema": lambda client, name: client.schemas.get(name).full_name,
    "databricks_sql_table": lambda client, name: client.tables.get(name).full_name,
    "databricks_volume": lambda client, name: client.volumes.read(name).full_name,
}
DASHBOARD = "databricks_dashboard"
# What is created a second time, or refused because it is there. Grants, notebooks and workspace
# files are written over what is there, which ends as a first deploy ends.
TYPES = frozenset({*LISTED, *NAMED, DASHBOARD})


@dataclass
class Lookup:
    """Asks one workspace; errors of its client are the caller's."""

    client: WorkspaceClient
    naming: Naming
    _lists: dict[str, list[Found]] = field(default_factory=dict)

    def candidates(self, declared: Declared) -> list[Found]:
        """What the workspace has under the name that the code declares."""
        if declared.type in LISTED:
            return [item for item in self._listed(declared.type) if item.name == declared.name]
        if declared.type == DASHBOARD:
            return list(self._dashboards(declared))
        try:
            identity = NAMED[declared.type](self.client, declared.name)
        except NotFound:
            return []
        return [Found(declared.type, str(identity), declared.name)]

    def _listed(self, type_: str) -> list[Found]:
        if type_ not in self._lists:
            self._lists[type_] = list(LISTED[type_](Listings(self.client, self.naming)))
        return self._lists[type_]

    def _dashboards(self, declared: Declared) -> Iterator[Found]:
        """A title is not unique; with its folder it is."""
        wanted = f"{declared.folder}/{declared.name}.lvdash.json"
        for board in self.client.lakeview.list():
            if board.display_name == declared.name and board.dashboard_id:
                path = board.path or self.client.lakeview.get(board.dashboard_id).path
                if str(path).removeprefix(WORKSPACE) == wanted:
                    yield Found(declared.type, board.dashboard_id, declared.name)

    def is_ours(self, found: Found) -> bool:
        """Whether it is the platform's own: by its name, or in a catalog by the tags around it."""
        if found.type in LISTED or found.type in (DASHBOARD, "databricks_mlflow_experiment"):
            # Its name, or its folder's, holds the product and the environment.
            return True
        if found.type == "databricks_catalog":
            properties = self.client.catalogs.get(found.id).properties
        else:
            properties = self.client.schemas.get(_schema_of(found)).properties
        return self.naming.environment.tags.items() <= (properties or {}).items()


def _schema_of(found: Found) -> str:
    """The schema that something is in; a file's path is /Volumes/catalog/schema/volume/..."""
    is_file = found.type == "databricks_file"
    parts = found.id.split("/")[2:4] if is_file else found.id.split(".")[:2]
    return ".".join(parts)


def _file(client: WorkspaceClient, path: str) -> str:
    client.files.get_metadata(path)
    return path


def _experiment(client: WorkspaceClient, name: str) -> str | None:
    found = client.experiments.get_by_name(name).experiment
    return found.experiment_id if found else None
