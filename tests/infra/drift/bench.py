"""Two small stacks, really deployed to an emulated workspace and changed there by hand."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.service.sql import StatementResponse

from emulator.provider.install import environment as provider_variables
from infra.drift.checking import Checker, Report
from infra.drift.known import Acceptance, KnownDrift
from infra.environment import load_environment
from infra.naming import Naming
from infra.planning import Planner
from infra.review.assets import find_assets
from infra.terraform import Terraform
from tests.infra.review.make_plans import PROVIDER, Json
from tests.infra.review.scenarios_watch import MAIL, alert, job
from tests.infra.test_infra_drift import Outside, workspace_server

DEFINITIONS = Path(__file__).parents[1] / "definitions"
STACKS = ("pipelines", "observability")
ENVIRONMENT = load_environment("local").model_copy(update={"stacks": list(STACKS)})
NAMING = Naming(ENVIRONMENT)
TODAY = date(2026, 11, 27)
FILE = "definitions/gold/billing/fact_usage.sql"
REFRESHES = ("gold_refresh", "silver_refresh", "data_refresh")


def declared() -> dict[str, Json]:
    """The configuration of each stack."""
    content = base64.b64encode(b"SELECT 1\nFROM usage\n").decode()
    jobs = {f"job_{name}": job(NAMING.job(name), timeout_seconds=600) for name in REFRESHES}
    jobs["job_health_summary"] = job(NAMING.job("health_summary"), tags={"owner": "a", "b": "c"})
    pipelines: Json = {
        "databricks_job": jobs,
        "databricks_sql_endpoint": {
            "warehouse_main": {
                "name": NAMING.warehouse("main"),
                "cluster_size": "2X-Small",
                "auto_stop_mins": 10,
            }
        },
        "databricks_workspace_file": {
            "file_gold": {"path": f"{NAMING.folder}/{FILE}", "content_base64": content}
        },
    }
    destination = "${databricks_notification_destination.destination_email.id}"
    told = {"notification": {"subscriptions": [{"destination_id": destination}]}}
    observability: Json = {
        "databricks_sql_endpoint": {
            "warehouse_alerts": {"name": NAMING.warehouse("alerts"), "cluster_size": "2X-Small"}
        },
        "databricks_notification_destination": {
            "destination_email": {**MAIL["email"], "display_name": NAMING.title("email")}
        },
        "databricks_alert_v2": {
            f"alert_{name}": alert(
                NAMING.title(name),
                warehouse_id="${databricks_sql_endpoint.warehouse_alerts.id}",
                **told,
            )
            for name in ("no_usage", "unusual_cost")
        },
    }
    return {"pipelines": pipelines, "observability": observability}


class Client(WorkspaceClient):
    """A client of the emulated workspace, whose SQL would need Spark: that part is recorded."""

    answer: Json = {"status": {"state": "SUCCEEDED"}, "result": {"data_array": []}}

    @property
    def statement_execution(self) -> Any:
        return Recorded(self.answer)


class Recorded:
    """Answers every statement with what the API would send."""

    def __init__(self, answer: Json) -> None:
        self.answer = answer
        self.asked: list[Json] = []

    def execute_statement(self, statement: str, warehouse: str, **more: Any) -> StatementResponse:
        self.asked.append({"statement": statement, "warehouse": warehouse, **more})
        return StatementResponse.from_dict(self.answer)


class Bench:
    """The stacks in their folders, a workspace, and what checks them for drift."""

    def __init__(self, folder: Path, workspace: dict[str, str]) -> None:
        offline = provider_variables(folder / "provider", Path(sys.executable))
        terraform = Terraform.found({**os.environ, **workspace, **offline})
        self.folder = folder
        self.planner = Planner(ENVIRONMENT, terraform, folder / "out")
        self.outside = Outside(workspace)
        self.host, self.token = workspace["DATABRICKS_HOST"], workspace["DATABRICKS_TOKEN"]
        for stack, resources in declared().items():
            self.configure(stack, resources)
        self.apply()

    def configure(self, stack: str, resources: Json) -> None:
        folder = self.planner.folder(stack)
        folder.mkdir(parents=True, exist_ok=True)
        body = {"terraform": PROVIDER, "resource": resources}
        (folder / "cdk.tf.json").write_text(json.dumps(body))

    def apply(self) -> None:
        for stack in STACKS:
            self.planner.terraform.init(self.planner.folder(stack))
            done = subprocess.run(
                [self.planner.terraform.program, "apply", "-auto-approve", "-no-color"],
                cwd=self.planner.folder(stack),
                env=dict(self.planner.terraform.variables),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    def client(self) -> WorkspaceClient:
        return Client(config=Config(host=self.host, token=self.token))

    def check(
        self,
        *known: KnownDrift,
        stacks: tuple[str, ...] = STACKS,
        connect: Callable[[], WorkspaceClient] | None = None,
    ) -> Report:
        self.plans = self.folder / "plans" / str(time.monotonic_ns())
        self.plans.mkdir(parents=True)
        assets = find_assets(DEFINITIONS, "definitions")
        checker = Checker(self.planner, assets, Acceptance(list(known), TODAY), self.plans)
        return checker.check(stacks, connect or self.client)


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    with workspace_server(folder / "workspace") as workspace:
        yield Bench(folder, workspace)


def known(address: str, path: str, expires: date = TODAY, line: int = 1) -> KnownDrift:
    return KnownDrift(
        environments=["local"],
        address=address,
        path=path,
        reason="for the test of it",
        owner="platform_team",
        expires=expires,
        line=line,
    )


def found(report: Report) -> dict[str, Any]:
    """Address -> the paths that count."""
    return {
        finding.change.address: finding.paths
        for drift in report.stacks.values()
        for finding in drift.findings
    }
