"""``python -m emulator.compute.task FOLDER``: the process of one task.

Reads FOLDER/spec.json, runs it, writes FOLDER/result.json. What it prints is the task's log.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import emulator
from emulator.compute.context import TaskContext, give_sessions
from emulator.compute.dbutils import NotebookExit
from emulator.compute.failures import error_text, trimmed_trace
from emulator.compute.mounts import Mounts
from emulator.compute.processes import CONTROL_VARIABLE
from emulator.compute.runtime_modules import install_runtime_modules
from emulator.compute.spark_paths import map_spark_paths
from emulator.compute.spec import TaskFolder, TaskResult, TaskSpec, write_result
from emulator.settings import Settings

PARENT_CHECK_SECONDS = 0.5


def main(folder: str) -> None:
    """Run the task of this folder. The result file says how it went, not the exit code."""
    _end_with_parent()
    files = TaskFolder(Path(folder))
    spec = TaskSpec(**json.loads(files.spec.read_text()))
    context = TaskContext(Settings.from_environment(), spec, _control())
    _forget_own_path()
    result = _run(context)
    write_result(files, result)


def _run(context: TaskContext) -> TaskResult:
    try:
        context.environment.install(context.spec.dependencies)
        give_sessions(context)
        install_runtime_modules(context)
        mounts = Mounts(context.settings)
        mounts.install()
        map_spark_paths(mounts)
        value = _dispatch(context)
        return TaskResult("SUCCESS", value=value, task_values=context.task_values)
    except NotebookExit as error:
        return TaskResult("SUCCESS", value=error.value, task_values=context.task_values)
    except SystemExit as error:
        if error.code in (None, 0):
            return TaskResult("SUCCESS", task_values=context.task_values)
        return _failure(context, error)
    except KeyboardInterrupt as error:
        return _failure(context, error)
    except Exception as error:  # noqa: BLE001 - whatever user code raises is the task's result
        return _failure(context, error)
    finally:
        context.close()


def _failure(context: TaskContext, error: BaseException) -> TaskResult:
    trace = trimmed_trace(error)
    print(trace, file=sys.stderr, end="", flush=True)
    return TaskResult(
        "FAILED", error=error_text(error), error_trace=trace, task_values=context.task_values
    )


def _dispatch(context: TaskContext) -> Any:
    from emulator.compute import programs
    from emulator.compute.notebook_run import enter_folder, run_notebook

    spec = context.spec
    if spec.kind == "notebook":
        path = spec.payload["notebook_path"]
        enter_folder(path)
        return run_notebook(context, path, spec.payload.get("base_parameters") or {})
    if spec.kind == "pipeline":
        from emulator.compute.pipeline_task import run_pipeline

        return run_pipeline(context)
    runners = {
        "python_wheel": programs.run_wheel,
        "spark_python": programs.run_script_file,
        "sql": programs.run_sql,
        "module": programs.run_module,
    }
    return runners[spec.kind](context)


def _control() -> socket.socket:
    descriptor = int(os.environ.pop(CONTROL_VARIABLE))
    os.set_inheritable(descriptor, False)
    return socket.socket(fileno=descriptor)


def _forget_own_path() -> None:
    # The emulator's checkout may hold other packages; code of a task must not find them there.
    root = str(Path(emulator.__file__).parent.parent)
    sys.path[:] = [entry for entry in sys.path if entry not in ("", root)]
    os.environ.pop("PYTHONPATH", None)


def _end_with_parent() -> None:
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_SECONDS)
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()


if __name__ == "__main__":
    main(sys.argv[1])
