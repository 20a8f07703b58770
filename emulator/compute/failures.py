"""Shows a failure as its author would want it: their frames, not the runner's."""

from __future__ import annotations

import traceback
from pathlib import Path

import pyspark

_HIDDEN = (
    str(Path(__file__).parent.parent),
    str(Path(pyspark.__file__).parent),
    "<frozen ",
)


def error_text(error: BaseException) -> str:
    """``ValueError: boom``, as runs/get-output says it."""
    return "".join(
        traceback.TracebackException.from_exception(error).format_exception_only()
    ).strip()


def trimmed_trace(error: BaseException) -> str:
    """The trace without frames of the emulator and of PySpark's inside."""
    shown = traceback.TracebackException.from_exception(error)
    _trim(shown, set())
    return "".join(shown.format())


def _trim(shown: traceback.TracebackException, seen: set[int]) -> None:
    if id(shown) in seen:
        return
    seen.add(id(shown))
    kept = [frame for frame in shown.stack if not frame.filename.startswith(_HIDDEN)]
    shown.stack = traceback.StackSummary.from_list(kept)
    for inner in (shown.__cause__, shown.__context__):
        if inner is not None:
            _trim(inner, seen)
