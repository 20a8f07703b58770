"""What holds data, and what shows it."""

from __future__ import annotations

from collections.abc import Iterator

from infra.environment import Environment
from infra.policy.configuration import Resource
from infra.policy.rule import ResourceRule

HOLDS_DATA = (
    "databricks_catalog",
    "databricks_external_location",
    "databricks_registered_model",
    "databricks_schema",
    "databricks_sql_table",
    "databricks_volume",
)


class DataOutlivesMistakes(ResourceRule):
    """What holds data has prevent_destroy, in every environment with a real workspace."""

    kinds = HOLDS_DATA

    def applies(self, environment: Environment) -> bool:
        return not environment.workspace.loopback_only

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        if resource.value("lifecycle.prevent_destroy") is not True:
            yield "lifecycle.prevent_destroy is not true"


class NothingIsForced(ResourceRule):
    """A destroy never takes along what Terraform did not make, on a real workspace."""

    def applies(self, environment: Environment) -> bool:
        return not environment.workspace.loopback_only

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        for attribute in ("force_destroy", "force", "purge_on_delete"):
            if resource.value(attribute) is True:
                yield f"{attribute} is true"


class ChangesAreSeen(ResourceRule):
    """A plan sees changes: ignore_changes names single attributes."""

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        ignored = resource.value("lifecycle.ignore_changes")
        if ignored == "all" or (isinstance(ignored, list) and "all" in ignored):
            yield "lifecycle.ignore_changes is all"


class DashboardAsksAsReader(ResourceRule):
    """A dashboard reads with the rights of who looks at it."""

    kinds = ("databricks_dashboard",)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        # What is not set is true.
        if resource.value("embed_credentials") is not False:
            yield "embed_credentials is not false"
