"""All tests, in two processes: the end-to-end ones wait much, and the others use that time."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import tomllib
from pathlib import Path

from rich.console import Console

from tools.paths import LOCAL, PYTHON, ROOT

END_TO_END = "tests/e2e"


def run(console: Console, arguments: list[str]) -> int:
    """Run both parts, show what both print, and give the first exit code that is not 0."""
    log = LOCAL / "test-end-to-end.log"
    LOCAL.mkdir(exist_ok=True)
    with log.open("w") as output:
        beside = _pytest([END_TO_END, *arguments], output.fileno())
        others = _pytest([*others_of(ROOT), *arguments], None)
        console.print(f"end-to-end tests run beside these, into {log}", highlight=False)
        try:
            first = others.wait()
            _tell_while_waiting(console, beside, log)
            second = beside.wait()
        except BaseException:
            for process in (beside, others):
                _end(process)
            raise
    console.print(log.read_text(), markup=False, highlight=False, soft_wrap=True)
    return first or second


def others_of(root: Path) -> list[str]:
    """The folders of tests beside the end-to-end one.

    They are named, as ``--ignore`` does not hold for a folder that ``testpaths`` names.
    """
    settings = tomllib.loads((root / "pyproject.toml").read_text())
    folders: list[str] = settings["tool"]["pytest"]["ini_options"]["testpaths"]
    return [folder for folder in folders if folder != END_TO_END]


def _pytest(arguments: list[str], output: int | None) -> subprocess.Popen[bytes]:
    command = [str(PYTHON), "-m", "pytest", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True, env=os.environ
    )


def _tell_while_waiting(console: Console, process: subprocess.Popen[bytes], log: Path) -> None:
    """A line a minute, so that nobody thinks it hangs."""
    started = time.monotonic()
    while process.poll() is None:
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            lines = log.read_text().strip().splitlines()
            waited = f"waiting for the end-to-end tests, {time.monotonic() - started:.0f} s"
            console.print(f"{waited}: {lines[-1][:60] if lines else ''}", markup=False)


def _end(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C would: pytest ends its servers before it ends itself."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(120)
