"""Jobs in three layers: what a job does, what it waits for, when it runs, who is told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from health_monitor.spec.base import Definition, Identifier, Part, Schedule, Severity

Layer = Literal["atomic", "composite", "master"]
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
# What an environment, or what was deployed there, gives to parameters.
VALUES = (
    "catalog",
    "system_catalog",
    "currency",
    "principals",
    "admins",
    "groups",
    "owner",
    "job_prefix",
)
# The stack of the pipelines: only its jobs can start one, or know its id.
PIPELINES = "pipelines"
# What a model's jobs know of their own model.
MODEL_VALUES = ("experiment", "endpoint")


class JobSchedule(Part):
    """A Quartz expression in UTC, or the environment's key that holds one."""

    cron: str | None = None
    environment: Literal["bronze_cron", "hourly_cron", "refresh_cron"] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> JobSchedule:
        if (self.cron is None) == (self.environment is None):
            raise ValueError("a schedule has either 'cron' or 'environment'")
        if self.cron is not None:
            Schedule(cron=self.cron)
        return self


class JobTask(Part):
    """One task: an entry point of the wheel, a notebook, a pipeline, or another job."""

    wheel: Identifier | None = None
    notebook: Annotated[str, Field(pattern=r"^[a-z_]+/[a-z_]+\.py$")] | None = None
    pipeline: Literal["silver"] | None = None
    job: Identifier | None = None
    parameters: dict[Annotated[str, Field(pattern=r"^[a-z][a-z-]*$")], str] = {}
    after: list[str] = []

    @model_validator(mode="after")
    def _one_of(self) -> JobTask:
        kinds = [self.wheel, self.notebook, self.pipeline, self.job]
        if sum(kind is not None for kind in kinds) != 1:
            raise ValueError("a task has one of 'wheel', 'notebook', 'pipeline' and 'job'")
        if self.parameters and self.wheel is None and self.notebook is None:
            raise ValueError("'parameters' are for 'wheel' and 'notebook'")
        return self


class Job(Definition):
    """A job; with ``makes``, one for each domain of bronze, or for each model."""

    description: Annotated[str, Field(min_length=1)]
    layer: Layer
    stack: Literal["ml", "pipelines", "observability"]
    severity: Severity
    """How bad a failed or slow run is: it decides who is told."""
    timeout_minutes: Annotated[int, Field(ge=5, le=1440)]
    makes: Annotated[str, Field(pattern=r"^[a-z0-9_]*\{(domain|model)\}[a-z0-9_]*$")] | None = None
    """The names of what is made, where that is more than one job."""
    setup: bool = False
    """Whether the job sets the platform up: the only atomic jobs that a master may run."""
    schedule: JobSchedule | None = None
    extras: list[Literal["ml"]] = []
    """Extras of the wheel that its tasks need."""
    tasks: Annotated[dict[str, JobTask], Field(min_length=1)]

    @property
    def each(self) -> str | None:
        """What the job is made for each of: domain or model; None for a single job."""
        return None if self.makes is None else PLACEHOLDER.findall(self.makes)[0]

    def name_for(self, item: str | None) -> str:
        """The name of the job that is made for a domain or a model; its own, where it is one."""
        if self.makes is None or item is None:
            return self.name
        return filled(self.makes, {str(self.each): item})

    @property
    def known_values(self) -> frozenset[str]:
        """The placeholders that its parameters may have."""
        own = {"domain": ("domain",), "model": ("model", *MODEL_VALUES), None: ()}[self.each]
        pipelines = ("silver_pipeline",) if self.stack == PIPELINES else ()
        return frozenset((*VALUES, *pipelines, *own))


def filled(template: str, values: dict[str, str]) -> str:
    """A template with the values of its placeholders; KeyError for one that is not known."""
    return PLACEHOLDER.sub(lambda match: values[match[1]], template)


def placeholders(texts: Iterable[str]) -> Iterator[str]:
    """The placeholders in some texts."""
    for text in texts:
        yield from PLACEHOLDER.findall(text)
