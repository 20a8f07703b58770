"""Who a thing belongs to, and what it is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from infra.environment import Environment
from infra.naming import PRODUCT
from infra.policy.configuration import Resource, blocks
from infra.policy.rule import ResourceRule
from infra.sensitive_text import is_address

# Where a kind keeps its tags: a map, or blocks of key and value.
TAGS = {
    "databricks_catalog": "properties",
    "databricks_cluster": "custom_tags",
    "databricks_instance_pool": "custom_tags",
    "databricks_job": "tags",
    "databricks_mlflow_experiment": "tags",
    "databricks_model_serving": "tags",
    "databricks_pipeline": "tags",
    "databricks_schema": "properties",
    "databricks_sql_endpoint": "tags.custom_tags",
}
REQUIRED_TAGS = ("project", "environment", "owner", "cost_center")
OWNED = (
    "databricks_catalog",
    "databricks_external_location",
    "databricks_registered_model",
    "databricks_schema",
    "databricks_share",
    "databricks_sql_table",
    "databricks_storage_credential",
    "databricks_volume",
)
RUNS = ("databricks_alert_v2", "databricks_job", "databricks_pipeline")
DESCRIBED = {
    "databricks_catalog": "comment",
    "databricks_job": "description",
    "databricks_registered_model": "comment",
    "databricks_schema": "comment",
    "databricks_volume": "comment",
}
NAMED = {
    "databricks_alert_v2": "display_name",
    "databricks_dashboard": "display_name",
    "databricks_job": "name",
    "databricks_model_serving": "name",
    "databricks_notification_destination": "display_name",
    "databricks_pipeline": "name",
    "databricks_sql_endpoint": "name",
}


def tags_of(resource: Resource) -> dict[str, Any]:
    """The tags of a resource, in whichever form its kind keeps them."""
    found = resource.value(TAGS[resource.kind])
    if isinstance(found, Mapping) and set(found) != {"key", "value"}:
        return dict(found)
    return {str(tag.get("key")): tag.get("value") for tag in blocks(found)}


class TagsSayWhose(ResourceRule):
    """Tags say whose a thing is and who pays: project, environment, owner, cost_center."""

    kinds = tuple(TAGS)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        tags = tags_of(resource)
        for tag in REQUIRED_TAGS:
            if not tags.get(tag):
                yield f"tag {tag} is missing"
        if tags.get("environment") not in (None, "", environment.name):
            yield f"tag environment is {tags['environment']}, not {environment.name}"


class OwnerIsNamed(ResourceRule):
    """What can have an owner has one by name, and not whoever happened to deploy it."""

    kinds = OWNED

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        owner = resource.value("owner")
        if not owner:
            yield "owner is not set"
        elif is_address(str(owner)):
            yield f"the owner {owner} is a person, not a group or a service principal"


class RunsAsServicePrincipal(ResourceRule):
    """What runs in production runs as a service principal that a variable names."""

    kinds = RUNS

    def applies(self, environment: Environment) -> bool:
        return environment.production

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        if not resource.value("run_as.service_principal_name"):
            yield "run_as.service_principal_name is not set"


class NobodyRunsAsPerson(ResourceRule):
    """Nothing runs as a person, who leaves or loses rights."""

    kinds = RUNS

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        for key in ("run_as.user_name", "run_as_user_name"):
            if resource.value(key):
                yield f"{key} is set"


class TableIsCommented(ResourceRule):
    """A table and each of its columns has a comment."""

    kinds = ("databricks_sql_table",)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        if not resource.value("comment"):
            yield "comment is not set"
        for column in blocks(resource.value("column")):
            if not column.get("comment"):
                yield f"column {column.get('name')} has no comment"


class PurposeIsDescribed(ResourceRule):
    """What can have a comment or a description says what it is for."""

    kinds = tuple(DESCRIBED)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        attribute = DESCRIBED[resource.kind]
        if not str(resource.value(attribute) or "").strip():
            yield f"{attribute} is not set"


class NameSaysEnvironment(ResourceRule):
    """A name in a workspace says its environment, for a workspace may hold several."""

    kinds = tuple(NAMED)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        attribute = NAMED[resource.kind]
        name = str(resource.value(attribute))
        if attribute == "name":
            starts = f"{PRODUCT}_{environment.name}_"
        else:
            starts = f"[Health Monitor {environment.name}] "
        if not name.startswith(starts):
            yield f"{attribute} is '{name}' and does not start with '{starts}'"
