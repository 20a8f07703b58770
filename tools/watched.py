"""A command that a bench runs and looks at from outside."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from tools.console import DriverError

LAST_LINES = 15


def run_watched(
    command: list[str],
    folder: Path,
    variables: Mapping[str, str],
    log: Path,
    watch: Callable[[int], AbstractContextManager[None]],
) -> int:
    """Run a command, with what it says in a log, while ``watch`` of its pid; its exit code.

    The command ends with whoever runs it.
    """
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=output, stderr=output)
        try:
            with watch(process.pid):
                return process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise


def failed(what: str, log: Path) -> DriverError:
    """The error of a command that ended otherwise than it should, with its last lines."""
    tail = "\n".join(log.read_text().splitlines()[-LAST_LINES:])
    return DriverError(f"{what}:\n{tail}", str(log))
