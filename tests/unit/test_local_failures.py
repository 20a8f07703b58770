"""What ends the main job is said in one message, whatever it was, and the servers are stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import httpx
import pytest

from tools import local, services
from tools.console import DriverError, Steps

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """No server runs; stopping them is noted."""
    calls: list[str] = []
    monkeypatch.setattr(services, "RUN", tmp_path)
    monkeypatch.setattr(local, "LOCAL", tmp_path)
    monkeypatch.setattr(services, "stop_all", lambda: calls.append("stopped"))
    return calls


def fail_with(error: BaseException) -> None:
    with local.stopped_on_failure():
        raise error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(28, "No space left on device", "part-0.parquet"), "The disk is full"),
        (httpx.ReadTimeout("timed out"), "The workspace did not answer: timed out"),
    ],
)
def test_an_error_of_the_machine_is_told_as_one(
    stopped: list[str], error: Exception, message: str
) -> None:
    with pytest.raises(DriverError) as raised:
        fail_with(error)
    assert message in raised.value.what
    assert raised.value.todo
    assert stopped == ["stopped"]


def test_other_errors_stay_what_they_are(stopped: list[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_with(ZeroDivisionError())
    assert stopped == ["stopped"]


def test_a_server_that_is_gone_is_named_before_its_consequences(
    stopped: list[str], tmp_path: Path
) -> None:
    def work() -> None:
        with local.stopped_on_failure():
            ended = subprocess.Popen([sys.executable, "-c", "pass"])
            ended.wait()
            noted = {"pid": ended.pid, "created": 0.0}
            (tmp_path / "workspace.json").write_text(json.dumps(noted))
            raise httpx.ConnectError("Connection refused")

    with pytest.raises(DriverError, match="The workspace ended in the middle") as raised:
        work()
    assert raised.value.where.endswith("workspace.log")


def test_a_server_that_was_gone_before_is_no_news(stopped: list[str], tmp_path: Path) -> None:
    (tmp_path / "workspace.json").write_text(json.dumps({"pid": 2**22 + 1, "created": 0.0}))
    with pytest.raises(DriverError, match="did not answer"):
        fail_with(httpx.ConnectError("Connection refused"))


def test_a_small_disk_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(local, "LOCAL", tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(0, 0, 1024**3))
    with pytest.raises(DriverError, match=r"Only 1\.0 GiB are free; 3 are needed"):
        local.run(local.Options(), Steps())
