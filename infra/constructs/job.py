"""A serverless job: tasks, and what every job needs to be operated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cdktf_cdktf_provider_databricks.job import Job as DatabricksJob
from cdktf_cdktf_provider_databricks.job import (
    JobEmailNotifications,
    JobEnvironment,
    JobEnvironmentSpec,
    JobHealth,
    JobHealthRules,
    JobQueue,
    JobRunAs,
    JobSchedule,
    JobTask,
    JobTaskDependsOn,
    JobTaskNotebookTask,
    JobTaskPipelineTask,
    JobTaskPythonWheelTask,
    JobTaskRunJobTask,
    JobWebhookNotifications,
    JobWebhookNotificationsOnDurationWarningThresholdExceeded,
    JobWebhookNotificationsOnFailure,
)

from infra.constructs.base import Reference, address
from infra.environment import Retries
from infra.naming import PRODUCT, Naming

ENVIRONMENT_KEY = "default"
SERVERLESS_VERSION = "4"
# A run that has used this share of its timeout is reported while somebody can still look at it.
SLOW_SHARE = 0.75
Layer = Literal["atomic", "composite", "master"]


@dataclass(frozen=True)
class Told:
    """Who is told of a failed or slow run: addresses, and notification destinations."""

    emails: Any | None
    destinations: Sequence[Reference]


@dataclass(frozen=True)
class Operations:
    """What an environment says about everything that runs: names, wheel, owner, who is told."""

    naming: Naming
    wheel: str
    tags: Mapping[str, str]
    run_as: Any | None
    told: Mapping[str, Told]
    pause_status: str
    retries: Retries
    budget_policy: Any | None


@dataclass(frozen=True)
class WheelTask:
    """An entry point of the wheel."""

    key: str
    entry_point: str
    parameters: Mapping[str, str]
    after: Sequence[str] = ()

    def body(self) -> dict[str, Any]:
        task = JobTaskPythonWheelTask(
            package_name=PRODUCT,
            entry_point=self.entry_point,
            named_parameters=dict(self.parameters),
        )
        return {"python_wheel_task": task, "environment_key": ENVIRONMENT_KEY}


@dataclass(frozen=True)
class NotebookTask:
    """A notebook with its widgets."""

    key: str
    notebook: Any
    parameters: Mapping[str, str] = field(default_factory=dict)
    after: Sequence[str] = ()

    def body(self) -> dict[str, Any]:
        task = JobTaskNotebookTask(
            notebook_path=self.notebook, base_parameters=dict(self.parameters), source="WORKSPACE"
        )
        return {"notebook_task": task}


@dataclass(frozen=True)
class PipelineTask:
    """An update of a pipeline."""

    key: str
    pipeline: Reference
    after: Sequence[str] = ()

    def body(self) -> dict[str, Any]:
        return {"pipeline_task": JobTaskPipelineTask(pipeline_id=self.pipeline.text)}


@dataclass(frozen=True)
class RunJobTask:
    """Another job, run to its end."""

    key: str
    job: Reference
    after: Sequence[str] = ()

    def body(self) -> dict[str, Any]:
        return {"run_job_task": JobTaskRunJobTask(job_id=self.job.number)}


Task = WheelTask | NotebookTask | PipelineTask | RunJobTask


class Job:
    """Queued, never two at once, with a timeout; a failed or slow run tells the addresses."""

    def __init__(
        self,
        scope: Any,
        *,
        name: str,
        layer: Layer,
        description: str,
        tasks: Sequence[Task],
        timeout_minutes: int,
        operations: Operations,
        severity: str,
        packages: Sequence[str] = (),
        cron: str | None = None,
    ) -> None:
        told = operations.told[severity]
        resource = DatabricksJob(
            scope,
            address(scope, "job", name),
            name=operations.naming.job(name),
            description=description,
            task=[_task(task, operations.retries) for task in tasks],
            environment=_environments(tasks, [operations.wheel, *packages]),
            timeout_seconds=timeout_minutes * 60,
            max_concurrent_runs=1,
            queue=JobQueue(enabled=True),
            schedule=_schedule(cron, operations.pause_status),
            health=_slow(timeout_minutes),
            email_notifications=_emails(told.emails),
            webhook_notifications=_webhooks(told.destinations),
            budget_policy_id=operations.budget_policy,
            run_as=_run_as(operations.run_as),
            tags={**operations.tags, "layer": layer},
        )
        self.id = Reference(resource.id)


def _task(task: Task, retries: Retries) -> Any:
    after = [JobTaskDependsOn(task_key=key) for key in sorted(task.after)]
    return JobTask(
        task_key=task.key, depends_on=after or None, **task.body(), **_retries(task, retries)
    )


def _retries(task: Task, retries: Retries) -> dict[str, Any]:
    """A called job and a pipeline try again by themselves."""
    if retries.max == 0 or isinstance(task, (PipelineTask, RunJobTask)):
        return {}
    return {
        "max_retries": retries.max,
        "min_retry_interval_millis": retries.wait_minutes * 60_000,
        "retry_on_timeout": False,
    }


def _environments(tasks: Sequence[Task], dependencies: list[str]) -> Any:
    if not any(isinstance(task, WheelTask) for task in tasks):
        return None
    spec = JobEnvironmentSpec(environment_version=SERVERLESS_VERSION, dependencies=dependencies)
    return [JobEnvironment(environment_key=ENVIRONMENT_KEY, spec=spec)]


def _schedule(cron: str | None, pause_status: str) -> Any:
    if cron is None:
        return None
    return JobSchedule(quartz_cron_expression=cron, timezone_id="UTC", pause_status=pause_status)


def _slow(timeout_minutes: int) -> Any:
    seconds = int(timeout_minutes * 60 * SLOW_SHARE)
    rule = JobHealthRules(metric="RUN_DURATION_SECONDS", op="GREATER_THAN", value=seconds)
    return JobHealth(rules=[rule])


def _webhooks(destinations: Sequence[Reference]) -> Any:
    if not destinations:
        return None
    return JobWebhookNotifications(
        on_failure=[
            JobWebhookNotificationsOnFailure(id=destination.text) for destination in destinations
        ],
        on_duration_warning_threshold_exceeded=[
            JobWebhookNotificationsOnDurationWarningThresholdExceeded(id=destination.text)
            for destination in destinations
        ],
    )


def _emails(addresses: Any | None) -> Any:
    if addresses is None:
        return None
    return JobEmailNotifications(
        on_failure=addresses, on_duration_warning_threshold_exceeded=addresses
    )


def _run_as(service_principal: Any | None) -> Any:
    if service_principal is None:
        return None
    return JobRunAs(service_principal_name=service_principal)
