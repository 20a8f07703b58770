"""What the workspace asks of a task process: function(spark, plain arguments) -> plain value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MODULE = __name__


def refresh_monitor(
    spark: Any, monitor: dict[str, Any], at_ms: int, seen: dict[str, Any] | None
) -> dict[str, Any]:
    """Compute a quality monitor's metric tables."""
    from emulator.services.monitoring.engine import refresh

    return refresh(spark, monitor, now=datetime.fromtimestamp(at_ms / 1000, UTC), seen=seen)


def import_system_tables(spark: Any, folder: str, progress: Callable[[str], None]) -> Any:
    """Bring a folder of Parquet files per system table into the workspace's catalog."""
    from emulator.account.loader import import_folder

    return import_folder(spark, Path(folder), target_catalog="spark_catalog", progress=progress)
