"""Tables whose making was cut short: Delta wrote their folder, the metastore never heard of them.

On Databricks a table is there or not. Here Spark may be killed between the two, and then refuses to
make the table again, since its place is not empty.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emulator.settings import CATALOG
from emulator.sql.names import quote

log = logging.getLogger(__name__)
SUFFIX = ".db"


def remove_unfinished_tables(spark: Any, warehouse: Path) -> list[str]:
    """Remove what is left of them; their names. Nothing may be making a table meanwhile."""
    removed = []
    for schema in sorted(warehouse.glob(f"*{SUFFIX}")):
        never_changed = [folder for folder in _folders(schema) if not _was_changed(folder)]
        if not never_changed:
            continue
        name = schema.name.removesuffix(SUFFIX)
        found = spark.sql(f"SHOW TABLES IN {CATALOG}.{quote(name)}").collect()
        known = {row.tableName.lower() for row in found}
        for folder in never_changed:
            if folder.name.lower() not in known:
                log.warning("removed %s: making it was cut short", folder)
                shutil.rmtree(folder)
                removed.append(f"{name}.{folder.name}")
    return removed


def _folders(schema: Path) -> Iterator[Path]:
    return (folder for folder in sorted(schema.iterdir()) if folder.is_dir())


def _was_changed(folder: Path) -> bool:
    """Whether its log goes on after the first commit, or begins later: then it was a table."""
    commits = folder.glob("_delta_log/" + "[0-9]" * 20 + ".json")
    return any(int(commit.stem) > 0 for commit in commits)
