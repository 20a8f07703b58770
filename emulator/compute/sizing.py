"""How Spark runs queries over data of some size: compiled or interpreted, cut in two or whole.

To compile each query to Java of its own is worth it on many rows. On a small account it is a third
of all work: a hundred tables have a thousand plans, none of which runs twice on enough rows
(docs/decisions/0018-interpreted.md). A task that ran before has few new rows on larger ones, too.
To cut a query in two is worth it where one is larger than all that run beside it; each half
unpacks, compiles and opens files for itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

COMPILED_FROM = 12 * 2**20
"""Bytes of Parquet from which on compiling costs less than it saves, in tasks that are new."""
CUT_FROM = 512 * 2**20
"""Bytes of Parquet from which on two cores are given to one query, and all tasks compile."""


def settings_for(data: Path, *, repeats: bool = False) -> dict[str, str]:
    """Spark's settings for queries over the tables or files below a folder.

    ``repeats`` says that they belong to a task that has succeeded before.
    """
    size = _parquet_bytes(data)
    compiled_from = CUT_FROM if repeats else COMPILED_FROM
    parts = "2" if size >= CUT_FROM else "1"
    return {
        "spark.sql.codegen.factoryMode": "FALLBACK" if size >= compiled_from else "NO_CODEGEN",
        "spark.sql.shuffle.partitions": parts,
        "spark.sql.files.minPartitionNum": parts,
    }


def adapt(session: Any, data: Path, *, repeats: bool = False) -> None:
    """Let a session run its queries as suits the size of what it will read."""
    for key, value in settings_for(data, repeats=repeats).items():
        session.conf.set(key, value)


def _parquet_bytes(folder: Path) -> int:
    size = 0
    for file in folder.rglob("*.parquet"):
        try:
            size += file.stat().st_size
        except FileNotFoundError:  # A table that is being dropped.
            continue
    return size
