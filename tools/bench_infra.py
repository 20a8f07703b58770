"""How long 1,000 resources take: synth, plan and deploy as people run them, and a review.

A copy of the repository gets alerts until its stacks have that many resources, and no monitor: its
table would need Spark. Real Terraform deploys it to an emulated workspace of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from infra.review.benchmark import Timing, time_review
from tools.console import DriverError
from tools.paths import CACHE, LOCAL_VARIABLE, PYTHON, ROOT
from tools.watched import failed, run_watched

RESOURCES = 1_000
ROOMS = ("emulator", "environments", "infra", "tools", "workloads")
SAMPLE_SECONDS = 0.2
# What nobody's command holds is the command's own Python.
OURS = "our Python"
START = """
import json
from tools.deploying import choose_provider, variables
from tools.services import start_state_backend, start_workspace
print(json.dumps(variables(start_workspace(), start_state_backend()) | choose_provider()[1]))
"""


@dataclass
class Work:
    """One command: its seconds, how many of them Terraform ran, and who used the processors."""

    seconds: float = 0.0
    in_terraform: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)

    def document(self) -> dict[str, float]:
        """Everything in seconds, rounded."""
        rest = {
            "whole command": self.seconds,
            "while Terraform ran": self.in_terraform,
            "before, between and after": self.seconds - self.in_terraform,
        }
        used = {f"CPU of {who}": seconds for who, seconds in sorted(self.cpu.items())}
        return {name: round(value, 1) for name, value in (rest | used).items()}


@dataclass(frozen=True)
class Measured:
    """What was measured on this many resources; ``works`` by what was done."""

    resources: int
    works: dict[str, Work]
    review: Timing


COMMANDS = (
    ("synth", "synth", (0,)),
    ("plan, nothing deployed", "plan", (2,)),
    ("deploy", "deploy", (0,)),
    ("plan, all deployed", "plan", (0,)),
)
FIRST_DEPLOY = ("plan, nothing deployed", "deploy")


def measure(folder: Path, say: Callable[[str], None], deploys: bool = True) -> Measured:
    """Synthesize, plan, deploy, plan again and review; DriverError when one of them fails."""
    bench = Bench(folder)
    say("copying the repository, building the wheel")
    bench.prepare()
    bench.run("synth")
    bench.add_alerts(RESOURCES - bench.resources())
    works = {}
    bench.start()
    try:
        for name, command, codes in COMMANDS if deploys else COMMANDS[:1]:
            say(name)
            works[name] = bench.run(command, codes)
    finally:
        bench.stop()
    say("review of as many changes")
    small = ROOT / "tests" / "infra" / "review" / "plans" / "jobs.json"
    return Measured(bench.resources(), works, time_review(small, folder, RESOURCES))


class Bench:
    """A copy of the repository, with servers of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "repository"
        self.log = folder / "bench.log"
        self.variables = {**os.environ, LOCAL_VARIABLE: str(folder / "local")}

    def prepare(self) -> None:
        for room in ROOMS:
            ignored = shutil.ignore_patterns("__pycache__", "monitors")
            shutil.copytree(ROOT / room, self.root / room, ignore=ignored)
        for file in ROOT.glob("*.json"):
            shutil.copy(file, self.root)
        (self.root / ".local").mkdir()
        (self.root / ".local" / "cache").symlink_to(CACHE)

    def resources(self) -> int:
        """How many resources were synthesized."""
        stacks = (self.root / "cdktf.out" / "stacks").glob("*/cdk.tf.json")
        documents = [json.loads(path.read_text()) for path in stacks]
        return sum(
            len(named) for document in documents for named in document.get("resource", {}).values()
        )

    def add_alerts(self, count: int) -> None:
        """Copies of an alert that there is, under other names."""
        folder = self.root / "workloads" / "definitions" / "alerts"
        original = sorted(folder.glob("*/*.yml"))[0]
        text, sql = original.read_text(), original.with_suffix(".sql").read_text()
        title = next(line for line in text.splitlines() if line.startswith("display_name:"))
        for number in range(count):
            target = folder / original.parent.name / f"bench_{number}.yml"
            target.write_text(text.replace(title, f"display_name: Bench {number}"))
            # No two texts alike: each is read and checked for itself.
            target.with_suffix(".sql").write_text(f"-- Bench {number}\n{sql}")

    def start(self) -> None:
        """The workspace, the state's bucket, and the provider that Terraform takes."""
        written = self._output([str(PYTHON), "-c", START])
        self.variables |= json.loads(written.splitlines()[-1])

    def stop(self) -> None:
        self._output([str(PYTHON), "-m", "tools", "stop"])

    def run(self, command: str, codes: tuple[int, ...] = (0,)) -> Work:
        """``python -m infra COMMAND``, watched from outside."""
        work = Work()
        started = time.perf_counter()
        code = run_watched(
            [str(PYTHON), "-m", "infra", command, "--env", "local"],
            self.root,
            self.variables,
            self.log,
            lambda pid: _watched(pid, self._servers(), work),
        )
        work.seconds = time.perf_counter() - started
        if code not in codes:
            raise failed(f"`infra {command}` ended with {code}", self.log)
        return work

    def _servers(self) -> list[int]:
        run = Path(self.variables[LOCAL_VARIABLE]) / "run"
        return [json.loads(path.read_text())["pid"] for path in run.glob("*.json")]

    def _output(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=self.root, env=self.variables, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise DriverError(f"the bench's servers: {done.stderr.strip()}")
        return done.stdout


@contextmanager
def _watched(pid: int, servers: list[int], work: Work) -> Iterator[None]:
    """Look at the command's processes and the servers again and again, until the block ends."""
    ended = threading.Event()
    seen: dict[tuple[int, float], tuple[str, float]] = {}
    before = _look([*servers], {})

    def watch() -> None:
        last = time.perf_counter()
        while not ended.wait(SAMPLE_SECONDS):
            runs = _look([pid, *servers], seen)
            now = time.perf_counter()
            work.in_terraform += (now - last) if "Terraform" in runs else 0
            last = now

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        _look(servers, seen)
    for who, seconds in seen.values():
        work.cpu[who] = work.cpu.get(who, 0) + seconds
    for who, seconds in before.items():
        work.cpu[who] = work.cpu.get(who, 0) - seconds


def _look(roots: list[int], seen: dict[tuple[int, float], tuple[str, float]]) -> dict[str, float]:
    """Note the processor time of these processes and all below them; by who is running now."""
    runs: dict[str, float] = {}
    for root in roots:
        for process in _family(root):
            try:
                with process.oneshot():
                    times, who = process.cpu_times(), role(process.name(), process.cmdline())
                    key = (process.pid, process.create_time())
            except psutil.NoSuchProcess:
                continue
            seen[key] = (who, times.user + times.system)
            runs[who] = runs.get(who, 0) + times.user + times.system
    return runs


def _family(root: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(root)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def role(name: str, command: list[str]) -> str:
    """Who a process is, for the report."""
    words = " ".join(command)
    if name == "terraform":
        return "Terraform"
    if name.startswith("terraform-provider") or "emulator.provider" in words:
        return "provider"
    if "state_backend" in words:
        return "state backend"
    # The server, and what it starts: MLflow, and a process from which tasks are forked.
    if "emulator" in words or "multiprocessing" in words:
        return "workspace"
    return "cdktf" if name.startswith("node") else OURS


def parts(measured: Measured) -> dict[str, Any]:
    """What the figure about plan and deploy is made from."""
    works = measured.works.items()
    return {name: work.document() for name, work in works if name != "synth"}
