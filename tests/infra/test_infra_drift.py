"""All stacks on the emulator with the real Terraform: empty second plan, drift, heal, destroy."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from emulator.provider.install import environment as provider_variables
from infra import deploying
from infra.environment import load_environment
from infra.paths import ROOT
from infra.planning import Planner, exit_code
from infra.stack_order import ALL_STACKS
from infra.terraform import Terraform
from tests.infra.conftest import synthesize

JARS = ROOT / ".local" / "cache" / "jars"
FOLDER = "/Shared/health_monitor/local"
PREFIX = "health_monitor_local_"


@contextmanager
def workspace_server(folder: Path) -> Iterator[dict[str, str]]:
    """An emulated workspace of its own; the variables that a client needs."""
    command = [sys.executable, "-m", "emulator", "serve", "--state", str(folder)]
    command += ["--jars", str(JARS), "--memory", "1g"]
    with (folder.parent / "workspace.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            described = wait_for(folder / "server.json", process)
            host = f"http://{described['host']}:{described['port']}"
            yield {"DATABRICKS_HOST": host, "DATABRICKS_TOKEN": str(described["token"])}
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_for(file: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    for _ in range(300):
        assert process.poll() is None, "the emulator ended"
        if file.is_file():
            described: dict[str, Any] = json.loads(file.read_text())
            return described
        time.sleep(0.1)
    raise AssertionError("the emulator did not start")


@contextmanager
def state_bucket() -> Iterator[dict[str, str]]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    variables = {
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": secrets.token_hex(8),
    }
    client = boto3.client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL_S3"],
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
    client.create_bucket(Bucket="health-monitor-state")
    try:
        yield variables
    finally:
        server.stop()


class Outside:
    """Somebody who changes a workspace by hand."""

    def __init__(self, variables: dict[str, str]) -> None:
        headers = {"Authorization": f"Bearer {variables['DATABRICKS_TOKEN']}"}
        host = variables["DATABRICKS_HOST"]
        self.http = httpx.Client(base_url=host, headers=headers, timeout=60)

    def call(self, method: str, path: str, body: Any = None, **params: str) -> Any:
        answer = self.http.request(method, path, json=body, params=params)
        assert answer.status_code < 300, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else None

    def unity(self, kind: str, name: str) -> None:
        self.call("PATCH", f"/api/2.1/unity-catalog/{kind}/{name}", {"comment": "by hand"})

    def job(self, name: str) -> int:
        jobs = self.call("GET", "/api/2.2/jobs/list", name=PREFIX + name)["jobs"]
        return int(jobs[0]["job_id"])

    def edit_job(self, name: str, **settings: Any) -> None:
        body = {"job_id": self.job(name), "new_settings": settings}
        self.call("POST", "/api/2.2/jobs/update", body)

    def write(self, path: str, text: str, **how: str) -> None:
        content = base64.b64encode(text.encode()).decode()
        body = {"path": f"{FOLDER}/{path}", "overwrite": True, "content": content, **how}
        self.call("POST", "/api/2.0/workspace/import", body)

    def catalog_objects(self) -> None:
        for kind, name in (
            ("catalogs", "spark_catalog"),
            ("schemas", "spark_catalog.ml"),
            ("volumes", "spark_catalog.platform.artifacts"),
            ("models", "spark_catalog.ml.cost_anomaly_detector"),
        ):
            self.unity(kind, name)
        grant = {"changes": [{"principal": "someone", "add": ["MODIFY"]}]}
        self.call("PATCH", "/api/2.1/unity-catalog/permissions/schema/spark_catalog.gold", grant)
        monitor = {
            "output_schema_name": "spark_catalog.gold_monitoring",
            "time_series": {"timestamp_col": "usage_date", "granularities": ["1 week"]},
        }
        table = "/api/2.1/unity-catalog/tables/spark_catalog.gold.fact_usage"
        self.call("PUT", f"{table}/monitor", monitor)

    def what_runs(self) -> None:
        paused = {"quartz_cron_expression": "0 0 1 * * ?", "timezone_id": "UTC"}
        self.edit_job("refresh_orchestrator", schedule={**paused, "pause_status": "UNPAUSED"})
        self.edit_job("gold_refresh", timeout_seconds=1)
        self.call("POST", "/api/2.2/jobs/delete", {"job_id": self.job("health_summary")})
        (warehouse,) = self.call("GET", "/api/2.0/sql/warehouses")["warehouses"]
        path = f"/api/2.0/sql/warehouses/{warehouse['id']}/edit"
        self.call("POST", path, {"name": warehouse["name"], "auto_stop_mins": 99})
        (pipeline,) = self.call("GET", "/api/2.0/pipelines")["statuses"]
        path = f"/api/2.0/pipelines/{pipeline['pipeline_id']}"
        spec = self.call("GET", path)["spec"]
        self.call("PUT", path, {**spec, "configuration": {"catalog": "other"}})
        statement = "COMMENT ON TABLE spark_catalog.gold.fact_usage IS 'by hand'"
        body = {"statement": statement, "warehouse_id": warehouse["id"], "wait_timeout": "50s"}
        self.call("POST", "/api/2.0/sql/statements", body)

    def files(self) -> None:
        self.write("definitions/gold/billing/fact_usage.sql", "SELECT 1", format="AUTO")
        source = "# Databricks notebook source\n1\n"
        self.write("notebooks/silver/pipeline", source, format="SOURCE", language="PYTHON")

    def what_people_see(self) -> None:
        (dashboard,) = self.call("GET", "/api/2.0/lakeview/dashboards")["dashboards"]
        path = f"/api/2.0/lakeview/dashboards/{dashboard['dashboard_id']}"
        self.call("PATCH", path, {"display_name": "by hand"})
        alerts = self.call("GET", "/api/2.0/alerts")["alerts"]
        ids = {alert["display_name"].split("] ")[1]: alert["id"] for alert in alerts}
        path = f"/api/2.0/alerts/{ids['No usage']}"
        self.call("PATCH", path, {"query_text": "SELECT 1"}, update_mask="query_text")
        self.call("DELETE", f"/api/2.0/alerts/{ids['Unusual cost']}")
        found = self.call("GET", "/api/2.0/notification-destinations")["results"]
        slack = next(item["id"] for item in found if "slack" in item["display_name"])
        path = f"/api/2.0/notification-destinations/{slack}"
        self.call("PATCH", path, {"display_name": "by hand"})
        self.call("DELETE", f"/api/2.0/serving-endpoints/{PREFIX}cost_anomaly_detector")

    def left_over(self) -> dict[str, Any]:
        """What a destroy should have taken along."""
        return {
            "jobs": self.call("GET", "/api/2.2/jobs/list").get("jobs", []),
            "warehouses": self.call("GET", "/api/2.0/sql/warehouses").get("warehouses", []),
            "pipelines": self.call("GET", "/api/2.0/pipelines").get("statuses", []),
            "alerts": self.call("GET", "/api/2.0/alerts").get("alerts", []),
            "endpoints": self.call("GET", "/api/2.0/serving-endpoints").get("endpoints", []),
            "catalogs": self.call("GET", "/api/2.1/unity-catalog/catalogs").get("catalogs", []),
        }


DRIFTED = {
    ("databricks_catalog.catalog_health_monitor", "update"),
    ("databricks_schema.schema_ml", "update"),
    ("databricks_volume.volume_artifacts", "update"),
    ("databricks_grants.grants_schema_gold", "update"),
    ("databricks_registered_model.model_cost_anomaly_detector", "update"),
    ("databricks_model_serving.endpoint_cost_anomaly_detector", "create"),
    ("databricks_job.job_refresh_orchestrator", "update"),
    ("databricks_job.job_gold_refresh", "update"),
    ("databricks_job.job_health_summary", "create"),
    ("databricks_job.job_monitoring_refresh", "update"),
    ("databricks_sql_endpoint.warehouse_main", "update"),
    ("databricks_pipeline.pipeline_silver", "update"),
    ("databricks_sql_table.table_fact_usage", "update"),
    ("databricks_workspace_file.file_gold_billing_fact_usage_sql", "update"),
    ("databricks_notebook.notebook_silver_pipeline", "update"),
    ("databricks_dashboard.dashboard_cost", "update"),
    ("databricks_alert_v2.alert_no_usage", "update"),
    ("databricks_alert_v2.alert_unusual_cost", "create"),
    ("databricks_notification_destination.destination_slack", "update"),
    ("databricks_quality_monitor.monitor_usage", "update"),
}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Planner, Outside]]:
    folder = tmp_path_factory.mktemp("drift")
    synthesize("local", folder)
    with workspace_server(folder / "workspace") as workspace, state_bucket() as bucket:
        offline = provider_variables(folder / "provider", Path(sys.executable))
        terraform = Terraform.found({**os.environ, **workspace, **bucket, **offline})
        planner = Planner(load_environment("local"), terraform, folder / "out")
        apply(planner)
        yield planner, Outside(workspace)


def apply(planner: Planner) -> None:
    for stack in ALL_STACKS:
        planner.terraform.init(planner.folder(stack))
        result = subprocess.run(
            [planner.terraform.program, "apply", "-auto-approve", "-input=false", "-no-color"],
            cwd=planner.folder(stack),
            env=dict(planner.terraform.variables),
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]


@pytest.mark.terraform
@pytest.mark.spark
def test_deploy_drift_heal_destroy(deployed: tuple[Planner, Outside]) -> None:
    planner, outside = deployed
    assert exit_code(planner.plan(ALL_STACKS)) == 0

    outside.catalog_objects()
    outside.what_runs()
    outside.files()
    outside.what_people_see()
    plans = planner.plan(ALL_STACKS)
    found = {(change.address, change.action) for plan in plans for change in plan.changes}
    assert found == DRIFTED
    assert exit_code(plans) == 2

    apply(planner)
    assert exit_code(planner.plan(ALL_STACKS)) == 0

    said: list[str] = []
    code = deploying.destroy(
        planner.environment, ALL_STACKS, planner.terraform, planner.output, said.append
    )
    assert code == 0, said
    left = outside.left_over()
    assert left == {kind: [] for kind in left}
