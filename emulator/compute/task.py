"""What the process of one task does.

Reads FOLDER/spec.json, runs it, writes FOLDER/result.json. What it prints is the task's log.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from emulator.compute.context import TaskContext, give_sessions
from emulator.compute.dbutils import NotebookExit
from emulator.compute.failures import error_text, trimmed_trace
from emulator.compute.mounts import Mounts
from emulator.compute.runtime_modules import install_runtime_modules
from emulator.compute.spark_paths import map_spark_paths
from emulator.compute.spec import TaskFolder, TaskResult, TaskSpec, write_result
from emulator.settings import Settings

OWNER_CHECK_SECONDS = 0.5


def main(folder: str, control: socket.socket) -> None:
    """Run the task of this folder. The result file says how it went, not the exit code."""
    _end_with_owner()
    files = TaskFolder(Path(folder))
    spec = TaskSpec(**json.loads(files.spec.read_text()))
    context = TaskContext(Settings.from_environment(), spec, control)
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


def _end_with_owner() -> None:
    """End this task's group when the workspace has ended, or the process it was forked from."""
    forked_from, owner = os.getppid(), multiprocessing.parent_process()
    if owner is None:
        raise RuntimeError("a task is started by a workspace")

    def watch() -> None:
        while os.getppid() == forked_from and owner.is_alive():
            time.sleep(OWNER_CHECK_SECONDS)
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="end-with-owner").start()
