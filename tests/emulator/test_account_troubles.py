"""Every labelled incident of running things can be seen in the system tables, and is rare there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from emulator.account.troubles import kinds
from tests.emulator.account_files import opened, value

# Of each kind: what shows it in the tables, for one incident i with its days and its entity.
SHOWN = {
    "failing_job": """
        SELECT min((state = 'FAILED')::INT) = 1 FROM runs r
        WHERE r.job_id = i.entity_id AND r.workspace_id = i.workspace_id
          AND day BETWEEN i.first_date AND i.last_date AND starts < ends AND is_own
    """,
    "job_timeouts": """
        SELECT min((state = 'TIMED_OUT')::INT) = 1 FROM runs r
        WHERE r.job_id = i.entity_id AND r.workspace_id = i.workspace_id
          AND day BETWEEN i.first_date AND i.last_date AND starts < ends AND is_own
    """,
    "retry_storm": """
        SELECT count(*) >= 3 AND count(*) FILTER (state = 'FAILED') = count(*) FROM runs r
        WHERE r.job_id = i.entity_id AND r.workspace_id = i.workspace_id
          AND day BETWEEN i.first_date AND i.last_date AND trigger_type = 'RETRY'
    """,
    "spot_loss": """
        SELECT avg((termination_code = 'CLOUD_FAILURE')::INT) > 0.5 AND
               (SELECT max(had - has) > 0 FROM nodes n
                WHERE n.cluster_id = i.entity_id AND n.workspace_id = i.workspace_id
                  AND n.day BETWEEN i.first_date AND i.last_date)
        FROM runs r WHERE r.workspace_id = i.workspace_id AND compute_ids = [i.entity_id]
          AND day BETWEEN i.first_date AND i.last_date AND is_own
    """,
    "pipeline_failures": """
        SELECT count(*) >= 5 * (i.last_date - i.first_date) FROM lakeflow_pipeline_update_timeline p
        WHERE p.pipeline_id = i.entity_id AND p.workspace_id = i.workspace_id
          AND p.period_start_time::DATE BETWEEN i.first_date AND i.last_date
          AND result_state = 'FAILED'
    """,
    "sla_slip": """
        SELECT arg_max(lasts, day) - arg_min(lasts, day) > 7000 FROM (
            SELECT day, max(epoch(ends - starts)) AS lasts FROM runs r
            WHERE r.job_id = i.entity_id AND r.workspace_id = i.workspace_id AND is_own
              AND day BETWEEN i.first_date AND i.last_date GROUP BY ALL)
    """,
    "spilling_query": """
        SELECT max(spills) FROM (SELECT count(*) >= 3 AND min(spilled_local_bytes) > 0 AS spills
            FROM query_history q WHERE q.compute.warehouse_id = i.entity_id
              AND q.workspace_id = i.workspace_id AND NOT from_result_cache
              AND q.start_time::DATE BETWEEN i.first_date AND i.last_date
            GROUP BY regexp_replace(statement_text, '[0-9]+', '?', 'g'))
    """,
    "slow_query": """
        SELECT max(slower) FROM (
            SELECT median(execution_duration_ms) FILTER (is_then)
                 > 3 * median(execution_duration_ms) FILTER (NOT is_then) AS slower
            FROM (SELECT *, start_time::DATE BETWEEN i.first_date AND i.last_date AS is_then
                  FROM query_history WHERE NOT from_result_cache) q
            WHERE q.compute.warehouse_id = i.entity_id AND q.workspace_id = i.workspace_id
            GROUP BY regexp_replace(statement_text, '[0-9]+', '?', 'g')
            HAVING count(*) FILTER (is_then) >= 3)
    """,
    "warehouse_queueing": """
        SELECT avg(waiting_at_capacity_duration_ms) > 15000 AND
               (SELECT min(max_clusters) = 1 FROM compute_warehouses w
                WHERE w.warehouse_id = i.entity_id AND w.workspace_id = i.workspace_id
                  AND w.change_time::DATE = i.first_date)
        FROM query_history q WHERE q.compute.warehouse_id = i.entity_id
          AND q.workspace_id = i.workspace_id
          AND q.start_time::DATE BETWEEN i.first_date AND i.last_date
    """,
    "stuck_cluster": """
        SELECT sum(minutes) > 30 AND max(cpu) < 20 AND count(r.run_id) = 0
           AND min(auto_termination_minutes) FILTER (change_time::DATE = i.first_date) = 0
        FROM nodes n
        JOIN compute_clusters c USING (workspace_id, cluster_id)
        LEFT JOIN runs r ON r.workspace_id = n.workspace_id AND r.compute_ids = [n.cluster_id]
         AND r.day = n.day
        WHERE n.cluster_id = i.entity_id AND n.workspace_id = i.workspace_id
          AND n.day BETWEEN i.first_date AND i.last_date
    """,
    "undersized_cluster": """
        SELECT count(*) > 30 AND min(mem_used_percent) > 80 AND avg(mem_swap_percent) > 5
        FROM compute_node_timeline n WHERE n.cluster_id = i.entity_id
          AND n.workspace_id = i.workspace_id
          AND n.start_time::DATE BETWEEN i.first_date AND i.last_date
    """,
    "untagged_spender": """
        SELECT count(*) > 0 AND count(custom_tags) = 0 FROM billing_usage u
        WHERE u.usage_metadata.job_id = i.entity_id AND u.workspace_id = i.workspace_id
          AND u.usage_date BETWEEN i.first_date AND i.last_date
    """,
}


@pytest.fixture(scope="module")
def account(sixty_days: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(sixty_days) as connection:
        connection.execute("""
            CREATE TEMP TABLE runs AS
            SELECT workspace_id, job_id, run_id, trigger_type, compute_ids,
                   run_type = 'JOB_RUN' AS is_own,
                   min(period_start_time) AS starts, max(period_end_time) AS ends,
                   min(period_start_time)::DATE AS day,
                   arg_max(result_state, period_end_time) AS state,
                   arg_max(termination_code, period_end_time) AS termination_code
            FROM lakeflow_job_run_timeline GROUP BY ALL
        """)
        # How many nodes a cluster had in an hour, and how many at the same time.
        connection.execute("""
            CREATE TEMP TABLE nodes AS
            WITH minutes AS (
                SELECT workspace_id, cluster_id, start_time, count(*) AS nodes
                FROM compute_node_timeline GROUP BY ALL)
            SELECT n.workspace_id, n.cluster_id, n.start_time::DATE AS day,
                   date_trunc('hour', n.start_time) AS hour, count(*) AS minutes,
                   count(DISTINCT instance_id) AS had, max(nodes) AS has,
                   max(cpu_user_percent) AS cpu
            FROM compute_node_timeline n JOIN minutes USING (workspace_id, cluster_id, start_time)
            GROUP BY ALL
        """)
        yield connection


@pytest.mark.parametrize("kind", SHOWN)
def test_what_is_labelled_shows(account: duckdb.DuckDBPyConnection, kind: str) -> None:
    """All that is over, so that its rows have come."""
    found = account.execute(f"""
        SELECT incident_id, ({SHOWN[kind]}) FROM truth_incidents i
        WHERE kind = '{kind}' AND last_date < (SELECT max(usage_date) - 3 FROM billing_usage)
    """).fetchall()
    assert len(found) >= 2
    assert [incident for incident, shows in found if shows is not True] == []


def test_all_kinds_are_tested() -> None:
    assert set(SHOWN) == set(kinds())


@pytest.mark.parametrize(
    ("what", "most", "query"),
    [
        (
            "jobs that fail all day, of which there are runs",
            0.02,
            """SELECT avg((failed = n)::INT) FROM (SELECT count(*) AS n, count(*) FILTER
               (state = 'FAILED') AS failed FROM runs GROUP BY workspace_id, job_id, day
               HAVING n > 1)""",
        ),
        (
            "statements that wait for half a minute",
            0.05,
            "SELECT avg((waiting_at_capacity_duration_ms > 30000)::INT) FROM query_history",
        ),
        (
            "statements that spill",
            0.12,
            "SELECT avg((spilled_local_bytes > 0)::INT) FROM query_history",
        ),
        (
            "runs that lose their nodes",
            0.03,
            "SELECT avg((termination_code = 'CLOUD_FAILURE')::INT) FROM runs",
        ),
    ],
)
def test_trouble_is_rare(
    account: duckdb.DuckDBPyConnection, what: str, most: float, query: str
) -> None:
    assert value(account, query) < most, what


def test_small_accounts_have_every_kind(small_account: Path) -> None:
    """Sixteen days are enough to see all of them begin."""
    with opened(small_account) as connection:
        found = connection.execute("SELECT DISTINCT kind FROM truth_incidents").fetchall()
    assert set(kinds()) <= {kind for (kind,) in found}
