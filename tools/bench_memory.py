"""How much memory `make local` takes, twice, seen from outside: the driver, the emulated workspace
with its tasks, and Spark.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from databricks.sdk import WorkspaceClient

from tools.console import Step
from tools.paths import LOCAL_VARIABLE, PYTHON, ROOT
from tools.querying import Warehouse
from tools.watched import failed, run_watched

SAMPLE_SECONDS = 0.25
FACT = "spark_catalog.gold.fact_usage"


@dataclass
class Peak:
    """The most that all processes held at one moment, and how it was shared out."""

    total: int = 0
    parts: dict[str, int] = field(default_factory=dict)

    def note(self, parts: dict[str, int]) -> None:
        total = sum(parts.values())
        if total > self.total:
            self.total, self.parts = total, parts


@dataclass(frozen=True)
class Memory:
    """What was measured; ``touched`` is the share of fact_usage that the second run wrote."""

    peak: Peak
    usage_rows: int
    touched: float


def measure(folder: Path, days: int, usage_rows: int, step: Step) -> Memory:
    """Run `make local` in a folder of its own, then once more for the next day."""
    peak = Peak()
    sizes = ["--days", str(days), "--usage-rows", str(usage_rows)]
    try:
        for number, arguments in enumerate((sizes, []), start=1):
            step.say(f"make local, run {number} of 2")
            _run(folder, ["local", *arguments], peak)
        rows, touched = _last_refresh(folder)
    finally:
        _run(folder, ["stop"], Peak())
    return Memory(peak, rows, touched)


def _run(folder: Path, arguments: list[str], peak: Peak) -> None:
    log = folder / "bench.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, LOCAL_VARIABLE: str(folder)}
    code = run_watched(
        [str(PYTHON), "-m", "tools", *arguments],
        ROOT,
        environment,
        log,
        lambda pid: _sampled(pid, folder / "run", peak),
    )
    if code != 0:
        raise failed(f"`tools {arguments[0]}` failed", log)


@contextmanager
def _sampled(pid: int, run: Path, peak: Peak) -> Iterator[None]:
    """Look at the processes again and again, aside, until the block ends."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            peak.note(resident(_roots(pid, run)))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _roots(pid: int, run: Path) -> list[int]:
    """The driver, and the servers that an earlier run of it left."""
    servers = [json.loads(path.read_text() or "{}").get("pid") for path in run.glob("*.json")]
    return [pid, *(server for server in servers if server)]


def resident(roots: list[int]) -> dict[str, int]:
    """Bytes in memory of some processes and all their children: Spark's, and all others'."""
    family: dict[int, psutil.Process] = {}
    for root in roots:
        try:
            process = psutil.Process(root)
            family |= {p.pid: p for p in (process, *process.children(recursive=True))}
        except psutil.NoSuchProcess:
            continue
    parts = {"spark": 0, "python and terraform": 0}
    for process in family.values():
        try:
            part = "spark" if process.name() == "java" else "python and terraform"
            parts[part] += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return parts


def _last_refresh(folder: Path) -> tuple[int, float]:
    """The rows of fact_usage, and which share of them its last commit inserted or changed."""
    lines = (folder / "workspace.env").read_text().splitlines()
    variables = dict(line.split("=", 1) for line in lines)
    client = WorkspaceClient(
        host=variables["DATABRICKS_HOST"], token=variables["DATABRICKS_TOKEN"], auth_type="pat"
    )
    warehouse = Warehouse.deployed(client)
    version = warehouse.row(f"DESCRIBE HISTORY {FACT} LIMIT 1")[0]
    rows = int(warehouse.row(f"SELECT COUNT(*) FROM {FACT}")[0])
    written = warehouse.row(
        f"SELECT COUNT(*) FROM table_changes('{FACT}', {version}) "
        "WHERE _change_type IN ('insert', 'update_postimage')"
    )[0]
    return rows, int(written) / rows
