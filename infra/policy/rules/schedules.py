"""Schedules of jobs, alerts and monitors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from infra.environment import Environment
from infra.policy.configuration import Resource, blocks
from infra.policy.rule import ResourceRule

SCHEDULED = (
    "databricks_job",
    "databricks_alert_v2",
    "databricks_quality_monitor",
)
TRIGGERS = ("schedule", "continuous", "trigger")


class ScheduleIsInUtc(ResourceRule):
    """A schedule is in UTC: no run is lost or repeated when clocks change."""

    kinds = SCHEDULED

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        for schedule in blocks(resource.value("schedule")):
            if schedule.get("timezone_id") != "UTC":
                yield f"schedule.timezone_id is {schedule.get('timezone_id')}"


class ScheduleRunsInProduction(ResourceRule):
    """What has a schedule in production runs by it."""

    kinds: ClassVar[tuple[str, ...]] = ("databricks_job", "databricks_alert_v2")

    def applies(self, environment: Environment) -> bool:
        return environment.production

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        for trigger in TRIGGERS:
            if resource.value(f"{trigger}.pause_status") == "PAUSED":
                yield f"{trigger}.pause_status is PAUSED"
