"""Runs the statements of a SQL script in a task's session."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

ROWS = 20
_MARKER = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")


def run_script(session: Any, script: str, values: Mapping[str, str], *, show: bool) -> Any:
    """Run each statement in order; ``:name`` markers take their values from ``values``."""
    from emulator.sql.session import split_statements

    frame = None
    for statement in split_statements(script):
        named = {m: values[m] for m in _MARKER.findall(statement) if m in values}
        frame = session.sql(statement, named) if named else session.sql(statement)
        if show and frame.columns:
            frame.show(ROWS, truncate=False)
    return frame
