"""Runs the pipeline's source files, so that they register their datasets."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.compute.pipelines.model import PipelineError, Source

NOTEBOOK_HEADER = "# Databricks notebook source"
_MAGIC = re.compile(r"^# MAGIC\s+%(?P<command>[A-Za-z-]+)")
_HARMLESS_MAGICS = {"md", "md-sandbox", "python"}


def run_source(source: Source, names: Mapping[str, Any]) -> None:
    """Execute one file; PipelineError names the file when it cannot be run at all."""
    if source.kind == "notebook":
        _check_notebook(source)
    try:
        code = compile(source.text, source.path, "exec")
    except SyntaxError as error:
        raise PipelineError(f"{source.path}:{error.lineno}: {error.msg}") from error
    folder = str(Path(source.path).parent)
    sys.path.insert(0, folder)
    try:
        exec(code, {"__name__": "__main__", "__file__": source.path, **names})  # noqa: S102
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _check_notebook(source: Source) -> None:
    lines = source.text.splitlines()
    if not lines or lines[0].strip() != NOTEBOOK_HEADER:
        raise PipelineError(
            f"{source.path}:1: a Python notebook's first line must be {NOTEBOOK_HEADER!r}"
        )
    for number, line in enumerate(lines, start=1):
        found = _MAGIC.match(line)
        if found and found.group("command") not in _HARMLESS_MAGICS:
            raise PipelineError(
                f"{source.path}:{number}: %{found.group('command')} cannot run in a pipeline"
            )
