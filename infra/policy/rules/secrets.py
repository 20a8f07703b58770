"""Secrets: by name everywhere, by value nowhere."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from infra.environment import Environment
from infra.policy.configuration import Configuration, Resource, texts
from infra.policy.rule import ResourceRule, Rule, Violation
from infra.sensitive_text import is_address, secret_in

ENCODED = "content_base64"
VARIABLE = re.compile(r"\bvar\.([a-zA-Z0-9_-]+)")
SECRET_PLACES = (
    ("databricks_notification_destination", "config.slack.url"),
    ("databricks_notification_destination", "config.slack.oauth_token"),
    ("databricks_notification_destination", "config.pagerduty.integration_key"),
    ("databricks_notification_destination", "config.microsoft_teams.url"),
    ("databricks_notification_destination", "config.microsoft_teams.auth_secret"),
    ("databricks_notification_destination", "config.generic_webhook.url"),
    ("databricks_notification_destination", "config.generic_webhook.password"),
    ("databricks_git_credential", "personal_access_token"),
    ("databricks_secret", "string_value"),
)


class NoSecretInPlainText(ResourceRule):
    """No attribute and no uploaded file holds a secret in plain text."""

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        for attribute, value in resource.body.items():
            for text in texts(value):
                found = secret_in(_decoded(text) if attribute == ENCODED else text)
                if found:
                    yield f"{attribute} holds {found}"


class SecretComesFromVariable(ResourceRule):
    """A secret that is deployed comes from a variable, on every real workspace."""

    # A destination has a rule of its own, about all that it holds.
    kinds = ("databricks_git_credential", "databricks_secret")

    def applies(self, environment: Environment) -> bool:
        return not environment.workspace.loopback_only

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        for kind, place in SECRET_PLACES:
            value = resource.value(place) if kind == resource.kind else None
            if value and not VARIABLE.search(str(value)):
                yield f"{place} is a literal"


class SecretVariableIsSensitive(Rule):
    """A variable that holds a secret is sensitive and has no default, so that no plan shows it."""

    def violations(self, configuration: Configuration) -> Iterator[Violation]:
        for stack in configuration.stacks:
            names = {n for r in stack.resources for n in _secret_variables(r)}
            for name in sorted(names):
                variable = stack.variables.get(name, {})
                if variable.get("sensitive") is not True:
                    yield self.at(stack.name, f"var.{name}", "sensitive is not true")
                if variable.get("default") is not None:
                    yield self.at(stack.name, f"var.{name}", "it has a default")


class ProviderHasNoCredentials(Rule):
    """A provider takes host and credentials from the environment, never from the configuration."""

    def violations(self, configuration: Configuration) -> Iterator[Violation]:
        for stack in configuration.stacks:
            for name, blocks in stack.content.get("provider", {}).items():
                for block in blocks if isinstance(blocks, list) else [blocks]:
                    for setting in sorted(set(block) - {"alias"}):
                        yield self.at(stack.name, f"provider.{name}", f"{setting} is set")


class NoPersonIsNamed(ResourceRule):
    """No attribute is the e-mail address of a person or a list; those come from variables."""

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        for attribute, value in resource.body.items():
            for text in texts(value):
                if any(is_address(part) for part in text.split(",")):
                    yield f"{attribute} holds an e-mail address"


def _secret_variables(resource: Resource) -> Iterator[str]:
    for kind, place in SECRET_PLACES:
        if kind == resource.kind:
            for text in texts(resource.value(place)):
                yield from VARIABLE.findall(text)


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        # A binary file, or an expression that Terraform fills in.
        return text
