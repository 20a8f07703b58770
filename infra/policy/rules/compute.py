"""Pipelines, warehouses and endpoints: what they cost while nobody looks, and who is told."""

from __future__ import annotations

from collections.abc import Iterator

from infra.environment import Environment
from infra.policy.configuration import Resource, blocks
from infra.policy.rule import ResourceRule

UPDATE_FAILURES = {"on-update-failure", "on-update-fatal-failure"}
LONGEST_IDLE_MINUTES = 60


class PipelineIsNoExperiment(ResourceRule):
    """A pipeline in production is not in development mode, which never tries again."""

    kinds = ("databricks_pipeline",)

    def applies(self, environment: Environment) -> bool:
        return environment.production

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        if resource.value("development") is not False:
            yield "development is not false"


class PipelineRuntimeIsReleased(ResourceRule):
    """A pipeline runs on the current channel, not on a preview."""

    kinds = ("databricks_pipeline",)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        channel = resource.value("channel")
        if channel not in (None, "CURRENT"):
            yield f"channel is {channel}"


class PipelineTellsOfFailure(ResourceRule):
    """Somebody is told when an update of a pipeline fails."""

    kinds = ("databricks_pipeline",)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        told = {
            alert
            for notification in blocks(resource.value("notification"))
            if notification.get("email_recipients")
            for alert in notification.get("alerts", [])
        }
        for alert in sorted(UPDATE_FAILURES - told):
            yield f"nobody receives {alert}"


class PipelineRestsOutsideProduction(ResourceRule):
    """A pipeline runs all the time in production only."""

    kinds = ("databricks_pipeline",)

    def applies(self, environment: Environment) -> bool:
        return not environment.production

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        if resource.value("continuous") is True:
            yield "continuous is true"


class WarehouseStopsItself(ResourceRule):
    """A warehouse stops when nobody asks it anything."""

    kinds = ("databricks_sql_endpoint",)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        minutes = resource.value("auto_stop_mins") or 0
        if not 0 < minutes <= LONGEST_IDLE_MINUTES:
            yield f"auto_stop_mins is {minutes}, not 1 to {LONGEST_IDLE_MINUTES}"


class EndpointScalesToZero(ResourceRule):
    """An endpoint costs nothing while nobody asks it, outside production."""

    kinds = ("databricks_model_serving",)

    def applies(self, environment: Environment) -> bool:
        return not environment.production

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        for kind in ("served_entities", "served_models"):
            for entity in blocks(resource.value(f"config.{kind}")):
                # A provider's model has no compute of ours.
                if "external_model" in entity or "foundation_model_name" in entity:
                    continue
                if entity.get("scale_to_zero_enabled") is not True:
                    yield f"{entity.get('name', kind)}: scale_to_zero_enabled is not true"


class MonitorTellsOfFailure(ResourceRule):
    """Somebody is told when a monitor fails, for it would look like calm."""

    kinds = ("databricks_quality_monitor",)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        if not resource.value("notifications.on_failure.email_addresses"):
            yield "notifications.on_failure names nobody"


class ServerlessIsBudgeted(ResourceRule):
    """Serverless compute is billed to a budget policy, on every real workspace."""

    kinds = ("databricks_job", "databricks_pipeline", "databricks_model_serving")

    def applies(self, environment: Environment) -> bool:
        return not environment.workspace.loopback_only

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        if not resource.value("budget_policy_id"):
            yield "budget_policy_id is not set"
