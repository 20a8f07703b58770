"""All stacks on the emulator with the real Terraform: empty second plan, drift, heal, destroy."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import boto3
import httpx
import pytest
import yaml
from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from moto.server import ThreadedMotoServer
from pydantic import BaseModel, ConfigDict

from emulator.provider.install import environment as provider_variables
from infra import deploying
from infra.drift import command
from infra.drift.known import Acceptance
from infra.drift.unmanaged import Held, Search
from infra.environment import load_environment
from infra.naming import SCHEMAS, Naming
from infra.paths import ROOT
from infra.planning import Planner, exit_code
from infra.review.assets import find_assets
from infra.stack_order import ALL_STACKS
from infra.terraform import Terraform
from tests.infra.conftest import synthesize

JARS = ROOT / ".local" / "cache" / "jars"
FOLDER = "/Shared/health_monitor/local"
PREFIX = "health_monitor_local_"
FILE = Path(__file__).parent / "drift" / "changes.yml"
LISTS = {
    "/api/2.2/jobs/list": "jobs",
    "/api/2.0/sql/warehouses": "warehouses",
    "/api/2.0/pipelines": "statuses",
    "/api/2.0/alerts": "alerts",
    "/api/2.0/serving-endpoints": "endpoints",
    "/api/2.0/lakeview/dashboards": "dashboards",
    "/api/2.0/notification-destinations": "results",
    "/api/2.1/unity-catalog/catalogs": "catalogs",
}
SHARED_CATALOG = "schemas were not listed: the catalog is not the platform's alone"


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
    # Two minutes: a busy machine takes one.
    for _ in range(1_200):
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
        self.variables = variables

    def call(self, method: str, path: str, body: Any = None, **params: str) -> Any:
        answer = self.http.request(method, path, json=body, params=params)
        assert answer.status_code < 300, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else None

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

    def left_over(self) -> list[str]:
        """What a destroy should have taken along: every list, and what has the platform's names."""
        listed = [
            f"{key}: {item}"
            for path, key in LISTS.items()
            for item in self.call("GET", path).get(key, [])
        ]
        config = Config(
            host=self.variables["DATABRICKS_HOST"], token=self.variables["DATABRICKS_TOKEN"]
        )
        naming = Naming(load_environment("local"))
        nothing_made = find_assets(Path("nowhere"), "nowhere")
        search = Search(WorkspaceClient(config=config), naming, nothing_made)
        found, notes = search.unmanaged(Held())
        schemas = [s for s in SCHEMAS if self._has(f"schemas/spark_catalog.{s}")]
        notes.remove(SHARED_CATALOG)
        return [*listed, *map(str, found), *schemas, *notes]

    def _has(self, path: str) -> bool:
        answer = self.http.get(f"/api/2.1/unity-catalog/{path}")
        assert answer.status_code in (200, 404), answer.text
        return answer.status_code == 200

    def make(self, change: Change, ids: Mapping[str, str]) -> None:
        """Do what a change says, with the ids of deployed resources by address."""
        verb, _, path = change.call.partition(" ")
        path, body = filled(path, ids), filled(change.body, ids)
        if change.over:
            body = {**self.call("GET", path)[change.over], **body}
        self.call(verb, path, body, **change.query)

    def revert(self, documents: Sequence[dict[str, Any]]) -> None:
        """Take away what is in no state, as its report says."""
        for item in documents:
            name = item["address"].partition("/")[2]
            if item["type"] == "databricks_job":
                self.call("POST", "/api/2.2/jobs/delete", {"job_id": int(item["id"])})
            elif item["type"] == "databricks_volume":
                self.call("DELETE", f"/api/2.1/unity-catalog/volumes/{name}")
            else:
                self.call("POST", "/api/2.0/workspace/delete", {"path": name})


class Change(BaseModel):
    """One entry of changes.yml."""

    model_config = ConfigDict(extra="forbid")

    name: str
    call: str
    body: dict[str, Any] | None = None
    query: dict[str, str] = {}
    over: str | None = None
    resource: str
    found: Literal["changed", "deleted", "unmanaged"]
    paths: list[str] = []
    risk: str = ""
    who: str | None = None


def filled(template: Any, ids: Mapping[str, str]) -> Any:
    """A template with the ids of the resources that it names; a job's is a number."""
    if isinstance(template, dict):
        return {key: filled(value, ids) for key, value in template.items()}
    if not isinstance(template, str):
        return template
    return re.sub(r"\{(databricks_[a-z0-9_.]+)\}", lambda match: ids[match[1]], template)


CHANGES = [Change(**entry) for entry in yaml.safe_load(FILE.read_text())]


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


def drift_of(planner: Planner, outside: Outside) -> tuple[int, dict[str, Any]]:
    """`python -m infra drift --format json` on what was synthesized: its code and document."""
    written = io.StringIO()
    accepted = Acceptance([], datetime.now(UTC).date())
    with redirect_stdout(written):
        code = command.drift(planner, ALL_STACKS, accepted, outside.variables, "json")
    return code, json.loads(written.getvalue())


def ids_of(planner: Planner) -> dict[str, str]:
    return {
        resource.address: str(resource.values["id"])
        for stack in ALL_STACKS
        for resource in planner.terraform.resources(planner.folder(stack))
        if "id" in resource.values
    }


@pytest.mark.terraform
@pytest.mark.spark
def test_deploy_drift_heal_destroy(
    deployed: tuple[Planner, Outside], monkeypatch: pytest.MonkeyPatch
) -> None:
    planner, outside = deployed
    for name, value in outside.variables.items():
        monkeypatch.setenv(name, value)
    assert exit_code(planner.plan(ALL_STACKS)) == 0

    ids = ids_of(planner)
    for change in CHANGES:
        outside.make(change, ids)
    outside.call("POST", "/emulator/v1/audit/deliver")
    code, document = drift_of(planner, outside)
    assert (code, document["errors"], document["notes"]) == (3, [], [SHARED_CATALOG])
    assert told(document) == expected()

    apply(planner)
    outside.revert(document["unmanaged"])
    assert exit_code(planner.plan(ALL_STACKS)) == 0
    code, document = drift_of(planner, outside)
    assert (code, document["drift"], document["unmanaged"]) == (0, [], [])

    said: list[str] = []
    code = deploying.destroy(
        planner.environment, ALL_STACKS, planner.terraform, planner.output, said.append
    )
    assert code == 0, said
    assert outside.left_over() == []


def told(document: dict[str, Any]) -> dict[str, Any]:
    """Address -> classification, what counts, risk and event."""
    words = {"update": "changed", "delete": "deleted"}
    found = {
        item["address"]: (
            words[item["action"]],
            item["paths"],
            item["risk"],
            item["who"] and item["who"]["action"],
        )
        for item in document["drift"]
    }
    for item in document["unmanaged"]:
        who = item["who"] and item["who"]["action"]
        found[item["address"]] = ("unmanaged", [], "", who)
    return found


def expected() -> dict[str, Any]:
    return {
        change.resource: (
            change.found,
            ["deleted"] if change.found == "deleted" else change.paths,
            change.risk,
            change.who,
        )
        for change in CHANGES
    }
