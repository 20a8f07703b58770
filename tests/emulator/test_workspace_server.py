"""The workspace's process: who may talk to it, what it says no to, what it keeps."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotImplemented as NotImplementedHere
from databricks.sdk.errors import Unauthenticated

from tests.emulator.workspace_server import ROOT, RunningWorkspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorkspace]:
    folder = tmp_path_factory.mktemp("server")
    running = RunningWorkspace(folder / "state", folder)
    yield running
    running.stop()


def test_a_client_is_who_it_is(workspace):
    assert workspace.client.current_user.me().user_name == "admin@emulator.local"
    assert workspace.client.get_workspace_id() == 1000000000000001


def test_server_file_is_private(workspace):
    mode = stat.S_IMODE((workspace.state / "server.json").stat().st_mode)
    assert mode == 0o600
    assert set(workspace.server) == {"host", "port", "token", "pid"}


def test_listens_on_loopback_only(workspace):
    connections = psutil.Process(workspace.process.pid).net_connections()
    listening = {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic Zm9vOmJhcg=="])
def test_without_the_token_401(workspace, header):
    headers = {"Authorization": header} if header else {}
    answer = httpx.get(f"{workspace.url}/api/2.0/preview/scim/v2/Me", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error_code"] == "UNAUTHENTICATED"


def test_sdk_with_a_wrong_token(workspace):
    with pytest.raises(Unauthenticated):
        WorkspaceClient(host=workspace.url, token="wrong").current_user.me()


def test_another_host_name_gets_403_and_nothing(workspace):
    answer = workspace.http.get("/emulator/v1/health", headers={"Host": "evil.example:80"})
    assert (answer.status_code, answer.content) == (403, b"")


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:80"])
def test_names_of_this_machine_are_fine(workspace, host):
    assert workspace.http.get("/emulator/v1/health", headers={"Host": host}).status_code == 200


def test_unknown_route_names_itself(workspace):
    with pytest.raises(NotImplementedHere, match=r"GET /api/2\.1/clusters/get"):
        workspace.client.clusters.get("x")
    answer = workspace.http.delete("/api/2.0/sql/warehouses")
    assert answer.status_code == 501
    assert "DELETE /api/2.0/sql/warehouses" in answer.json()["message"]


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff"])
def test_a_body_that_is_no_json_object(workspace, body):
    answer = workspace.http.post("/api/2.2/jobs/create", content=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MALFORMED_REQUEST")


def test_a_taken_port_is_one_message_and_exit_code_1(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        command = ["serve", "--state", str(tmp_path), "--jars", str(tmp_path), "--port", str(port)]
        ended = subprocess.run(
            [sys.executable, "-m", "emulator", *command],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    assert len(ended.stderr.strip().splitlines()) == 1
    assert f"port {port} on 127.0.0.1 is taken" in ended.stderr


def test_a_restart_keeps_address_token_and_state(tmp_path):
    first = RunningWorkspace(tmp_path / "state", tmp_path)
    first.client.catalogs.create("spark_catalog")
    job = first.http.post("/api/2.2/jobs/create", json={"name": "kept"}).json()["job_id"]
    assert first.stop() == 0
    second = RunningWorkspace(tmp_path / "state", tmp_path)
    try:
        assert (second.url, second.token) == (first.url, first.token)
        shown = second.http.get("/api/2.2/jobs/get", params={"job_id": job}).json()
        assert shown["settings"] == {"name": "kept"}
        assert second.client.catalogs.get("spark_catalog").name == "spark_catalog"
    finally:
        assert second.stop() == 0


def test_ctrl_c_is_a_clean_end(tmp_path):
    running = RunningWorkspace(tmp_path / "state", tmp_path)
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(30) == 0


def test_a_killed_workspace_leaves_no_child(tmp_path):
    running = RunningWorkspace(tmp_path / "state", tmp_path)
    running.client.experiments.create_experiment(name="/Shared/e")
    children = psutil.Process(running.process.pid).children(recursive=True)
    assert children
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    second = RunningWorkspace(tmp_path / "state", tmp_path)
    try:
        assert second.client.experiments.get_by_name("/Shared/e").experiment is not None
    finally:
        second.stop()
    assert Path(second.log).read_text().count("Traceback") == 0


def test_a_browser_logs_in_with_the_token_and_sees_pages_only(workspace):
    with httpx.Client(base_url=workspace.url) as browser:
        assert browser.get("/login", params={"token": "wrong"}).status_code == 401
        assert browser.get("/absent").status_code == 401
        token = {"token": workspace.token}
        away = browser.get("/login", params={**token, "next": "//evil.example"})
        assert away.status_code == 400
        answer = browser.get("/login", params={**token, "next": "/absent"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/absent")
        assert workspace.token not in answer.headers["set-cookie"]
        assert browser.get("/absent").status_code == 501
        assert browser.get("/api/2.0/preview/scim/v2/Me").status_code == 401
