"""Nothing outlives the workspace process, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from emulator.compute import java, processes
from emulator.compute.guard import guarded
from emulator.compute.processes import TaskProcess
from emulator.compute.spark_server import SparkServer, SparkStartError
from emulator.compute.spec import TaskSpec
from emulator.settings import Settings

ROOT = Path(__file__).parents[2]
OWNER = """
import subprocess, sys, threading
from pathlib import Path
from emulator.compute.guard import guarded
from tests.emulator.compute_tools import Bench
from emulator.compute.spec import TaskSpec
bench = Bench(Path(sys.argv[1]))
path = bench.notebook("import subprocess, time; subprocess.Popen(['sleep', '300']); print('up')\\n"
                      "time.sleep(300)")
subprocess.Popen(guarded(["sh", "-c", "sleep 300 & sleep 300"]), start_new_session=True)
spec = TaskSpec("notebook", {"notebook_path": path}, "1")
bench.compute.run_task(spec, on_output=lambda text: print(text, flush=True))
"""


def test_killing_the_owner_leaves_no_orphan(tmp_path):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "up\n"
    family = psutil.Process(owner.pid).children(recursive=True)
    assert len([p for p in family if p.name() == "sleep"]) == 3
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    _, alive = psutil.wait_procs(family, timeout=20)
    for process in alive:
        process.kill()
    assert alive == []


def test_the_guard_passes_on_exit_codes_and_ends_when_told():
    assert subprocess.run(guarded([sys.executable, "-c", "exit(3)"]), check=False).returncode == 3
    assert subprocess.run(guarded(["sh", "-c", "kill -9 $$"]), check=False).returncode == 137
    guard = subprocess.Popen(guarded(["sleep", "300"]))
    deadline = time.monotonic() + 10
    while not (children := psutil.Process(guard.pid).children()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    guard.terminate()
    assert guard.wait(10) == 128 + signal.SIGTERM
    assert not children[0].is_running()


def test_java_that_is_missing_or_old_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    server = SparkServer(Settings(state=tmp_path, jars=tmp_path))
    with pytest.raises(SparkStartError, match="Java 17, and none was found: install a JDK 17"):
        server.start()
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_392\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(java.JavaMissingError, match="is Java 8"):
        java.require_java()
    old.unlink()
    with pytest.raises(java.JavaMissingError, match=r"JAVA_HOME is .* is no file"):
        java.require_java()


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("a\nTerminating due to java.lang.OutOfMemoryError: Java heap space\n", "OutOfMemoryError"),
        ("java.io.IOException: No space left on device\nx", "No space left on device"),
        ("nothing of note", "exit code None"),
    ],
)
def test_why_spark_ended_is_taken_from_its_log(tmp_path, log, reason):
    server = SparkServer(Settings(state=tmp_path, jars=tmp_path))
    server.log.parent.mkdir(parents=True)
    server.log.write_text(f"Terminating due to java.lang.OutOfMemoryError: before\n{log}")
    server.log_start = server.log.read_text().index("before") + len("before")
    assert reason in server.why_it_ended()
    assert str(server.log) in server.why_it_ended()


def test_a_log_can_be_read_before_its_task_has_come_to_write_it(tmp_path, monkeypatch):
    class NotStarted(Exception):
        pass

    def process(target, args, daemon):
        assert (Path(args[0]) / "output.log").read_text() == ""
        raise NotStarted

    monkeypatch.setattr(processes, "_FORKING", SimpleNamespace(Process=process))
    spec = TaskSpec(kind="notebook", payload={}, task_run_id="1")
    with pytest.raises(NotStarted):
        TaskProcess(Settings(state=tmp_path, jars=tmp_path), spec, {}, lambda: "")
