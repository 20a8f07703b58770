"""Run deployed jobs through the Jobs API and follow them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import Run, RunResultState, RunTask

from tools.console import DriverError

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Failure:
    """A task that failed: where it is in the hierarchy, its error, the end of its log."""

    path: str
    error: str
    log: str


def run_job(client: WorkspaceClient, name: str, say: Callable[[str], None]) -> int:
    """Run a deployed job by name to its end; its run id. DriverError shows the task's own error."""
    jobs = list(client.jobs.list(name=name))
    if not jobs or jobs[0].job_id is None:
        raise DriverError(f"The job {name} is not deployed", client.config.host or "")
    run_id = client.jobs.run_now(job_id=jobs[0].job_id).run_id
    while True:
        run = client.jobs.get_run(run_id)
        say(_progress(client, run))
        if run.state and run.state.life_cycle_state and run.state.result_state:
            break
        time.sleep(POLL_SECONDS)
    if run.state.result_state is not RunResultState.SUCCESS:
        raise _as_error(client, name, run)
    return int(run_id)


def _progress(client: WorkspaceClient, run: Run) -> str:
    """How many tasks are done, and the jobs at work now, the ones that began last first."""
    tasks = run.tasks or []
    done = sum(1 for task in tasks if task.state and task.state.result_state)
    active = sorted(
        (other for other in client.jobs.list_runs(active_only=True) if other.run_id != run.run_id),
        key=lambda other: -(other.start_time or 0),
    )
    return f"{done}/{len(tasks)} tasks; {', '.join(other.run_name or '' for other in active)}"


def _as_error(client: WorkspaceClient, name: str, run: Run) -> DriverError:
    failures = list(_failures(client, run, name))
    if not failures:
        message = run.state.state_message if run.state else ""
        return DriverError(
            f"The job {name} ended without success: {message}", run.run_page_url or ""
        )
    first = failures[0]
    tail = "\n".join(f"    {line}" for line in first.log.strip().splitlines()[-12:])
    what = f"Task {first.path} failed: {first.error}"
    return DriverError(
        what + (f"\n  end of its log:\n{tail}" if tail else ""),
        run.run_page_url or "",
        "mend the cause and run `make local` again",
    )


def _failures(client: WorkspaceClient, run: Run, path: str) -> list[Failure]:
    """The tasks at the bottom of the job hierarchy that failed by themselves."""
    found: list[Failure] = []
    for task in run.tasks or []:
        if not _failed(task) or task.run_id is None:
            continue
        here = f"{path}/{task.task_key}"
        output = client.jobs.get_run_output(task.run_id)
        child = output.run_job_output.run_id if output.run_job_output else None
        if child:
            found += _failures(client, client.jobs.get_run(child), here)
        else:
            message = task.state.state_message if task.state else ""
            error = output.error or message or "it gave no reason"
            log = "\n".join(part for part in (output.logs, output.error_trace) if part)
            found.append(Failure(here, error, log))
    return found


def _failed(task: RunTask) -> bool:
    state = task.state.result_state if task.state else None
    return state in {
        RunResultState.FAILED,
        RunResultState.TIMEDOUT,
        RunResultState.MAXIMUM_CONCURRENT_RUNS_REACHED,
    }
