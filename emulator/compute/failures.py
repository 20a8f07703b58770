"""Shows a failure as its author would want it: their frames, not the runner's."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import pyspark

_HIDDEN = (
    str(Path(__file__).parent.parent),
    str(Path(pyspark.__file__).parent),
    "<frozen ",
)
_OWN_MODULE = re.compile(r"^emulator(\.\w+)*\.(?=[A-Z])", re.MULTILINE)
_JVM_STACK = re.compile(r"\n+JVM stacktrace:\n.*(\n\tat .*|\n\t\.\.\. .*|\nCaused by: .*)*")


def error_text(error: BaseException) -> str:
    """``ValueError: boom``, as runs/get-output says it."""
    kind = type(error)
    module = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
    text = f"{module}{kind.__qualname__}: {error}" if str(error) else f"{module}{kind.__qualname__}"
    return _shortened(text)


def trimmed_trace(error: BaseException) -> str:
    """The trace without frames of the emulator, of PySpark's inside, and of the JVM."""
    shown = traceback.TracebackException.from_exception(error)
    _trim(shown, set())
    return _shortened("".join(shown.format())) + "\n"


def _shortened(text: str) -> str:
    return _OWN_MODULE.sub("", _JVM_STACK.sub("", text)).strip()


def _trim(shown: traceback.TracebackException, seen: set[int]) -> None:
    if id(shown) in seen:
        return
    seen.add(id(shown))
    kept = [frame for frame in shown.stack if not frame.filename.startswith(_HIDDEN)]
    shown.stack = traceback.StackSummary.from_list(kept)
    for inner in (shown.__cause__, shown.__context__):
        if inner is not None:
            _trim(inner, seen)
