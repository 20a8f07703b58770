"""From where data is seen, by whom, and what is hidden of it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import yaml
from health_monitor.spec.base import PII, PII_TYPE
from health_monitor.spec.governance import EVERYBODY
from health_monitor.spec.tagging import base_type

from infra.environment import Environment
from infra.policy.configuration import Configuration, Resource
from infra.policy.rule import ResourceRule, Rule, Violation
from infra.policy.rules.access import GRANTS, gets_more

FILE = "databricks_workspace_file"
FOLDER = "/definitions/"
# What monitors need, by the end of the securable's name; tables are granted by a definition.
MONITORING = {
    "catalog": {"USE_CATALOG"},
    "gold": {"USE_SCHEMA"},
    "gold_monitoring": {"USE_SCHEMA", "CREATE_TABLE", "MODIFY"},
}
ENTRY = {"USE_CATALOG", "USE_SCHEMA"}
TAGGED = {
    "databricks_catalog": ("owner",),
    "databricks_schema": ("owner", "layer"),
    "databricks_volume": ("owner", "layer"),
}


class CatalogIsIsolated(Rule):
    """A catalog is seen from the workspaces that are bound to it, and from no other."""

    def violations(self, configuration: Configuration) -> Iterator[Violation]:
        bindings = list(configuration.resources("databricks_workspace_binding"))
        for catalog in configuration.resources("databricks_catalog"):
            if catalog.value("isolation_mode") != "ISOLATED":
                yield self.at(catalog.stack, catalog.address, "isolation_mode is not ISOLATED")
            names = (f"${{{catalog.address}.name}}", catalog.value("name"))
            if not any(binding.value("securable_name") in names for binding in bindings):
                yield self.at(catalog.stack, catalog.address, "no workspace is bound to it")


class SchemaIsOptimized(ResourceRule):
    """Tables are compacted, clustered and vacuumed by predictive optimization, by schema."""

    kinds = ("databricks_schema",)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        if resource.value("enable_predictive_optimization") != "ENABLE":
            yield "enable_predictive_optimization is not ENABLE"


class ContainerIsTagged(Rule):
    """Catalog, schemas and volumes have tags that Unity Catalog shows: owner, and layer."""

    def violations(self, configuration: Configuration) -> Iterator[Violation]:
        tags = {
            (tag.value("entity_name"), tag.value("tag_key"))
            for tag in configuration.resources("databricks_entity_tag_assignment")
            if tag.value("tag_value")
        }
        for resource in configuration.resources(*TAGGED):
            attribute = "name" if resource.kind == "databricks_catalog" else "id"
            entity = f"${{{resource.address}.{attribute}}}"
            for key in TAGGED[resource.kind]:
                if (entity, key) not in tags:
                    yield self.at(resource.stack, resource.address, f"tag {key} is missing")


class MonitoringGetsNoMore(ResourceRule):
    """The group that makes monitors gets what these need, and nothing else."""

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        allowed = MONITORING.get(_securable(resource), set())
        yield from gets_more(resource, {environment.groups.monitoring}, allowed)


class DomainReadsItsTables(ResourceRule):
    """A domain's group may come in; what it reads is granted table by table."""

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        if resource.kind in GRANTS:
            yield from gets_more(resource, set(environment.groups.domains.values()), ENTRY)


class PersonalDataIsMasked(Rule):
    """A column of gold with personal data has a mask among the policies that are deployed."""

    def violations(self, configuration: Configuration) -> Iterator[Violation]:
        masks = [
            policy["column"]
            for _, policy in _definitions(configuration, "policies")
            if policy.get("type") == "column_mask"
        ]
        for resource, table in _definitions(configuration, "gold"):
            for name, column in table.get("columns", {}).items():
                if not column.get(PII) or table.get("type") == "view":
                    continue
                tags = {**column.get("tags", {}), PII: "true", PII_TYPE: base_type(column["type"])}
                if not any(mask.items() <= tags.items() for mask in masks):
                    yield self.at(resource.stack, resource.address, f"column {name} has none")


class PolicyHoldsForReaders(Rule):
    """A mask or row filter holds for everybody, and analysts are no exception."""

    def violations(self, configuration: Configuration) -> Iterator[Violation]:
        for resource, policy in _definitions(configuration, "policies"):
            if policy.get("to") != [EVERYBODY]:
                found = f"it holds for {', '.join(policy.get('to', []))}"
                yield self.at(resource.stack, resource.address, found)
            if "analysts" in policy.get("exempt", []):
                yield self.at(resource.stack, resource.address, "analysts are exempt")


def _securable(resource: Resource) -> str:
    """The word catalog, or the last part of a schema's name; nothing for others."""
    if resource.value("catalog"):
        return "catalog"
    schema = str(resource.value("schema") or "")
    name = schema.removeprefix("${databricks_schema.schema_").removesuffix(".id}")
    return name.rpartition(".")[2]


def _definitions(configuration: Configuration, kind: str) -> Iterator[tuple[Resource, Any]]:
    """The YAML definitions of a kind as they are uploaded."""
    for resource in configuration.resources(FILE):
        path = str(resource.value("path")).partition(FOLDER)[2]
        if path.startswith(f"{kind}/") and path.endswith(".yml"):
            yield resource, yaml.safe_load(base64.b64decode(resource.value("content_base64")))
