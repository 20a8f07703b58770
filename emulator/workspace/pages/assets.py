"""Pages of tables, dashboards, alerts, monitors, models and serving endpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from emulator.services.dashboards import model
from emulator.services.dashboards.formats import as_text
from emulator.services.dashboards.render import ROW_LIMIT, ROW_PIXELS, Answer, DrawnPage, render
from emulator.settings import CATALOG
from emulator.workspace.pages.sections import Facts, Link, State, Table, Text
from emulator.workspace.pages.site import Here, Site

router = APIRouter()
SAMPLE_ROWS = 10
UC = "/api/2.1/unity-catalog"


@router.get("/")
async def overview(site: Here) -> HTMLResponse:
    """How much of everything there is, and the last runs."""
    jobs = (await site.get("/api/2.2/jobs/list", limit=100)).get("jobs", [])
    runs = (await site.get("/api/2.2/jobs/runs/list", limit=12)).get("runs", [])
    alerts = (await site.get("/api/2.0/alerts")).get("alerts", [])
    dashboards = (await site.get("/api/2.0/lakeview/dashboards")).get("dashboards", [])
    counts = [
        ("Jobs", Link(str(len(jobs)), "/ui/jobs")),
        ("Alerts", Link(str(len(alerts)), "/ui/alerts")),
        ("Dashboards", Link(str(len(dashboards)), "/ui/dashboards")),
    ]
    rows = []
    for run in runs:
        state = run.get("state", {})
        word = state.get("result_state") or state.get("life_cycle_state")
        name = str(run.get("run_name") or run["run_id"])
        rows.append([Link(name, f"/ui/runs/{run['run_id']}"), State(str(word))])
    return site.sections(
        "Overview",
        "This workspace",
        [Facts("Assets", counts), Table("Last runs", ["Run", "State"], rows)],
    )


@router.get("/ui/tables")
async def tables(site: Here) -> HTMLResponse:
    """All tables by schema."""
    found = await site.get(f"{UC}/schemas", catalog_name=CATALOG)
    sections = []
    for schema in found.get("schemas", []):
        listed = await site.get(f"{UC}/tables", catalog_name=CATALOG, schema_name=schema["name"])
        rows = [
            [
                Link(t["name"], f"/ui/tables/{t['full_name']}"),
                t.get("table_type"),
                t.get("comment", ""),
            ]
            for t in listed.get("tables", [])
        ]
        if rows:
            sections.append(Table(schema["name"], ["Table", "Type", "Comment"], rows))
    return site.sections("Tables", "Tables", list(sections))


@router.get("/ui/tables/{full_name}")
async def table(site: Here, full_name: str) -> HTMLResponse:
    """A table's columns with comments, and a sample."""
    found = await site.get(f"{UC}/tables/{full_name}")
    columns = [
        [c["name"], c.get("type_text"), c.get("comment", "")] for c in found.get("columns", [])
    ]
    quoted = ".".join(f"`{part}`" for part in full_name.split("."))
    sections: list[Any] = [
        Facts(full_name, [("Type", found.get("table_type")), ("Comment", found.get("comment"))]),
        Table("Columns", ["Column", "Type", "Comment"], columns),
    ]
    if found.get("table_type") != "METRIC_VIEW":
        answer = await run_in_threadpool(
            site.workspace.compute.query,
            f"SELECT * FROM {quoted} LIMIT {SAMPLE_ROWS}",
            row_limit=SAMPLE_ROWS,
        )
        rows = [[as_text(value) for value in row] for row in answer.rows]
        sections.append(Table("Sample", [c.name for c in answer.columns], rows, "no rows"))
    return site.sections("Tables", full_name.rsplit(".", 1)[-1], sections)


@router.get("/ui/alerts")
async def alerts(site: Here) -> HTMLResponse:
    """All alerts with their state."""
    rows = []
    for alert in (await site.get("/api/2.0/alerts")).get("alerts", []):
        evaluation = alert.get("evaluation", {})
        rows.append(
            [
                Link(alert["display_name"], f"/ui/alerts/{alert['id']}"),
                State(str(evaluation.get("state"))),
                evaluation.get("last_evaluated_at", "never"),
            ]
        )
    heads = ["Alert", "State", "Last evaluated"]
    return site.sections("Alerts", "Alerts", [Table("All alerts", heads, rows)])


@router.get("/ui/alerts/{alert_id}")
async def alert(site: Here, alert_id: str) -> HTMLResponse:
    """An alert's rule, its history and the notifications that it would have sent."""
    found = await site.get(f"/api/2.0/alerts/{alert_id}")
    evaluation = found.get("evaluation", {})
    history = site.workspace.store.events(f"alert/{alert_id}")
    rows = [
        [e.get("evaluated_at"), State(str(e.get("state"))), e.get("value"), e.get("threshold")]
        for e in reversed(history)
    ]
    sent = [
        [e.get("sent_at"), e.get("destination_type"), e.get("destination"), e.get("subject")]
        for e in reversed(site.workspace.store.events("notification"))
        if e.get("alert_id") == alert_id
    ]
    return site.sections(
        "Alerts",
        found["display_name"],
        [
            Facts(
                "Rule",
                [
                    ("State", State(str(evaluation.get("state")))),
                    ("Source", json.dumps(evaluation.get("source"))),
                    ("Operator", evaluation.get("comparison_operator")),
                    ("Threshold", json.dumps(evaluation.get("threshold"))),
                    ("Schedule", json.dumps(found.get("schedule"))),
                ],
            ),
            Table("History", ["Evaluated", "State", "Value", "Threshold"], rows),
            Table("Notifications (kept here, never sent)", ["When", "Kind", "To", "Subject"], sent),
            Text("Query", found.get("query_text", "")),
        ],
    )


