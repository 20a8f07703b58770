"""Refreshes the quality monitors that were deployed."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from health_monitor.runtime import said

if TYPE_CHECKING:
    from databricks.sdk.service.catalog import QualityMonitorsAPI

POLL_SECONDS = 2.0
MOST = timedelta(minutes=60)


class MonitorError(RuntimeError):
    """A monitor could not be brought up to date."""


def refresh(tables: list[str], catalog: str) -> None:
    """Refresh the monitors that some of the tables have; all failures in one error."""
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors import NotFound

    monitors = WorkspaceClient().quality_monitors
    failures = []
    for table in tables:
        name = f"{catalog}.{table}"
        try:
            monitors.get(name)
        except NotFound:
            continue
        started = time.monotonic()
        state, message = _refresh(monitors, name)
        said(name, started, monitor=state)
        if state != "SUCCESS":
            failures.append(f"{name}: {state}: {message or 'no message'}")
    if failures:
        raise MonitorError("\n".join(failures))


def _refresh(monitors: QualityMonitorsAPI, table: str) -> tuple[str, str | None]:
    """Refresh one monitor and wait for its end."""
    from databricks.sdk.service.catalog import MonitorRefreshInfoState as State

    deadline = time.monotonic() + MOST.total_seconds()
    run = monitors.run_refresh(table)
    while run.state in (None, State.PENDING, State.RUNNING, State.UNKNOWN):
        if run.refresh_id is None:
            raise MonitorError(f"{table}: the workspace gave the refresh no id")
        if time.monotonic() > deadline:
            return "TIMED_OUT", f"still {run.state} after {MOST}"
        time.sleep(POLL_SECONDS)
        run = monitors.get_refresh(table, run.refresh_id)
    return str(run.state.value), run.message
