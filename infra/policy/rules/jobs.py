"""Jobs: what an operator needs of them at night."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from infra.environment import Environment
from infra.policy.configuration import Body, Resource, blocks
from infra.policy.rule import ResourceRule

RUN_DURATION = "RUN_DURATION_SECONDS"
# Tasks that do the work themselves; a called job and a pipeline try again on their own.
WORKING_TASKS = ("python_wheel_task", "notebook_task", "spark_python_task", "sql_task", "dbt_task")


class JobHasTimeout(ResourceRule):
    """A job has a timeout."""

    kinds = ("databricks_job",)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        if not (resource.value("timeout_seconds") or 0) > 0:
            yield "timeout_seconds is not set"


class JobTellsOfFailure(ResourceRule):
    """Somebody is told when a job fails."""

    kinds = ("databricks_job",)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        places = ("email_notifications.on_failure", "webhook_notifications.on_failure")
        if not any(resource.value(place) for place in places):
            yield f"neither {places[0]} nor {places[1]} is set"


class JobTellsOfSlowness(ResourceRule):
    """Somebody is told while a slow run can still be saved: a health rule on its duration."""

    kinds = ("databricks_job",)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        limits = [
            rule["value"]
            for rule in blocks(resource.value("health.rules"))
            if rule.get("metric") == RUN_DURATION
        ]
        timeout = resource.value("timeout_seconds") or 0
        if not limits:
            yield f"health has no rule on {RUN_DURATION}"
        elif timeout and min(limits) >= timeout:
            yield f"the rule's {min(limits)} s are not below the timeout of {timeout} s"
        told = (
            "email_notifications.on_duration_warning_threshold_exceeded",
            "webhook_notifications.on_duration_warning_threshold_exceeded",
        )
        if not any(resource.value(place) for place in told):
            yield f"{told[0]} is not set"


class JobWaitsInQueue(ResourceRule):
    """A job that cannot start at once waits in a queue."""

    kinds = ("databricks_job",)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        if resource.value("queue.enabled") is not True:
            yield "queue.enabled is not true"


class JobNeverOverlaps(ResourceRule):
    """Two runs of one job never write at the same time."""

    kinds = ("databricks_job",)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        # What is not set is 1.
        runs = resource.value("max_concurrent_runs")
        if runs not in (None, 1):
            yield f"max_concurrent_runs is {runs}"


class TaskIsTriedAgain(ResourceRule):
    """A task that failed is tried again after a pause, on every real workspace."""

    kinds = ("databricks_job",)

    def applies(self, environment: Environment) -> bool:
        return not environment.workspace.loopback_only

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        for task in blocks(resource.value("task")):
            if not any(kind in task for kind in WORKING_TASKS):
                continue
            for setting in ("max_retries", "min_retry_interval_millis"):
                if not (task.get(setting) or 0) > 0:
                    yield f"task {task.get('task_key')} has no {setting}"


class JobBringsItsCompute(ResourceRule):
    """A job runs serverless or on a cluster of its own, never on one that people share."""

    kinds = ("databricks_job",)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        for task in [resource.body, *blocks(resource.value("task"))]:
            if task.get("existing_cluster_id"):
                yield f"{_shown(task)}existing_cluster_id is set"


class JobCodeIsReleased(ResourceRule):
    """A job that takes its code from git takes a tag or a commit, which nobody can move."""

    kinds = ("databricks_job",)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        source = resource.value("git_source")
        if source and not any(resource.value(f"git_source.{key}") for key in ("tag", "commit")):
            yield "git_source has neither tag nor commit"


def _shown(task: Body) -> str:
    key: Any = task.get("task_key")
    return f"task {key}: " if key else ""
