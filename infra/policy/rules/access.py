"""Grants and permissions: who may do what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from infra.constructs.input_variable import PREFIX
from infra.environment import Environment
from infra.policy.configuration import Configuration, Resource, blocks
from infra.policy.rule import ResourceRule, Rule, Violation
from infra.sensitive_text import is_address

GRANTS = ("databricks_grants", "databricks_grant")
PERMISSIONS = "databricks_permissions"
GRANT_POLICY = "POLICY_TYPE_GRANT"
EVERYBODY = {"account users", "users", "all workspace users", "all users", "public", "*"}
WIDEST = {"ALL_PRIVILEGES", "ALL PRIVILEGES", "MANAGE", "CAN_MANAGE", "*"}
READS = {
    "BROWSE", "EXECUTE", "READ_VOLUME", "SELECT", "USE_CATALOG", "USE_SCHEMA",
    "CAN_QUERY", "CAN_READ", "CAN_RUN", "CAN_USE", "CAN_VIEW",
}  # fmt: skip
SECURABLES = (
    "catalog", "credential", "external_location", "foreign_connection", "function", "metastore",
    "model", "pipeline", "recipient", "schema", "share", "storage_credential", "table", "volume",
)  # fmt: skip


def access(resource: Resource) -> Iterator[tuple[str, list[str]]]:
    """Who is given what by a resource; nothing for one that gives nothing."""
    if resource.kind == "databricks_grants":
        for grant in blocks(resource.value("grant")):
            yield str(grant.get("principal")), list(grant.get("privileges", []))
    elif resource.kind == "databricks_grant":
        yield str(resource.value("principal")), list(resource.value("privileges") or [])
    elif resource.kind == PERMISSIONS:
        for entry in blocks(resource.value("access_control")):
            keys = ("group_name", "user_name", "service_principal_name")
            named = next((entry[key] for key in keys if entry.get(key)), "")
            yield str(named), [str(entry.get("permission_level"))]
    # Policies of the other types take away: a mask for everybody is as it should be.
    elif resource.value("policy_type") == GRANT_POLICY:
        for principal in resource.value("to_principals") or []:
            yield str(principal), list(resource.value("grant.privileges") or [])


def gets_more(resource: Resource, principals: set[str], allowed: set[str]) -> Iterator[str]:
    """What some principals get by a resource beyond what they may."""
    for principal, privileges in access(resource):
        more = sorted(set(privileges) - allowed)
        if more and principal in principals:
            yield f"'{principal}' gets {', '.join(more)}"


class NoAccessForEverybody(ResourceRule):
    """Nothing is granted to everybody who has an account."""

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        for principal, privileges in access(resource):
            if principal.strip("`").lower() in EVERYBODY:
                yield f"'{principal}' gets {', '.join(privileges)}"


class WidestAccessForAdmins(ResourceRule):
    """Only the group of workspace admins gets all privileges, or may give them to others.

    The jobs' service principal may manage a schema: only so can a job make policies on it.
    """

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        for principal, privileges in access(resource):
            widest = WIDEST & set(privileges)
            if resource.value("schema") and principal == _jobs(environment):
                widest -= {"MANAGE"}
            if widest and principal != environment.groups.workspace_admins:
                yield f"'{principal}' gets {', '.join(sorted(widest))}"


def _jobs(environment: Environment) -> str | None:
    """The service principal of the jobs, as a grant names it; None where there is none."""
    if environment.run_as is None:
        return None
    name = environment.run_as.service_principal_variable.removeprefix(PREFIX)
    return f"${{var.{name}}}"


class AnalystsOnlyRead(ResourceRule):
    """Analysts read; what they could write, nobody would review."""

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        yield from gets_more(resource, {environment.groups.analysts}, READS)


class AccessForGroups(ResourceRule):
    """Access is given to groups and service principals, never to one person."""

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        for principal, privileges in access(resource):
            if is_address(principal):
                yield f"'{principal}' gets {', '.join(privileges)}"


class GrantGivesSomething(ResourceRule):
    """A grant names a principal and at least one privilege."""

    kinds = GRANTS

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        for principal, privileges in access(resource):
            if not principal or not privileges:
                yield f"'{principal}' gets nothing"


class GrantsHaveOneSource(Rule):
    """All grants of one securable stand in one resource: two take away each other's."""

    def violations(self, configuration: Configuration) -> Iterator[Violation]:
        for stack in configuration.stacks:
            seen: dict[tuple[Any, ...], list[Resource]] = defaultdict(list)
            for resource in stack.resources:
                if resource.kind in GRANTS:
                    for securable in SECURABLES:
                        if resource.value(securable):
                            seen[securable, resource.value(securable)].append(resource)
            for (securable, name), resources in seen.items():
                yield from self._shared(stack.name, f"{securable} {name}", resources)

    def _shared(self, stack: str, what: str, resources: list[Resource]) -> Iterator[Violation]:
        """Several single grants live together; a full list tolerates nothing beside it."""
        if len(resources) > 1 and any(r.kind == "databricks_grants" for r in resources):
            for resource in resources[1:]:
                yield self.at(stack, resource.address, f"{what} has {resources[0].address} too")
