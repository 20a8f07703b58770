"""Accounts that are simulated once for all tests that only read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.emulator.account_files import opened, simulated

# When each warehouse ran, by its events: from RUNNING until STOPPING.
RUNNING = """
    CREATE TEMP TABLE running AS
    WITH points AS (
        SELECT *, lead(event_time) OVER (PARTITION BY workspace_id, warehouse_id
            ORDER BY event_time) AS next_time FROM compute_warehouse_events)
    SELECT workspace_id, warehouse_id, event_time AS starts,
           coalesce(next_time, date_trunc('day', event_time) + INTERVAL 2 DAY) AS ends
    FROM points WHERE event_type IN ('RUNNING', 'SCALED_UP', 'SCALED_DOWN')
"""
# What the bill says of each hour of a cluster or warehouse.
BILLED = """
    CREATE TEMP TABLE billed AS
    SELECT workspace_id, coalesce(usage_metadata.warehouse_id, usage_metadata.cluster_id) AS id,
           billing_origin_product AS product, date_trunc('hour', usage_start_time) AS hour,
           min(usage_start_time) AS starts, max(usage_end_time) AS ends
    FROM billing_usage
    WHERE usage_start_time < usage_end_time AND record_type = 'ORIGINAL'
      AND (usage_metadata.warehouse_id IS NOT NULL OR usage_metadata.cluster_id IS NOT NULL)
    GROUP BY ALL
"""
RUNS = """
    CREATE TEMP TABLE runs AS
    SELECT workspace_id, job_id, run_id, run_type, compute_ids, min(period_start_time) AS starts,
           max(period_end_time) AS ends, count(result_state) AS attempts, count(*) AS slices,
           arg_max(result_state, period_end_time) AS state
    FROM lakeflow_job_run_timeline GROUP BY ALL
"""


@pytest.fixture(scope="session")
def sixty_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty days, with about 20,000 usage rows."""
    return simulated(tmp_path_factory.mktemp("account") / "sixty", days=60, rows=20_000)


@pytest.fixture(scope="session")
def small_account(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen days, with 2,000 usage rows."""
    return simulated(tmp_path_factory.mktemp("account") / "small", days=16, rows=2000, seed=11)


@pytest.fixture(scope="module", params=["sixty_days", "small_account"])
def account(request: pytest.FixtureRequest) -> Iterator[duckdb.DuckDBPyConnection]:
    """An account, with its runs, the hours of its bill and the times of its warehouses."""
    path: Path = request.getfixturevalue(request.param)
    with opened(path) as connection:
        for query in (RUNNING, BILLED, RUNS):
            connection.execute(query)
        yield connection
