"""Runs a command and ends it when the process that asked for it is gone, even by SIGKILL.

``python -I guard.py PARENT_PID -- command ...``; standard library only, so that it starts fast.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

CHECK_SECONDS = 0.25
GRACE_SECONDS = 5.0


def guarded(command: list[str], parent: int | None = None) -> list[str]:
    """The command line that runs ``command`` under a guard of this process."""
    pid = os.getpid() if parent is None else parent
    return [sys.executable, "-I", str(Path(__file__).resolve()), str(pid), "--", *command]


def main(arguments: list[str]) -> int:
    """Run the command until it ends, the parent ends, or this process is told to end."""
    parent, command = int(arguments[0]), arguments[2:]
    asked_to_end = False

    def note(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked_to_end
        asked_to_end = True

    signal.signal(signal.SIGTERM, note)
    signal.signal(signal.SIGINT, note)
    child = subprocess.Popen(command, start_new_session=True)
    while child.poll() is None:
        if asked_to_end or os.getppid() != parent:
            _end_group(child)
            break
        time.sleep(CHECK_SECONDS)
    code = child.wait()
    return code if code >= 0 else 128 - code


def _end_group(child: subprocess.Popen[bytes]) -> None:
    _signal_group(child.pid, signal.SIGTERM)
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        _signal_group(child.pid, signal.SIGKILL)


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
