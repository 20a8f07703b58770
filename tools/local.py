"""The main job: start, simulate or take exports, deploy, run, evaluate, draw, report."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from health_monitor.ml.features import FEATURES

from infra.environment import Environment, load_environment
from infra.naming import Naming
from tools import deploying, figures, running, services, source
from tools.console import DriverError, Step, Steps
from tools.estimates import TRUTH_CURRENCY, estimate_errors
from tools.paths import ACCOUNT, LOCAL, RUN, SETUP_SECONDS, SOURCE_FILE
from tools.querying import Warehouse
from tools.report import Report, show
from tools.services import Workspace

RETRY_SECONDS = 10
# A dashboard draws all its widgets before it answers, however slow the machine is.
ANSWER_SECONDS = 600
NEEDED_BYTES = 3 * 1024**3
SETUP_JOB = "setup_orchestrator"
REFRESH_JOB = "refresh_orchestrator"
MODEL = "cost_anomaly_detector"


@dataclass
class Options:
    """What a person may choose for `make local`."""

    system_tables: Path | None = None
    simulate: list[str] = field(default_factory=list)


def run(options: Options, steps: Steps) -> None:
    """Everything from start to report; DriverError, with all servers stopped, when it fails."""
    _check_disk()
    source.choose(options.system_tables)
    with only_one_driver(), stopped_on_failure():
        environment = load_environment("local")
        with steps.step("Emulator and state backend"):
            endpoint = services.start_state_backend()
            workspace = services.start_workspace()
        # A deploy needs no system table, and the import no resource; but what is wrong with a
        # person's own files is said before anything is deployed.
        coming = steps.begin("System tables", lambda step: _bring(options, workspace, step))
        brought = steps.end(coming) if options.system_tables else None
        variables = deploying.variables(workspace, endpoint)
        with steps.step("Terraform provider") as step:
            provider, extra = deploying.choose_provider()
            step.say(provider)
            deploying.keep_for_clients(variables | extra)
        with steps.step("Deploy with cdktf") as step:
            changed = deploying.deploy(variables | extra, step.say)
        folder, imported = brought or steps.end(coming)
        if changed:
            source.note(setup_done=False)
        client = _client(workspace)
        # Setting up is for what a deploy changed; a day that came in needs the refresh only.
        for name in (REFRESH_JOB,) if source.noted("setup_done") else (SETUP_JOB, REFRESH_JOB):
            with steps.step(f"Job {name}") as step:
                running.run_job(client, _naming().job(name), step.say)
            if name == SETUP_JOB:
                source.note(setup_done=True)
        report = Report(workspace.host, workspace.token, provider, _source_text(imported))
        report.resources = deploying.resources_by_stack(variables)
        report.not_assessed = [t["table"] for t in imported if t["outcome"] == "absent"]
        with steps.step("Alerts, dashboard and figures") as step:
            _assess(report, workspace, client, environment, folder, step.say)
        source.note_completed()
    report.seconds, report.run_seconds = steps.seconds, steps.elapsed()
    report.setup_seconds = float(SETUP_SECONDS.read_text()) if SETUP_SECONDS.exists() else None
    show(report, steps.console)
    if report.reconciliation is not None and not report.reconciliation.holds:
        raise DriverError("The cost does not reconcile with the source files", str(folder))


def _bring(options: Options, workspace: Workspace, step: Step) -> tuple[Path, list[dict[str, Any]]]:
    """The folder of the system tables, and a report of each that was imported."""
    folder = options.system_tables or source.simulate(step.say, options.simulate)
    return folder, source.import_tables(workspace, folder, step.say)


@contextmanager
def only_one_driver() -> Iterator[None]:
    """Two drivers on one checkout would deploy into each other."""
    LOCAL.mkdir(exist_ok=True)
    with (LOCAL / "driver.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DriverError(
                "Another `make local` of this checkout is running", todo="wait until it ends"
            ) from error
        yield


@contextmanager
def stopped_on_failure() -> Iterator[None]:
    """Leave no process behind when the main job does not reach its end, and say what ended it."""
    services.forget_ended()
    try:
        yield
    except BaseException as error:
        cause = services.ended() or _full_disk(error) or _no_answer(error)
        services.stop_all()
        if cause is not None and isinstance(error, Exception):
            raise cause from error
        raise


def _full_disk(error: BaseException) -> DriverError | None:
    if "No space left on device" not in str(error):
        return None
    free = shutil.disk_usage(LOCAL).free
    return DriverError(
        f"The disk is full ({free / 1024**2:.0f} MiB are free): {error}",
        str(LOCAL),
        "free some space and run again; what was made so far is kept",
    )


def _no_answer(error: BaseException) -> DriverError | None:
    if not isinstance(error, httpx.TransportError):
        return None
    return DriverError(
        f"The workspace did not answer: {error}",
        str(RUN / "workspace.log"),
        "run `make local` again; what was done so far is kept",
    )


def _check_disk() -> None:
    LOCAL.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(LOCAL).free
    if free < NEEDED_BYTES:
        raise DriverError(
            f"Only {free / 1024**3:.1f} GiB are free; {NEEDED_BYTES / 1024**3:.0f} are needed",
            str(LOCAL),
            "free some space and run again; what was made so far is kept",
        )


def _client(workspace: Workspace) -> WorkspaceClient:
    # The SDK would go on asking a dead workspace for five minutes.
    config = Config(
        host=workspace.host,
        token=workspace.token,
        auth_type="pat",
        retry_timeout_seconds=RETRY_SECONDS,
    )
    return WorkspaceClient(config=config)


def _naming() -> Naming:
    return Naming(load_environment("local"))


def _source_text(imported: list[dict[str, Any]]) -> str:
    rows = sum(int(table["rows_after"]) - int(table["rows_before"]) for table in imported)
    kind = json.loads(SOURCE_FILE.read_text())["kind"]
    return f"{kind} account; {rows:,} rows came in"


def _assess(
    report: Report,
    workspace: Workspace,
    client: WorkspaceClient,
    environment: Environment,
    folder: Path,
    say: Any,
) -> None:
    catalog, currency = environment.catalog, environment.currency
    report.currency = currency
    warehouse = Warehouse.deployed(client)
    say("rows by layer")
    report.layers = figures.rows_by_layer(warehouse, catalog)
    say("reconciliation")
    report.reconciliation = figures.reconcile(warehouse, catalog, folder, currency)
    if folder == ACCOUNT / "tables":
        truth, found = ACCOUNT / "truth", report.reconciliation
        report.detection = figures.detection(warehouse, catalog, truth)
        if currency == TRUTH_CURRENCY:
            say("estimates")
            days = (found.first_day, found.last_day)
            report.estimates = estimate_errors(warehouse, catalog, truth, *days)
    headers = {"Authorization": f"Bearer {workspace.token}"}
    with httpx.Client(base_url=workspace.host, headers=headers, timeout=ANSWER_SECONDS) as http:
        say("alerts")
        for alert in client.alerts_v2.list_alerts():
            answer = http.post(f"/emulator/v1/alerts/{alert.id}/evaluate")
            answer.raise_for_status()
            state = answer.json()
            value = state.get("value", "")
            note = f"{value:,.2f}" if isinstance(value, float) else str(value)
            report.alerts.append((str(alert.display_name), str(state["state"]), note))
        say("serving endpoint")
        endpoint = _naming().endpoint(MODEL)
        report.latency = figures.serving_latency(client, endpoint, dict.fromkeys(FEATURES, 1.0))
        say("dashboard")
        for dashboard in client.lakeview.list():
            answer = http.get(f"/emulator/v1/dashboards/{dashboard.dashboard_id}/rendered")
            answer.raise_for_status()
            drawn = answer.json()
            counts = (int(drawn["widgets"]), len(drawn["errors"]))
            report.dashboards.append((str(dashboard.display_name), *counts))
