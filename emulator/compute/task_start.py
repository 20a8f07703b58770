"""The first steps of a task's process: a copy of one that has imported what tasks need."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from emulator.compute.spec import TaskFolder


def begin_task(folder: str, variables: Mapping[str, str], control: socket.socket) -> None:
    """Make the copy a process of its own, then run the task of this folder."""
    os.setsid()
    # A daemonic process may have no children; a task may.
    multiprocessing.current_process().daemon = False
    _redirect(TaskFolder(Path(folder)).log)
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()
    os.chdir(folder)
    _draw_anew()

    from emulator.compute.task import main

    _forget_foreign_paths()
    try:
        main(folder, control)
    finally:
        atexit._run_exitfuncs()


def _redirect(file: Path) -> None:
    with Path(os.devnull).open("rb") as nothing, file.open("ab") as log:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)


def _draw_anew() -> None:
    # Python draws its own random numbers anew in a copy; numpy would repeat those of the others.
    import numpy as np

    np.random.seed()


def _forget_foreign_paths() -> None:
    # The emulator's checkout may hold other packages; code of a task must not find them there.
    roots = tuple(Path(place).resolve() for place in (sys.prefix, sys.base_prefix))

    def is_pythons(entry: str) -> bool:
        return any(Path(entry).resolve().is_relative_to(root) for root in roots)

    sys.path[:] = [entry for entry in sys.path if is_pythons(entry)]
