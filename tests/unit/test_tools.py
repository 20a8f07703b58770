"""The driver's parts: prerequisites, the state backend, the independent cost."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import boto3
import duckdb
import pytest
from rich.console import Console

from tools import prerequisites
from tools.console import DriverError, Step, Steps
from tools.independent_cost import daily_cost
from tools.report import Report, show
from tools.testing import END_TO_END, others_of

ROOT = Path(__file__).parent.parent.parent


def program(folder: Path, name: str, answer: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)


def test_missing_and_old_programs_are_all_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "node", "v18.19.0")
    program(tmp_path, "terraform", "Terraform v1.11.4")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = prerequisites.problems()
    assert any(line.startswith("Node: found 18.19.0; needed: 20 or newer") for line in found)
    assert any(line.startswith("Java: not found; needed: 17 or newer; get it:") for line in found)
    assert not any(line.startswith(("Terraform", "Python")) for line in found)


def test_setup_ends_with_one_message_and_installs_nothing(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "setup.py")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "Terraform: not found; needed: 1.6 or newer" in result.stderr
    assert "Traceback" not in result.stderr


def state_server(folder: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tools.state_backend", "--folder", str(folder)]
    process = subprocess.Popen(
        [*command, "--bucket", "state", "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.1)
    raise AssertionError("the state backend did not start")


def test_terraform_state_outlives_the_state_backend(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        region_name="us-east-1",
    )
    first = state_server(tmp_path, port)
    try:
        client.put_object(Bucket="state", Key="local/a.tfstate", Body=b"one")
        client.put_object(Bucket="state", Key="local/a.tflock", Body=b"lock", IfNoneMatch="*")
        with pytest.raises(client.exceptions.ClientError, match="PreconditionFailed"):
            client.put_object(Bucket="state", Key="local/a.tflock", Body=b"two", IfNoneMatch="*")
        client.delete_object(Bucket="state", Key="local/a.tflock")
    finally:
        first.kill()
        first.wait()
    second = state_server(tmp_path, port)
    try:
        keys = [item["Key"] for item in client.list_objects_v2(Bucket="state")["Contents"]]
        assert keys == ["local/a.tfstate"]
        body = client.get_object(Bucket="state", Key="local/a.tfstate")["Body"].read()
        assert body == b"one"
    finally:
        second.kill()
        second.wait()


def moment(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day - 1, hours=hour)


def test_independent_cost_on_a_case_done_by_hand(tmp_path: Path) -> None:
    """Overlapping windows, a boundary, a correction, a duplicate, an unpriced SKU."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "CREATE TABLE usage (record_id VARCHAR, workspace_id VARCHAR, sku_name VARCHAR, "
            "cloud VARCHAR, usage_unit VARCHAR, usage_date DATE, usage_end_time TIMESTAMPTZ, "
            "usage_quantity DECIMAL(38,18))"
        )
        rows = [
            ("r1", "1", "A", moment(1, 5), "2"),
            ("r1", "1", "A", moment(1, 5), "2"),
            ("r2", "1", "A", moment(3, 0), "1"),
            ("r3", "1", "A", moment(3, 0), "-1"),
            ("r4", "1", "A", moment(3, 0), "0.5"),
            ("r5", None, "B", moment(2, 1), "7"),
            (None, "1", "A", moment(1, 5), "100"),
        ]
        for record, workspace, sku, end, quantity in rows:
            day = (end - timedelta(hours=1)).date()
            connection.execute(
                "INSERT INTO usage VALUES (?, ?, ?, 'AWS', 'DBU', ?, ?, ?)",
                [record, workspace, sku, day, end, Decimal(quantity)],
            )
        connection.execute(
            "CREATE TABLE prices AS SELECT * FROM (VALUES "
            "('A','AWS','DBU','USD', TIMESTAMPTZ '2025-01-01', TIMESTAMPTZ '2026-02-01', 0.10),"
            "('A','AWS','DBU','USD', TIMESTAMPTZ '2026-01-03', NULL, 0.30),"
            "('A','AWS','DBU','EUR', TIMESTAMPTZ '2026-01-02', NULL, 9.00)) "
            "t(sku_name, cloud, usage_unit, currency_code, price_start_time, price_end_time, p)"
        )
        for name in ("billing.usage", "billing.list_prices"):
            (tmp_path / name).mkdir()
        connection.execute(f"COPY usage TO '{tmp_path}/billing.usage/0.parquet'")
        connection.execute(
            "COPY (SELECT * EXCLUDE p, {'effective_list': {'default': p::DECIMAL(38,18)}} AS "
            f"pricing FROM prices) TO '{tmp_path}/billing.list_prices/0.parquet'"
        )
    assert daily_cost(tmp_path) == {
        (date(2026, 1, 1), "1", "A"): Decimal("0.2"),
        (date(2026, 1, 2), "1", "A"): Decimal("0.15"),
        (date(2026, 1, 2), None, "B"): None,
    }


def test_a_step_beside_others_is_shown_when_its_turn_comes_and_timed_by_its_own_end() -> None:
    steps = Steps(Console(file=io.StringIO(), width=100))
    may_end, has_ended = threading.Event(), threading.Event()

    def work(step: Step) -> int:
        may_end.wait(10)
        step.say("half")
        has_ended.set()
        return 7

    begun = steps.begin("slow", work)
    with steps.step("other"):
        may_end.set()
        has_ended.wait(10)
        time.sleep(0.3)
    assert steps.end(begun) == 7
    output = steps.console.file
    assert isinstance(output, io.StringIO)
    shown = [line.split(" in ")[0].strip() for line in output.getvalue().splitlines()]
    assert shown == ["other ...", "0 s  slow: half", "done other", "slow ...", "done slow"]
    assert steps.seconds["slow"] < steps.seconds["other"]


def test_the_time_of_a_run_counts_steps_side_by_side_once() -> None:
    steps = Steps(Console(file=io.StringIO(), width=100))
    begun = steps.begin("b", lambda _step: time.sleep(0.5))
    with steps.step("a"):
        time.sleep(0.5)
    steps.end(begun)
    assert max(steps.seconds.values()) <= steps.elapsed() < sum(steps.seconds.values())
    report = Report("http://h", "t", "offline", "simulated", seconds={"a": 3, "b": 4})
    report.run_seconds = 5
    show(report, steps.console)
    output = steps.console.file
    assert isinstance(output, io.StringIO) and "run 5 s (b 4 s, a 3 s)" in output.getvalue()


def test_what_a_step_beside_others_raises_is_raised_when_its_turn_comes() -> None:
    steps = Steps(Console(file=io.StringIO()))

    def work(_step: Step) -> None:
        raise DriverError("it broke")

    begun = steps.begin("broken", work)
    with pytest.raises(DriverError, match="it broke"):
        steps.end(begun)
    assert "broken" not in steps.seconds


def test_the_other_tests_are_all_but_the_end_to_end_ones() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *others_of(ROOT)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    folders = {
        line.split("::")[0].rsplit("/", 1)[0] for line in result.stdout.splitlines() if "::" in line
    }
    assert folders == {
        folder.as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if (folder := path.parent.relative_to(ROOT)).parts[1] not in (Path(END_TO_END).name, "soak")
    }
