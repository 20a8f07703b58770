"""The three layers of jobs: who does the work, and who runs whom."""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.environment import Environment
from infra.policy.configuration import Configuration, Resource, blocks
from infra.policy.rule import ResourceRule, Rule, Violation

RANKS = {"atomic": 0, "composite": 1, "master": 2}
# The id of a job of the same stack, or what an earlier stack exports.
CALLED = re.compile(r"\$\{(?:databricks_job\.(\w+)\.id|.*\.outputs\.(\w+)_id)\}")


class JobKeepsToItsLayer(ResourceRule):
    """An atomic job does the work itself; a composite or master job only runs other jobs."""

    kinds = ("databricks_job",)

    def findings(self, resource: Resource, environment: Environment) -> Iterator[str]:
        layer = resource.value("tags.layer")
        if layer not in RANKS:
            yield f"tags.layer is {layer}, not {', '.join(RANKS)}"
            return
        for task in blocks(resource.value("task")):
            if ("run_job_task" in task) != (layer != "atomic"):
                does = "runs a job" if layer == "atomic" else "runs no job"
                yield f"task {task.get('task_key')} of a job that is {layer} {does}"


class JobRunsLowerLayers(Rule):
    """A job runs jobs of lower layers only, so that no run can wait for itself."""

    def violations(self, configuration: Configuration) -> Iterator[Violation]:
        jobs = {job.name: job for job in configuration.resources("databricks_job")}
        for job in jobs.values():
            for task in blocks(job.value("task")):
                if "run_job_task" not in task:
                    continue
                text = str(blocks(task["run_job_task"])[0].get("job_id"))
                match = CALLED.fullmatch(text)
                called = jobs.get((match[1] or match[2]) if match else "")
                if called is None:
                    yield self.at(job.stack, job.address, f"{text} is no job of this platform")
                elif not _rank(called) < _rank(job):
                    yield self.at(job.stack, job.address, f"it runs {called.name}")


def _rank(job: Resource) -> int:
    return RANKS.get(str(job.value("tags.layer")), len(RANKS))
