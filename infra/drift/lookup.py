"""Finds the object that a declared resource would be: by type and name, or by its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from infra.declared import Declared
from infra.drift.unmanaged import WORKSPACE, Found, Listings
from infra.naming import Naming

IN_A_SCHEMA = (
    "databricks_quality_monitor",
    "databricks_registered_model",
    "databricks_sql_table",
    "databricks_volume",
)


@dataclass
class Lookup:
    """Asks one workspace; errors of its client are the caller's."""

    client: WorkspaceClient
    naming: Naming

    # What is created a second time, or refused because it is there. Grants, notebooks and workspace
    # files are written over what is there, which ends as a first deploy ends.
    TYPES: ClassVar[frozenset[str]] = frozenset(
        {
            *IN_A_SCHEMA,
            "databricks_alert_v2",
            "databricks_catalog",
            "databricks_dashboard",
            "databricks_file",
            "databricks_job",
            "databricks_mlflow_experiment",
            "databricks_model_serving",
            "databricks_notification_destination",
            "databricks_pipeline",
            "databricks_schema",
            "databricks_sql_endpoint",
        }
    )

    def candidates(self, declared: Declared) -> list[Found]:
        """What the workspace has under the name that the code declares."""
        return [found for found in self._of(declared) if found.name == declared.name]

    def _of(self, declared: Declared) -> list[Found]:
        listings = self._listings
        if declared.type in listings:
            return listings[declared.type]
        if declared.type == "databricks_dashboard":
            return list(self._dashboards(declared))
        get = self._by_name[declared.type]
        try:
            identity = get(declared.name)
        except NotFound:
            return []
        return [Found(declared.type, str(identity), declared.name)]

    @cached_property
    def _listings(self) -> _Listings:
        return _Listings(Listings(self.client, self.naming))

    @cached_property
    def _by_name(self) -> dict[str, Callable[[str], Any]]:
        client = self.client
        return {
            "databricks_catalog": lambda name: client.catalogs.get(name).name,
            "databricks_schema": lambda name: client.schemas.get(name).full_name,
            "databricks_volume": lambda name: client.volumes.read(name).full_name,
            "databricks_sql_table": lambda name: client.tables.get(name).full_name,
            "databricks_registered_model": lambda name: (
                client.registered_models.get(name).full_name
            ),
            "databricks_quality_monitor": lambda name: client.quality_monitors.get(name).table_name,
            "databricks_mlflow_experiment": self._experiment,
            "databricks_file": self._file,
        }

    def _experiment(self, name: str) -> str | None:
        found = self.client.experiments.get_by_name(name).experiment
        return found.experiment_id if found else None

    def _file(self, path: str) -> str:
        self.client.files.get_metadata(path)
        return path

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
        if found.type == "databricks_catalog":
            return self._is_tagged(self.client.catalogs.get(found.id).properties)
        if found.type == "databricks_schema":
            return self._is_tagged(self.client.schemas.get(found.id).properties)
        if found.type in IN_A_SCHEMA:
            schema = ".".join(found.id.split(".")[:2])
            return self._is_tagged(self.client.schemas.get(schema).properties)
        if found.type == "databricks_file":
            # /Volumes/catalog/schema/volume/...
            schema = ".".join(found.id.split("/")[2:4])
            return self._is_tagged(self.client.schemas.get(schema).properties)
        # Its name holds the product and the environment.
        return True

    def _is_tagged(self, properties: dict[str, str] | None) -> bool:
        return self.naming.environment.tags.items() <= (properties or {}).items()


class _Listings(dict[str, list[Found]]):
    """What is listed as a whole, once, when it is first asked for."""

    def __init__(self, lists: Listings) -> None:
        super().__init__()
        self._make: dict[str, Callable[[], Iterator[Found]]] = {
            "databricks_alert_v2": lists.alerts,
            "databricks_job": lists.jobs,
            "databricks_model_serving": lists.endpoints,
            "databricks_notification_destination": lists.destinations,
            "databricks_pipeline": lists.pipelines,
            "databricks_sql_endpoint": lists.warehouses,
        }

    def __contains__(self, type_: object) -> bool:
        return type_ in self._make

    def __missing__(self, type_: str) -> list[Found]:
        self[type_] = list(self._make[type_]())
        return self[type_]