@router.get("/ui/monitors")
async def monitors(site: Here) -> HTMLResponse:
    """All monitored tables, with their settings and output tables."""
    sections: list[Any] = []
    for monitor in site.workspace.store.find("monitor"):
        name = str(monitor["table_name"])
        refreshes = await site.get(f"{UC}/tables/{name}/monitor/refreshes")
        last = (refreshes.get("refreshes") or [{}])[0]
        outputs = [
            monitor.get("profile_metrics_table_name"),
            monitor.get("drift_metrics_table_name"),
        ]
        pairs: list[tuple[str, Any]] = [
            ("Status", State(str(monitor.get("status")).removeprefix("MONITOR_STATUS_"))),
            ("Last refresh", State(str(last.get("state", "never")))),
            ("Slices", ", ".join(monitor.get("slicing_exprs", []))),
            ("Custom metrics", ", ".join(m["name"] for m in monitor.get("custom_metrics", []))),
        ]
        pairs += [("Output", Link(str(o), f"/ui/tables/{o}")) for o in outputs if o]
        sections.append(Facts(name, pairs))
    return site.sections("Monitors", "Lakehouse monitors", sections)


@router.get("/ui/models")
async def models(site: Here) -> HTMLResponse:
    """All registered models with their versions and aliases."""
    sections: list[Any] = []
    for item in (await site.get(f"{UC}/models")).get("registered_models", []):
        name = item["full_name"]
        versions = (await site.get(f"{UC}/models/{name}/versions")).get("model_versions", [])
        aliases: dict[int, list[str]] = {}
        found = await site.get(f"{UC}/models/{name}", include_aliases="true")
        for alias in found.get("aliases", []):
            aliases.setdefault(int(alias["version_num"]), []).append(alias["alias_name"])
        rows = [
            [v["version"], State(str(v.get("status"))), ", ".join(aliases.get(v["version"], []))]
            for v in versions
        ]
        sections.append(Table(name, ["Version", "Status", "Aliases"], rows, "no version yet"))
    return site.sections("Models", "Registered models", sections)


@router.get("/ui/endpoints")
async def endpoints(site: Here) -> HTMLResponse:
    """All serving endpoints and what they serve."""
    rows = []
    for endpoint in (await site.get("/api/2.0/serving-endpoints")).get("endpoints", []):
        state = endpoint.get("state", {})
        entities = endpoint.get("config", {}).get("served_entities", [])
        serves = ", ".join(f"{e.get('entity_name')} v{e.get('entity_version')}" for e in entities)
        rows.append([endpoint["name"], State(str(state.get("ready"))), serves or "nothing yet"])
    heads = ["Endpoint", "State", "Serves"]
    return site.sections("Endpoints", "Serving endpoints", [Table("All endpoints", heads, rows)])


@router.get("/ui/dashboards")
async def dashboards(site: Here) -> HTMLResponse:
    """All dashboards."""
    listed = (await site.get("/api/2.0/lakeview/dashboards")).get("dashboards", [])
    rows = [[Link(d["display_name"], f"/ui/dashboards/{d['dashboard_id']}")] for d in listed]
    return site.sections("Dashboards", "Dashboards", [Table("All dashboards", ["Name"], rows)])


@router.get("/ui/dashboards/{dashboard_id}")
async def dashboard(site: Here, request: Request, dashboard_id: str) -> HTMLResponse:
    """A dashboard, drawn with the filters of the address."""
    found = await site.get(f"/api/2.0/lakeview/dashboards/{dashboard_id}")
    selections = {
        name: request.query_params.getlist(name)
        for name in request.query_params
        if any(request.query_params.getlist(name))
    }
    pages = await run_in_threadpool(_draw, site, found, selections)
    return site.page(
        "dashboard.html", "Dashboards", found["display_name"], pages=pages, row_pixels=ROW_PIXELS
    )


@router.get("/emulator/v1/dashboards/{dashboard_id}/rendered")
async def rendered(site: Here, dashboard_id: str) -> dict[str, Any]:
    """How many widgets were drawn, and the error of each that could not be."""
    found = await site.get(f"/api/2.0/lakeview/dashboards/{dashboard_id}")
    pages = await run_in_threadpool(_draw, site, found, {})
    widgets = [widget for page in pages for widget in page.widgets]
    errors = {widget.name: widget.error for widget in widgets if widget.error}
    parsed = model.parse(found["serialized_dashboard"])
    return {"widgets": len(widgets), "errors": errors, "problems": model.problems(parsed)}


def _draw(site: Site, found: dict[str, Any], selections: dict[str, list[str]]) -> list[DrawnPage]:
    def query(sql: str, args: Mapping[str, Any]) -> Answer:
        return site.workspace.compute.query(sql, args or None, row_limit=ROW_LIMIT)

    parsed = model.parse(found["serialized_dashboard"])
    return render(parsed, query, selections, datetime.now(UTC))
