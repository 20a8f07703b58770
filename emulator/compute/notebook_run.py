"""Runs a notebook's cells in one namespace, as a Databricks notebook does."""

from __future__ import annotations

import ast
import linecache
import posixpath
import re
import shlex
import signal
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emulator.compute.context import TaskContext
from emulator.compute.dbutils import DbUtils, NotebookExit
from emulator.compute.display import display, display_html
from emulator.compute.notebooks import Cell, NotebookError, parse_notebook
from emulator.compute.sql_script import run_script

_MENTIONS_SPARK = re.compile(r"\bspark\b")


def run_notebook(
    context: TaskContext, path: str, parameters: dict[str, str], timeout_seconds: int = 0
) -> str | None:
    """Run the notebook; what it gave to ``dbutils.notebook.exit``, or None."""
    run = _NotebookRun(context, parameters)
    try:
        with _time_limit(path, timeout_seconds):
            run.run(_absolute(path, "/Workspace"))
    except NotebookExit as exit_:
        return exit_.value
    return None


class _NotebookRun:
    def __init__(self, context: TaskContext, parameters: dict[str, str]) -> None:
        self._context = context
        self._dbutils = DbUtils(context, parameters, self._run_other)
        self._folders = ["/Workspace"]
        module = types.ModuleType("__main__")
        self._names = module.__dict__
        self._names.update(dbutils=self._dbutils, display=display, displayHTML=display_html)
        # Classes of the notebook say that they belong to __main__, and look there for names.
        sys.modules["__main__"] = module

    def run(self, path: str) -> None:
        """Run all cells of the notebook at this absolute workspace path."""
        source = _read(self._context, path)
        cells = parse_notebook(source, path)
        linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
        folder = posixpath.dirname(path)
        self._folders.append(folder)
        if folder not in sys.path:
            sys.path.append(folder)
        for cell in cells:
            self._run_cell(cell, path)
        self._folders.pop()

    def _run_cell(self, cell: Cell, path: str) -> None:
        if cell.language == "python":
            self._run_python(cell, path)
        elif cell.language == "sql":
            self._offer_spark()
            values = self._dbutils.widgets.getAll()
            frame = run_script(self._context.session(), cell.text, values, show=True)
            self._names["_sqldf"] = frame
        elif cell.language == "run":
            self._run_included(cell, path)
        elif cell.language == "pip":
            self._context.environment.install(_pip_requirements(cell, path))

    def _run_python(self, cell: Cell, path: str) -> None:
        if _MENTIONS_SPARK.search(cell.text):
            self._offer_spark()
        above = "\n" * (cell.first_line - 1)  # so that errors name the line in the notebook
        tree = ast.parse(above + cell.text, path)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, path, "exec"), self._names)  # noqa: S102 - a notebook is code
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), path, "eval"), self._names)  # noqa: S307
            if value is not None:
                print(repr(value))

    def _offer_spark(self) -> None:
        if "spark" not in self._names:
            session = self._context.session()
            self._names.update(spark=session, sql=session.sql, table=session.table)

    def _run_included(self, cell: Cell, path: str) -> None:
        words = shlex.split(cell.text)
        if not words:
            raise NotebookError(f"{path}, cell {cell.number}: %run names no notebook")
        values = {}
        for word in words[1:]:
            name, equals, value = word.removeprefix("$").partition("=")
            if not equals or not word.startswith("$"):
                raise NotebookError(f"{path}, cell {cell.number}: expected $name=value, not {word}")
            values[name] = value
        self._dbutils.widgets.give(values)
        self.run(_absolute(words[0], self._folders[-1]))

    def _run_other(self, path: str, timeout_seconds: int, arguments: dict[str, str]) -> str:
        own_main = sys.modules["__main__"]
        try:
            target = _absolute(path, self._folders[-1])
            return run_notebook(self._context, target, arguments, timeout_seconds) or ""
        finally:
            sys.modules["__main__"] = own_main


def _absolute(path: str, folder: str) -> str:
    if path.startswith("/"):
        full = path if path.startswith("/Workspace/") else f"/Workspace{path}"
    else:
        full = posixpath.join(folder, path)
    return posixpath.normpath(full)


def _read(context: TaskContext, path: str) -> str:
    file = context.real_path(path)
    if file.is_dir():
        raise NotebookError(f"{path} is a folder, not a notebook")
    if not file.is_file():
        raise NotebookError(f"Unable to access the notebook {path!r}: it does not exist")
    return file.read_text()


def _pip_requirements(cell: Cell, path: str) -> list[str]:
    words = shlex.split(cell.text)
    options = [word for word in words[1:] if word.startswith("-") and word not in ("-q", "--quiet")]
    if not words or words[0] != "install" or options:
        raise NotebookError(
            f"{path}, cell {cell.number}: only '%pip install <requirement> ...' runs here"
        )
    return [word for word in words[1:] if not word.startswith("-")]


@contextmanager
def _time_limit(path: str, seconds: int) -> Iterator[None]:
    if seconds <= 0:
        yield
        return

    def ring(_signal: int, _frame: object) -> None:
        raise TimeoutError(f"{path} did not end within {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def enter_folder(path: str) -> None:
    """Make the notebook's folder the current one, as Databricks does."""
    import os

    folder = Path(posixpath.dirname(_absolute(path, "/Workspace")))
    if folder.is_dir():
        os.chdir(folder)
