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

from emulator.sql.delta_log import DeltaLog
from emulator.sql.session import table_names

log = logging.getLogger(__name__)
SUFFIX = ".db"


def remove_unfinished_tables(spark: Any, warehouse: Path) -> list[str]:
    """Remove what is left of them; their names. Nothing may be making a table meanwhile."""
    removed = []
    for schema in sorted(warehouse.glob(f"*{SUFFIX}")):
        # A log that goes on after its first commit, or begins later, is that of a table.
        never_changed = [folder for folder in _folders(schema) if DeltaLog(folder).latest <= 0]
        if not never_changed:
            continue
        name = schema.name.removesuffix(SUFFIX)
        known = table_names(spark, name)
        for folder in never_changed:
            if folder.name.lower() not in known:
                log.warning("removed %s: making it was cut short", folder)
                shutil.rmtree(folder)
                removed.append(f"{name}.{folder.name}")
    return removed


def _folders(schema: Path) -> Iterator[Path]:
    return (folder for folder in sorted(schema.iterdir()) if folder.is_dir())
