"""Alerts, and where notifications go."""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.environment import Environment
from infra.policy.configuration import Resource, blocks, texts
from infra.policy.rule import ResourceRule

VARIABLE = re.compile(r"\$\{.*\bvar\.")
CHANNELS = ("email", "slack", "pagerduty", "microsoft_teams", "generic_webhook")


class AlertTellsSomebody(ResourceRule):
    """An alert has a subscription."""

    kinds = ("databricks_alert_v2",)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        subscriptions = blocks(resource.value("evaluation.notification.subscriptions"))
        if not subscriptions:
            yield "evaluation.notification.subscriptions is empty"


class AlertTellsTeams(ResourceRule):
    """An alert goes to destinations, which outlive the people behind them."""

    kinds = ("databricks_alert_v2",)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        for subscription in blocks(resource.value("evaluation.notification.subscriptions")):
            if subscription.get("user_email"):
                yield "a subscription has user_email in place of destination_id"


class AlertKnowsNoRows(ResourceRule):
    """An alert says what no rows mean."""

    kinds = ("databricks_alert_v2",)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        state = resource.value("evaluation.empty_result_state")
        if state not in ("OK", "TRIGGERED", "ERROR"):
            yield f"evaluation.empty_result_state is {state}"


class DestinationComesFromVariable(ResourceRule):
    """Where notifications go comes from a variable, in every environment that reaches people."""

    kinds = ("databricks_notification_destination",)

    def applies(self, environment: Environment) -> bool:
        return not environment.workspace.loopback_only

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        for channel in CHANNELS:
            for block in blocks(resource.value(f"config.{channel}")):
                for key, value in block.items():
                    if any(not VARIABLE.search(text) for text in texts(value)):
                        yield f"config.{channel}.{key} is a literal"
