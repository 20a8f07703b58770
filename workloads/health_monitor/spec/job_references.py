"""Whether jobs fit together: layers, what they wait for, placeholders, names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from health_monitor.spec.documents import Place
from health_monitor.spec.jobs import PIPELINES, Job, JobTask, placeholders

# What a layer may run. A master runs an atomic job only while it sets the platform up.
RUNS = {"atomic": (), "composite": ("atomic",), "master": ("composite", "atomic")}
Found = tuple[Place, str]
"""Where in a job's file something is wrong, and what."""


@dataclass(frozen=True)
class JobReferences:
    """Looks up what a job names among all jobs."""

    jobs: Mapping[str, Job]

    def check(self, job: Job) -> Iterator[Found]:
        """Everything that is wrong with one job."""
        own = frozenset({job.each} if job.each else ())
        yield from _unknown(("description",), (job.description,), own)
        for key, task in job.tasks.items():
            yield from self._task(job, key, task)
        yield from self._order(job)

    def _task(self, job: Job, key: str, task: JobTask) -> Iterator[Found]:
        place = ("tasks", key)
        yield from _unknown((*place, "parameters"), task.parameters.values(), job.known_values)
        for name in task.after:
            if name not in job.tasks:
                known = ", ".join(job.tasks)
                yield (*place, "after"), f"task {name} does not exist; there are: {known}"
        if task.pipeline is not None and job.stack != PIPELINES:
            message = f"only jobs of the stack {PIPELINES} start a pipeline; this is in {job.stack}"
            yield (*place, "pipeline"), message
        if (task.job is None) != (job.layer == "atomic"):
            yield (
                place,
                (
                    "an atomic job does the work itself: it runs no other job"
                    if job.layer == "atomic"
                    else f"a {job.layer} job runs other jobs only: give the task a 'job'"
                ),
            )
        elif task.job is not None:
            yield from self._called(job, key, task.job)
        else:
            yield from _unknown(place, (key,), frozenset())

    def _called(self, job: Job, key: str, name: str) -> Iterator[Found]:
        place = ("tasks", key, "job")
        called = self.jobs.get(name)
        if called is None:
            yield place, f"job {name} does not exist; there are: {', '.join(sorted(self.jobs))}"
            return
        if called.layer not in RUNS[job.layer]:
            allowed = " and ".join(RUNS[job.layer])
            yield place, f"a {job.layer} job runs {allowed} jobs; {name} is {called.layer}"
        elif job.layer == "master" and called.layer == "atomic" and not called.setup:
            yield (
                place,
                (f"a master job runs composite jobs and atomic ones with 'setup'; {name} has none"),
            )
        is_own = called.each is not None and called.each == job.each
        keys: list[list[str]] = [[called.each]] if called.each else [[]]
        if is_own:
            keys.append([])
        if list(placeholders((key,))) not in keys:
            once = "at most once" if is_own else "once"
            needed = f"{{{called.each}}} {once}" if called.each else "no placeholder"
            yield place[:2], f"a task that runs {name} has {needed} in its key"

    def _order(self, job: Job) -> Iterator[Found]:
        try:
            TopologicalSorter({key: task.after for key, task in job.tasks.items()}).prepare()
        except CycleError as error:
            yield ("tasks",), f"tasks wait for each other: {', '.join(error.args[1])}"


def _unknown(place: Place, texts: Iterable[str], known: frozenset[str]) -> Iterator[Found]:
    for name in placeholders(texts):
        if name not in known:
            allowed = ", ".join(sorted(known)) or "none"
            yield place, f"unknown placeholder {{{name}}}; allowed: {allowed}"
