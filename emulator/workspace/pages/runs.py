"""Pages of jobs with their runs and logs, and of pipelines with their expectation counts."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from emulator.workspace.pages.sections import UNKNOWN, Facts, Link, State, Table, Text, moment, span
from emulator.workspace.pages.site import Here

router = APIRouter()


@router.get("/ui/jobs")
async def jobs(site: Here) -> HTMLResponse:
    """All jobs, each with its last run."""
    listed = (await site.get("/api/2.2/jobs/list", limit=100)).get("jobs", [])
    runs = (await site.get("/api/2.2/jobs/runs/list", limit=100)).get("runs", [])
    last = {run["job_id"]: run for run in reversed(runs)}
    rows = []
    for job in sorted(listed, key=lambda item: item["settings"]["name"]):
        run = last.get(job["job_id"])
        link = Link(job["settings"]["name"], f"/ui/jobs/{job['job_id']}")
        rows.append([link, *_run_cells(run)[1:]] if run else [link, None, None, None])
    return site.sections(
        "Jobs", "Jobs", [Table("All jobs", ["Job", "Last run", "Started (UTC)", "Took"], rows)]
    )


@router.get("/ui/jobs/{job_id}")
async def job(site: Here, job_id: int) -> HTMLResponse:
    """A job's tasks and runs."""
    found = await site.get("/api/2.2/jobs/get", job_id=job_id)
    settings = found["settings"]
    runs = (await site.get("/api/2.2/jobs/runs/list", job_id=job_id, limit=25)).get("runs", [])
    tasks = [
        [t["task_key"], _task_kind(t), ", ".join(d["task_key"] for d in t.get("depends_on", []))]
        for t in settings.get("tasks", [])
    ]
    return site.sections(
        "Jobs",
        settings["name"],
        [
            Table("Runs", ["Run", "State", "Started (UTC)", "Took"], [_run_cells(r) for r in runs]),
            Table("Tasks", ["Task", "Kind", "After"], tasks),
            Text("Settings", json.dumps(settings, indent=2)),
        ],
    )


@router.get("/ui/runs/{run_id}")
async def run(site: Here, run_id: int) -> HTMLResponse:
    """A run's tasks, and for a task its output, error and log."""
    found = await site.get("/api/2.2/jobs/runs/get", run_id=run_id)
    sections: list[Any] = [
        Facts(
            found.get("run_name") or "Run",
            [
                ("State", State(_state(found))),
                ("Message", found.get("state", {}).get("state_message") or "none"),
                ("Started (UTC)", moment(found.get("start_time"))),
                ("Took", span(found.get("start_time"), found.get("end_time"))),
                ("Job", Link(str(found.get("job_id")), f"/ui/jobs/{found.get('job_id')}")),
            ],
        )
    ]
    tasks = found.get("tasks", [])
    if tasks:
        rows = [[_task_link(t), _task_kind(t), *_run_cells(t)[1:]] for t in tasks]
        heads = ["Task", "Kind", "State", "Started (UTC)", "Took"]
        sections.append(Table("Tasks", heads, rows))
    return site.sections("Jobs", f"Run {run_id}", sections)


@router.get("/ui/tasks/{run_id}")
async def task(site: Here, run_id: int) -> HTMLResponse:
    """The output of one task run."""
    output = await site.get("/api/2.2/jobs/runs/get-output", run_id=run_id)
    metadata = output.get("metadata", {})
    sections: list[Any] = [
        Facts("Task", [("State", State(_state(metadata))), ("Error", output.get("error", "none"))])
    ]
    child = output.get("run_job_output", {}).get("run_id")
    if child:
        sections.append(Facts("Runs a job", [("Run", Link(str(child), f"/ui/runs/{child}"))]))
    result = output.get("notebook_output", {}).get("result")
    for title, text in (
        ("Result", result),
        ("Trace", output.get("error_trace")),
        ("Log", output.get("logs")),
    ):
        if text:
            sections.append(Text(title, text))
    return site.sections("Jobs", f"Task run {run_id}", sections)


@router.get("/ui/pipelines")
async def pipelines(site: Here) -> HTMLResponse:
    """All pipelines with the state of their last update."""
    listed = (await site.get("/api/2.0/pipelines")).get("statuses", [])
    rows = []
    for item in listed:
        updates = item.get("latest_updates", [])
        state = State(updates[0]["state"]) if updates else None
        rows.append([Link(item["name"], f"/ui/pipelines/{item['pipeline_id']}"), state])
    return site.sections(
        "Pipelines", "Pipelines", [Table("All pipelines", ["Pipeline", "Last update"], rows)]
    )


@router.get("/ui/pipelines/{pipeline_id}")
async def pipeline(site: Here, pipeline_id: str) -> HTMLResponse:
    """A pipeline's updates and what its expectations counted, summed over all updates."""
    found = await site.get(f"/api/2.0/pipelines/{pipeline_id}")
    updates = (await site.get(f"/api/2.0/pipelines/{pipeline_id}/updates")).get("updates", [])
    events = site.workspace.store.events(f"pipeline/{pipeline_id}")
    rows = [[u["update_id"], State(u["state"]), moment(u.get("creation_time"))] for u in updates]
    heads = ["Dataset", "Expectation", "Passed", "Failed"]
    return site.sections(
        "Pipelines",
        found["spec"]["name"],
        [
            Table("Expectations, all updates", heads, expectation_counts(events)),
            Table("Updates", ["Update", "State", "Created (UTC)"], rows),
            Text("Last events", "\n".join(str(e.get("message", "")) for e in events[-40:])),
        ],
    )


def expectation_counts(events: list[dict[str, Any]]) -> list[list[Any]]:
    """Rows of dataset, expectation, passed and failed records from flow_progress events."""
    totals: dict[tuple[str, str], list[int]] = {}
    for event in events:
        details = event.get("details", {})
        details = json.loads(details) if isinstance(details, str) else details
        quality = details.get("flow_progress", {}).get("data_quality", {})
        for count in quality.get("expectations", []):
            pair = totals.setdefault((count["dataset"], count["name"]), [0, 0])
            pair[0] += int(count["passed_records"])
            pair[1] += int(count["failed_records"])
    return [[*key, *pair] for key, pair in sorted(totals.items())]


def _run_cells(run: dict[str, Any]) -> list[Any]:
    number = run["run_id"]
    return [
        Link(str(number), f"/ui/runs/{number}"),
        State(_state(run)),
        moment(run.get("start_time")),
        span(run.get("start_time"), run.get("end_time")),
    ]


def _state(run: dict[str, Any]) -> str:
    state = run.get("state", {})
    return str(state.get("result_state") or state.get("life_cycle_state") or UNKNOWN)


def _task_link(task: dict[str, Any]) -> Link:
    return Link(task["task_key"], f"/ui/tasks/{task['run_id']}")


def _task_kind(task: dict[str, Any]) -> str:
    kinds = [key for key in task if key.endswith("_task")]
    return kinds[0].removesuffix("_task") if kinds else UNKNOWN
