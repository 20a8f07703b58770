"""When things go wrong: one clear message, a non-zero exit, no process left behind."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Platform, wait_until_none

pytestmark = pytest.mark.spark


def test_a_broken_file_is_named_and_nothing_is_left_running(tmp_path: Path) -> None:
    exports = tmp_path / "exports" / "billing.usage"
    exports.mkdir(parents=True)
    (exports / "broken.parquet").write_bytes(b"PAR1 this is no parquet file PAR1")
    local = tmp_path / "local"
    result = Platform(local).tools("local", "--system-tables", str(exports.parent), check=False)
    assert result.returncode == 1
    assert "broken.parquet" in result.stdout.replace("\n", "")
    assert "to do:" in result.stdout and "Deploy" not in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
    wait_until_none(local)


@pytest.mark.parametrize(
    ("folder", "message"),
    [("missing", "is not a folder"), ("empty", "no known")],
)
def test_a_folder_without_tables_is_refused(tmp_path: Path, folder: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    local = tmp_path / "local"
    named = str(tmp_path / folder)
    result = Platform(local).tools("local", "--system-tables", named, check=False)
    assert result.returncode == 1
    assert message in " ".join(result.stdout.split())
    wait_until_none(local)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    local = tmp_path / "local"
    driver = Platform(local).start("local", "--days", "16", "--usage-rows", "2000")
    deadline = time.monotonic() + 300
    while not (local / "workspace" / "compute.json").exists():
        assert time.monotonic() < deadline and driver.poll() is None
        time.sleep(0.1)
    driver.send_signal(number)
    output, _ = driver.communicate(timeout=180)
    assert driver.returncode == 130
    assert "Interrupted; every process is stopped" in output
    assert "Traceback" not in output
    wait_until_none(local)
