"""Whether Spark compiles each query to Java of its own, or interprets it.

To compile is worth it on many rows. On a small account it is a third of all work: a hundred tables
have a thousand plans, none of which runs twice on enough rows (docs/decisions/0018-interpreted.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

COMPILED_FROM = 12 * 2**20
"""Bytes of Parquet from which on compiling costs less than it saves."""


def settings_for(data: Path) -> dict[str, str]:
    """Spark's settings for queries over the tables or files below a folder."""
    if _parquet_bytes(data) < COMPILED_FROM:
        mode, whole_stage = "NO_CODEGEN", "false"
    else:
        mode, whole_stage = "FALLBACK", "true"
    return {
        "spark.sql.codegen.factoryMode": mode,
        "spark.sql.codegen.wholeStage": whole_stage,
    }


def adapt(session: Any, data: Path) -> None:
    """Let a session compile its queries, or not, by the size of what it will read."""
    for key, value in settings_for(data).items():
        session.conf.set(key, value)


def _parquet_bytes(folder: Path) -> int:
    size = 0
    for file in folder.rglob("*.parquet"):
        try:
            size += file.stat().st_size
        except FileNotFoundError:  # A table that is being dropped.
            continue
    return size
