"""The jobs of a stack, from their definitions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from health_monitor.spec import DefinitionErrors, JobTask, Problem
from health_monitor.spec import Job as JobDefinition
from health_monitor.spec.documents import Place
from health_monitor.spec.jobs import filled

from infra.constructs.base import Reference
from infra.constructs.exchange import export
from infra.constructs.job import Job, NotebookTask, PipelineTask, RunJobTask, Task, WheelTask
from infra.constructs.notebook import Notebook
from infra.stack_order import DEPENDS_ON, StackName
from infra.stacks.base import Platform, imports, operations, run_as

# What the serverless environment has in part or not at all, by extra of the wheel.
EXTRAS = {"ml": ("mlflow>=3", "scikit-learn>=1.5", "databricks-sdk>=0.60")}
LAYERS = ("atomic", "composite", "master")


def job_export(name: str) -> str:
    """The output of a stack that holds the id of one of its jobs."""
    return f"job_{name}_id"


class DefinedJobs:
    """Makes the jobs of one stack, those first that others call; exports what later stacks call."""

    def __init__(
        self,
        stack: Any,
        platform: Platform,
        name: StackName,
        pipelines: Mapping[str, Reference] | None = None,
    ) -> None:
        self._stack = stack
        self._name = name
        self._platform = platform
        self._definitions = platform.definitions
        self._operations = operations(stack, platform)
        self._pipelines = dict(pipelines or {})
        self._ids: dict[str, Reference] = {}
        self._notebooks: dict[str, Any] = {}
        jobs = self._definitions.jobs.values()
        for job in sorted((j for j in jobs if j.stack == name), key=_layer):
            for item in self._items(job):
                self._make(job, item)
        called = {task.job for job in jobs if job.stack != name for task in job.tasks.values()}
        for job in jobs:
            if job.stack == name and job.name in called:
                for item in self._items(job):
                    made = job.name_for(item)
                    export(stack, job_export(made), self._ids[made])

    def _items(self, job: JobDefinition) -> list[str] | list[None]:
        return self._definitions.items(job.each) if job.each else [None]

    def _make(self, job: JobDefinition, item: str | None) -> None:
        name = job.name_for(item)
        own = {} if item is None else {str(job.each): item}
        made = Job(
            self._stack,
            name=name,
            layer=job.layer,
            description=filled(job.description, own),
            tasks=[
                made
                for key, task in job.tasks.items()
                for made in self._tasks(job, key, task, item)
            ],
            timeout_minutes=job.timeout_minutes,
            operations=self._operations,
            severity=job.severity,
            packages=[package for extra in job.extras for package in EXTRAS[extra]],
            cron=self._cron(job),
        )
        self._ids[name] = made.id

    def _cron(self, job: JobDefinition) -> str | None:
        if job.schedule is None:
            return None
        if job.schedule.environment is None:
            return job.schedule.cron
        cron: str = getattr(self._platform.environment.schedules, job.schedule.environment)
        return cron

    def _tasks(
        self, job: JobDefinition, key: str, task: JobTask, item: str | None
    ) -> Iterator[Task]:
        after = [name for other in task.after for name in self._keys(job, other, item)]
        if task.job is not None:
            called = self._definitions.jobs[task.job]
            for each in self._called_for(job, called, item):
                made = called.name_for(each)
                shown = key if each is None else filled(key, {str(called.each): each})
                yield RunJobTask(shown, self._called(job, key, called, made), after)
        elif task.wheel is not None:
            given = {**self._platform.job_parameters(), **self._values(job, task, item)}
            yield WheelTask(key, task.wheel, given, after)
        elif task.notebook is not None:
            notebook = self._notebook(job, key, task.notebook)
            yield NotebookTask(key, notebook, self._values(job, task, item), after)
        elif task.pipeline is not None and not self._never_stops():
            yield PipelineTask(key, self._pipelines[task.pipeline], after)

    def _called_for(
        self, job: JobDefinition, called: JobDefinition, item: str | None
    ) -> list[str] | list[None]:
        """A job that is made for a domain calls its own domain's; any other job calls all."""
        return self._items(called) if item is None or called.each != job.each else [item]

    def _keys(self, job: JobDefinition, key: str, item: str | None) -> list[str]:
        """The tasks that are made of one in the file."""
        task = job.tasks[key]
        if task.pipeline is not None and self._never_stops():
            return []
        called = self._definitions.jobs[task.job] if task.job else None
        if called is None or called.each is None:
            return [key]
        made = self._called_for(job, called, item)
        return [filled(key, {called.each: str(each)}) for each in made]

    def _never_stops(self) -> bool:
        """A pipeline that never stops needs nobody to start it."""
        return self._platform.environment.silver_pipeline.continuous

    def _called(self, job: JobDefinition, key: str, called: JobDefinition, made: str) -> Reference:
        if called.stack == self._name:
            return self._ids[made]
        if called.stack not in DEPENDS_ON[self._name]:
            earlier = ", ".join((self._name, *DEPENDS_ON[self._name]))
            message = (
                f"stack {self._name} runs jobs of {earlier}; {called.name} is in {called.stack}"
            )
            raise self._error(job, ("tasks", key, "job"), message)
        return imports(self._stack, self._platform, called.stack).reference(job_export(made))

    def _values(self, job: JobDefinition, task: JobTask, item: str | None) -> dict[str, str]:
        environment, naming = self._platform.environment, self._platform.naming
        groups = environment.groups
        principal = run_as(self._stack, environment)
        named = list(groups.by_role.values())
        values = {
            "catalog": environment.catalog,
            "system_catalog": environment.system_catalog,
            "currency": environment.currency,
            "admins": groups.workspace_admins,
            "groups": json.dumps(groups.by_role),
            "owner": environment.tags["owner"],
            "job_prefix": naming.job(""),
            "principals": ",".join([*named, *([principal] if principal is not None else [])]),
            **{f"{name}_pipeline": made.text for name, made in self._pipelines.items()},
        }
        if item is not None:
            values[str(job.each)] = item
        if job.each == "model" and item is not None:
            values |= {"experiment": naming.experiment(item), "endpoint": naming.endpoint(item)}
        return {name: filled(text, values) for name, text in task.parameters.items()}

    def _notebook(self, job: JobDefinition, key: str, path: str) -> Any:
        if path not in self._notebooks:
            source = self._platform.notebooks / path
            if not source.is_file():
                raise self._error(job, ("tasks", key, "notebook"), f"{source} does not exist")
            self._notebooks[path] = upload_notebook(self._stack, self._platform, path)
        return self._notebooks[path]

    def _error(self, job: JobDefinition, place: Place, message: str) -> DefinitionErrors:
        document = self._definitions.documents[job.path]
        return DefinitionErrors([Problem(document.file, document.line(place), message)])


def _layer(job: JobDefinition) -> int:
    return LAYERS.index(job.layer)


def upload_notebook(stack: Any, platform: Platform, path: str) -> Any:
    """Put a notebook of the repository into the workspace; its path there."""
    name = str(Path(path).with_suffix("")).replace("/", "_")
    where = platform.naming.notebook(path)
    return Notebook(stack, name=name, source=platform.notebooks / path, path=where).path
