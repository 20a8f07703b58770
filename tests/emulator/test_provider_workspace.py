"""Provider and emulated workspace together: every kind that needs no Spark, in one deployment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.emulator.provider_terraform import Terraform

pytestmark = pytest.mark.terraform
JARS = os.environ.get("EMULATOR_JARS", "no-jars")
CATALOG = "spark_catalog"
UC = "/api/2.1/unity-catalog"


class Workspace:
    """A running emulator, and changes made to it behind Terraform's back."""

    def __init__(self, server: dict[str, Any]) -> None:
        self.host = f"http://{server['host']}:{server['port']}"
        self.token = str(server["token"])

    def call(self, method: str, path: str, body: Any = None, raw: bytes | None = None) -> Any:
        data = raw if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(  # noqa: S310 - loopback
            self.host + path, data=data, headers=headers, method=method
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text else {}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    state = tmp_path_factory.mktemp("state")
    command = [sys.executable, "-m", "emulator", "serve", "--state", str(state), "--jars", JARS]
    with (state / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        server_file = state / "server.json"
        deadline = time.monotonic() + 60
        while not server_file.exists():
            assert process.poll() is None, (state / "server.log").read_text()
            assert time.monotonic() < deadline, "the workspace did not start"
            time.sleep(0.1)
        yield Workspace(json.loads(server_file.read_text()))
    finally:
        process.terminate()
        process.wait(30)


def stack(source: Path) -> dict[str, Any]:
    text = Path(__file__).with_name("provider_stack.yml").read_text()
    resources: dict[str, Any] = yaml.safe_load(text.replace("@SOURCE@", str(source)))
    return resources


def tamper(workspace: Workspace, ids: dict[str, str]) -> set[str]:
    """Change each kind by hand; the addresses that must show it."""
    schema = f"{CATALOG}.gold"
    import_again = {"path": "/Shared/x/n", "content": "cHJpbnQoOSk=", "overwrite": True}
    endpoint_tags = {"add_tags": [{"key": "c", "value": "d"}]}
    settings = workspace.call("GET", f"/api/2.2/jobs/get?job_id={ids['databricks_job.j']}")
    settings = settings["settings"] | {"max_concurrent_runs": 3}
    pipeline = f"/api/2.0/pipelines/{ids['databricks_pipeline.p']}"
    spec = workspace.call("GET", pipeline)["spec"] | {"configuration": {"a": "changed"}}
    alert = {"schedule": {"quartz_cron_schedule": "0 0 9 * * ?", "timezone_id": "UTC"}}
    dashboard = {"serialized_dashboard": '{"pages":[],"datasets":[]}'}
    changes: dict[str, tuple[str, str, dict[str, Any]]] = {
        "databricks_catalog.c": ("PATCH", f"{UC}/catalogs/{CATALOG}", {"comment": "by hand"}),
        "databricks_schema.gold": (
            "PATCH",
            f"{UC}/schemas/{schema}",
            {"properties": {"layer": "by hand"}},
        ),
        "databricks_volume.v": ("PATCH", f"{UC}/volumes/{schema}.v", {"comment": "by hand"}),
        "databricks_grants.g": (
            "PATCH",
            f"{UC}/permissions/schema/{schema}",
            {"changes": [{"principal": "ops", "remove": ["ALL_PRIVILEGES"], "add": ["SELECT"]}]},
        ),
        "databricks_grant.g": (
            "PATCH",
            f"{UC}/permissions/catalog/{CATALOG}",
            {"changes": [{"principal": "analysts", "add": ["BROWSE"]}]},
        ),
        "databricks_entity_tag_assignment.t": (
            "PATCH",
            f"{UC}/entity-tag-assignments/schemas/{schema}/tags/domain?update_mask=tag_value",
            {"tag_value": "by hand"},
        ),
        "databricks_tag_policy.p": (
            "PATCH",
            "/api/2.1/tag-policies/contains_pii?update_mask=values",
            {"values": [{"name": "true"}]},
        ),
        "databricks_workspace_binding.b": (
            "PATCH",
            f"{UC}/bindings/catalog/{CATALOG}",
            {"add": [{"workspace_id": 42, "binding_type": "BINDING_TYPE_READ_ONLY"}]},
        ),
        "databricks_notebook.n": (
            "POST",
            "/api/2.0/workspace/import",
            {**import_again, "format": "SOURCE", "language": "PYTHON"},
        ),
        "databricks_workspace_file.f": (
            "POST",
            "/api/2.0/workspace/import",
            {**import_again, "path": "/Shared/x/f.sql", "format": "RAW"},
        ),
        "databricks_sql_endpoint.w": (
            "POST",
            f"/api/2.0/sql/warehouses/{ids['databricks_sql_endpoint.w']}/edit",
            {"name": "warehouse", "cluster_size": "Large"},
        ),
        "databricks_job.j": (
            "POST",
            "/api/2.2/jobs/reset",
            {"job_id": int(ids["databricks_job.j"]), "new_settings": settings},
        ),
        "databricks_pipeline.p": ("PUT", pipeline, spec),
        "databricks_permissions.j": (
            "PATCH",
            f"/api/2.0/permissions/jobs/{ids['databricks_job.j']}",
            {"access_control_list": [{"group_name": "x", "permission_level": "CAN_VIEW"}]},
        ),
        "databricks_dashboard.d": (
            "PATCH",
            f"/api/2.0/lakeview/dashboards/{ids['databricks_dashboard.d']}",
            dashboard,
        ),
        "databricks_registered_model.m": (
            "PATCH",
            f"{UC}/models/{schema}.model",
            {"comment": "by hand"},
        ),
        "databricks_model_serving.s": (
            "PATCH",
            "/api/2.0/serving-endpoints/endpoint/tags",
            endpoint_tags,
        ),
        "databricks_notification_destination.mail": (
            "PATCH",
            "/api/2.0/notification-destinations/" + ids["databricks_notification_destination.mail"],
            {"display_name": "by hand"},
        ),
        "databricks_alert_v2.a": (
            "PATCH",
            f"/api/2.0/alerts/{ids['databricks_alert_v2.a']}?update_mask=schedule",
            alert,
        ),
        "databricks_group.g": (
            "PATCH",
            f"/api/2.0/preview/scim/v2/Groups/{ids['databricks_group.g']}",
            {"Operations": [{"op": "replace", "path": "displayName", "value": "by hand"}]},
        ),
    }
    for method, path, body in changes.values():
        workspace.call(method, path, body)
    workspace.call(
        "PUT", f"/api/2.0/fs/files/Volumes/{CATALOG}/gold/v/x.whl?overwrite=true", raw=b""
    )
    return {*changes, "databricks_file.f"}


def test_every_kind_deploys_shows_drift_is_repaired_and_imported(
    workspace: Workspace, tmp_path: Path
) -> None:
    source = tmp_path / "n.py"
    source.write_text("# Databricks notebook source\nprint(1)\n")
    terraform = Terraform(
        tmp_path / "stack", tmp_path / "provider", workspace.host, workspace.token
    )
    resources = stack(source)
    me: dict[str, Any] = {"databricks_current_user": {"me": {}}}
    terraform.write(resources, me, {"me": "${data.databricks_current_user.me.user_name}"})
    terraform.apply()
    assert terraform.run("output", "-raw", "me").stdout == "admin@emulator.local"
    assert terraform.changes() == {}
    text = (terraform.folder / "terraform.tfstate").read_text()
    ids = {
        f"{r['type']}.{r['name']}": _identity(r["instances"][0]["attributes"])
        for r in json.loads(text)["resources"]
        if r["mode"] == "managed"
    }

    tampered = tamper(workspace, ids)
    # A folder has nothing to change, and the API never shows a webhook's address.
    untouched = {"databricks_directory.d", "databricks_notification_destination.slack"}
    assert tampered | untouched == ids.keys()
    # A binding has no update: another is made in its place.
    expected = dict.fromkeys(tampered, "update") | {"databricks_workspace_binding.b": "replace"}
    assert terraform.changes() == expected
    terraform.apply()
    assert terraform.changes() == {}

    (terraform.folder / "terraform.tfstate").unlink()
    blocks = [{"to": address, "id": identity} for address, identity in ids.items()]
    imports = terraform.folder / "imports.tf.json"
    imports.write_text(json.dumps({"import": blocks}))
    replaced = {a: c for a, c in terraform.changes().items() if c != "update"}
    assert replaced == {}
    terraform.apply()
    imports.unlink()
    assert terraform.changes() == {}

    terraform.destroy()
    schemas = workspace.call("GET", f"{UC}/schemas?catalog_name={CATALOG}").get("schemas", [])
    assert "gold" not in {schema["name"] for schema in schemas}


def _identity(attributes: dict[str, Any]) -> str:
    parts = ("entity_type", "entity_name", "tag_key")
    return str(attributes.get("id") or ",".join(attributes[part] for part in parts))
