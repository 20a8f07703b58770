"""The bench's own arithmetic: what it reads from logs, adds up, keeps and says."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from health_monitor.spec import load_definitions
from pyspark.sql.connect.session import SparkSession
from rich.console import Console

from tools import bench
from tools.bench import Figure, Sizes
from tools.bench_infra import OURS, Bench, Work, role
from tools.bench_memory import Peak, resident
from tools.bench_platform import Account, Platform, Timing, timed

MEBIBYTE = 1024**2
HOLDER = (
    "import sys, time; held = b'x' * int(sys.argv[1]); print(len(held), flush=True); "
    "sys.stdin.read()"
)
PARENT = (
    "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', sys.argv[1], "
    "sys.argv[2]]); child.wait()"
)


def test_memory_counts_children_of_children() -> None:
    size = 80 * MEBIBYTE
    command = [sys.executable, "-c", PARENT, HOLDER, str(size)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{size}\n"
        parts = resident([process.pid])
        assert process.stdin is not None
        process.stdin.close()
    assert parts["spark"] == 0
    assert size < parts["python and terraform"] < size + 100 * MEBIBYTE
    assert resident([process.pid]) == {"spark": 0, "python and terraform": 0}


def test_a_peak_is_one_moment() -> None:
    peak = Peak()
    for spark, others in ((3, 1), (1, 5), (2, 2)):
        peak.note({"spark": spark, "others": others})
    assert (peak.total, peak.parts) == (6, {"spark": 1, "others": 5})


def test_the_platform_that_is_measured_is_the_one_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two platforms in one process: what asks PySpark for a session gets the active one's."""
    monkeypatch.setattr(SparkSession, "_default_session", None)
    monkeypatch.setattr(SparkSession, "_active_session", threading.local())
    conf = SimpleNamespace(set=lambda key, value: None)
    platforms = [Platform(tmp_path / name, Account(tmp_path)) for name in ("long", "short")]
    for platform in (*platforms, platforms[0]):
        platform.spark = platform.spark or SimpleNamespace(is_stopped=False, conf=conf)
        platform.activate()
        assert SparkSession.getActiveSession() is platform.spark
        assert SparkSession._get_default_session() is platform.spark


def test_layers_add_up_and_the_slowest_tables_are_named() -> None:
    timing = Timing()
    for _ in range(2):
        with timing.layer("bronze"):
            time.sleep(0.02)
    with timing.layer("gold"):
        time.sleep(0.01)
    assert timing.layers["bronze"] >= 0.04
    assert timing.seconds == timing.layers["bronze"] + timing.layers["gold"]
    timing.tables = {"a": 1.0, "b": 3.04, "c": 2.0}
    assert timing.slowest(2) == {"b": 3.0, "c": 2.0}


def test_tables_say_how_long_they_took() -> None:
    said = """gold: tables 8 (3.1 s)
gold.fact_usage: refreshed first time (12.5 s)
bronze.bronze_usage: status assessed, new_rows 17 (0.4 s)
reconciliation: days 4 (1.0 s)
"""
    assert timed(said) == {"gold.fact_usage": 12.5, "bronze.bronze_usage": 0.4}


@pytest.mark.parametrize(
    ("value", "limit", "holds"), [(1.3, 1.3, True), (1.31, 1.3, False), (9, None, None)]
)
def test_a_figure_and_its_limit(value: float, limit: float | None, holds: bool | None) -> None:
    assert Figure(1, "growth", value, limit, {}).holds is holds


def test_the_report_is_a_table_and_json() -> None:
    figures = [
        Figure(1, "growth", 1.5, 1.3, {"seconds a day": {"short": 10.0, "long": 15.0}}),
        Figure(3, "first load", 40.0, None, {"not compared": "most of it"}),
    ]
    document = json.loads(json.dumps(bench.document(figures, Sizes())))
    assert [figure["holds"] for figure in document["figures"]] == [False, None]
    assert document["sizes"]["usage_rows"] == 60_000
    output = io.StringIO()
    Console(file=output, width=120).print(bench.table(figures, Sizes()))
    shown = output.getvalue()
    assert "1.50" in shown and "seconds a day: short 10, long 15" in shown
    assert "reported" in shown


@pytest.mark.parametrize(
    ("name", "command", "who"),
    [
        ("terraform", ["terraform", "apply"], "Terraform"),
        ("python", ["python", "-P", "-m", "emulator.provider"], "provider"),
        ("terraform-provider-databricks_v1.99.0", [], "provider"),
        ("python", ["python", "-m", "emulator", "serve", "--state", "x"], "workspace"),
        ("python", ["python", "-m", "emulator.workspace.mlflow_child"], "workspace"),
        ("node", ["node", "cdktf", "deploy"], "cdktf"),
        ("python", ["python", "-m", "infra", "deploy"], OURS),
    ],
)
def test_processor_time_is_shared_out_by_process(name: str, command: list[str], who: str) -> None:
    assert role(name, command) == who


def test_what_terraform_does_not_take_is_ours() -> None:
    told = Work(seconds=10.04, in_terraform=7.0, cpu={"Terraform": 3.26}).document()
    assert told == {
        "whole command": 10.0,
        "while Terraform ran": 7.0,
        "before, between and after": 3.0,
        "CPU of Terraform": 3.3,
    }


def test_the_copy_that_is_measured_has_as_many_resources_as_are_asked_for(tmp_path: Path) -> None:
    made = Bench(tmp_path)
    made.prepare()
    made.add_alerts(3)
    definitions = load_definitions(made.root / "workloads" / "definitions")
    alerts = [name for name in definitions.alerts if "bench" in name]
    assert len(alerts) == 3 and not definitions.monitors
    assert len({definitions.alerts[name].sql for name in alerts}) == 3
