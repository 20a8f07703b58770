"""The kinds of task that are not notebooks: wheels, scripts, SQL files, pipelines, modules."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import sys
import types
from importlib import metadata
from typing import Any

from emulator.compute.context import TaskContext
from emulator.compute.sql_script import run_script


class ProgramError(RuntimeError):
    """The program that a task names is not there; the message says what is missing."""


def run_wheel(context: TaskContext) -> None:
    """Call the entry point of the package, as ``python_wheel_task`` does."""
    payload = context.spec.payload
    package, entry_point = payload["package_name"], payload["entry_point"]
    function = _entry_point(package, entry_point)
    named = payload.get("named_parameters") or {}
    arguments = payload.get("parameters") or [f"--{key}={value}" for key, value in named.items()]
    sys.argv = [package, *map(str, arguments)]
    # Processes that the code starts import the main module anew; the runner is not theirs.
    sys.modules["__main__"] = types.ModuleType("__main__")
    function()


def _entry_point(package: str, name: str) -> Any:
    try:
        distribution = metadata.distribution(package)
    except metadata.PackageNotFoundError as error:
        raise ProgramError(
            f"package {package} is not installed: does the task's environment name its wheel?"
        ) from error
    found = [entry for entry in distribution.entry_points if entry.name == name]
    if found:
        return found[0].load()
    # Without such an entry point Databricks calls the function of that name in the package.
    module = importlib.import_module(package)
    if not callable(getattr(module, name, None)):
        known = ", ".join(sorted(entry.name for entry in distribution.entry_points)) or "none"
        raise ProgramError(f"package {package} has no entry point {name}; it has: {known}")
    return getattr(module, name)


def run_script_file(context: TaskContext) -> None:
    """Run a Python file of the workspace as ``__main__``."""
    path = context.spec.payload["python_file"]
    file = context.real_path(path)
    if not file.is_file():
        raise ProgramError(f"no such Python file: {path}")
    sys.argv = [path, *map(str, context.spec.payload.get("parameters") or [])]
    sys.path.insert(0, str(file.parent))
    module = types.ModuleType("__main__")
    module.__file__ = path
    sys.modules["__main__"] = module
    code = compile(file.read_text(), str(file), "exec")
    exec(code, module.__dict__)  # noqa: S102 - running the file is the task


def run_sql(context: TaskContext) -> None:
    """Run the statements of a SQL file, or of a query's text."""
    payload = context.spec.payload
    text = payload.get("text")
    if text is None:
        file = context.real_path(payload["path"])
        if not file.is_file():
            raise ProgramError(f"no such SQL file: {payload['path']}")
        text = file.read_text()
    run_script(context.session(), text, payload.get("parameters") or {}, show=True)


def run_module(context: TaskContext) -> Any:
    """Call a function of the emulator's own: ``function(spark, **arguments)``."""
    payload = context.spec.payload
    function = getattr(importlib.import_module(payload["module"]), payload["function"])
    arguments = dict(payload.get("arguments") or {})
    if "progress" in inspect.signature(function).parameters:
        arguments["progress"] = print
    return _plain(function(context.session(), **arguments))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return value
