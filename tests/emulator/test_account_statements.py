"""Warehouses, their statements and the seconds that they were busy agree with the bill."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from emulator.account.simulate import next_day
from tests.emulator.account_files import nothing, simulated, value


def test_warehouse_events_agree_with_the_bill(account: duckdb.DuckDBPyConnection) -> None:
    """Hour by hour the seconds from RUNNING until STOPPING are those that are billed."""
    account.execute("""
        CREATE OR REPLACE TEMP TABLE compared AS
        WITH ran AS (
            SELECT workspace_id, warehouse_id AS id, h.hour, sum(epoch(
                least(ends, h.hour + INTERVAL 1 HOUR) - greatest(starts, h.hour))) AS seconds
            FROM running, LATERAL (SELECT unnest(generate_series(date_trunc('hour', starts),
                date_trunc('hour', ends - INTERVAL 1 SECOND), INTERVAL 1 HOUR)) AS hour) h
            GROUP BY ALL)
        SELECT b.*, r.seconds, epoch(b.ends - b.starts) AS billed_seconds
        FROM (FROM billed WHERE product = 'SQL') b FULL JOIN ran r USING (workspace_id, id, hour)
        WHERE coalesce(b.hour, r.hour) < (SELECT max(hour) - INTERVAL 6 DAY FROM billed)
    """)
    silent = account.execute("""
        SELECT DISTINCT workspace_id, id FROM billed
        WHERE product = 'SQL' AND id NOT IN (SELECT warehouse_id FROM compute_warehouse_events)
    """).fetchall()
    assert len(silent) == 1
    known = f"id <> '{silent[0][1]}'"
    assert value(account, f"SELECT count(*) FROM compared WHERE {known}") > 50
    nothing(account, f"FROM compared WHERE {known} AND seconds IS DISTINCT FROM billed_seconds")
    types = value(account, "SELECT count(DISTINCT event_type) FROM compute_warehouse_events")
    assert types == 6


def test_statements_run_while_their_warehouse_does(account: duckdb.DuckDBPyConnection) -> None:
    account.execute("""
        CREATE OR REPLACE TEMP TABLE spans AS
        WITH marked AS (SELECT *, starts > lag(ends) OVER (PARTITION BY workspace_id, warehouse_id
                        ORDER BY starts) AS is_new FROM running),
        numbered AS (SELECT *, count_if(is_new) OVER (PARTITION BY workspace_id, warehouse_id
                     ORDER BY starts) AS span FROM marked)
        SELECT workspace_id, warehouse_id, min(starts) AS starts, max(ends) AS ends
        FROM numbered GROUP BY workspace_id, warehouse_id, span
    """)
    settled = "q.start_time < (SELECT max(start_time) - INTERVAL 4 DAY FROM query_history)"
    heard = "q.compute.warehouse_id IN (SELECT warehouse_id FROM compute_warehouse_events)"
    assert value(account, f"SELECT count(*) FROM query_history q WHERE {settled} AND {heard}") > 100
    nothing(account, "SELECT * FROM query_history q ANTI JOIN spans s"
             " ON s.workspace_id = q.workspace_id AND s.warehouse_id = q.compute.warehouse_id"
             " AND q.start_time >= s.starts AND q.end_time <= s.ends"
             f" WHERE {settled} AND {heard}")  # fmt: skip
    nothing(account, "SELECT * FROM query_history q JOIN runs r ON q.workspace_id = r.workspace_id"
             " AND q.query_source.job_info.job_run_id = r.run_id"
             " WHERE q.start_time < r.starts OR q.end_time > r.ends")  # fmt: skip


@pytest.mark.parametrize(
    ("what", "least", "condition"),
    [
        ("cached", 15, "from_result_cache AND total_task_duration_ms = 0 AND read_bytes = 0"),
        ("cached elsewhere", 15, "from_result_cache AND cache_origin_statement_id <> statement_id"),
        ("queued", 10, "waiting_at_capacity_duration_ms > 0"),
        ("woke compute", 3, "waiting_for_compute_duration_ms > 0"),
        ("spilled", 5, "spilled_local_bytes > 0"),
        ("failed", 5, "execution_status = 'FAILED' AND error_message IS NOT NULL"),
        ("canceled", 2, "execution_status = 'CANCELED'"),
        ("with other rights", 8, "executed_by <> executed_as"),
        ("of a job", 20, "query_source.job_info.job_run_id IS NOT NULL"),
        ("of a dashboard", 50, "query_source.dashboard_id IS NOT NULL"),
        ("of Genie", 10, "query_source.genie_space_id IS NOT NULL"),
        ("of an alert", 5, "query_source.alert_id IS NOT NULL"),
        ("of a notebook", 10, "query_source.notebook_id IS NOT NULL"),
        ("serverless", 20, "compute.type = 'SERVERLESS_COMPUTE' AND compute.warehouse_id IS NULL"),
        ("written", 10, "written_bytes > 0"),
        ("revised", 3, "update_time > end_time + INTERVAL 2 HOUR"),
    ],
)
def test_statements_of_every_kind(
    account: duckdb.DuckDBPyConnection, what: str, least: int, condition: str
) -> None:
    found = value(account, f"SELECT count(*) FROM query_history WHERE {condition}")
    assert found >= least, what


def test_statements_add_up(account: duckdb.DuckDBPyConnection) -> None:
    nothing(account, """
        FROM query_history WHERE total_duration_ms <> waiting_for_compute_duration_ms
            + waiting_at_capacity_duration_ms + compilation_duration_ms + execution_duration_ms
            OR end_time - start_time <> to_milliseconds(total_duration_ms)
            OR update_time < end_time
    """)  # fmt: skip
    nothing(
        account,
        "SELECT * FROM query_history q ANTI JOIN query_history o"
        " ON q.cache_origin_statement_id = o.statement_id AND NOT o.from_result_cache"
        " WHERE q.from_result_cache"
        " AND q.start_time < (SELECT max(start_time) - INTERVAL 4 DAY FROM query_history)",
    )


def test_statements_are_revised_for_some_days(tmp_path: Path) -> None:
    """A row that is there may say something else a day later, and says when it was changed."""
    account = simulated(tmp_path / "a", days=6, rows=9000)
    history = account / "tables" / "query.history"
    before = tmp_path / "before"
    shutil.copytree(history, before)
    next_day(account)
    with duckdb.connect() as connection:
        for name, folder in (("old", before), ("new", history)):
            rows = f"FROM read_parquet('{folder}/*.parquet', union_by_name = true)"
            connection.execute(f"CREATE VIEW {name} AS {rows}")
        kept = value(connection, "SELECT count(*) FROM old JOIN new USING (statement_id)")
        assert kept == value(connection, "SELECT count(*) FROM old")
        changed = connection.execute("""
            SELECT max(o.end_time)::DATE - min(o.end_time)::DATE, count(*),
                   bool_and(n.update_time > o.update_time), bool_or(n.total_task_duration_ms
                   > o.total_task_duration_ms), bool_and(o.result_fetch_duration_ms IS NULL)
            FROM old o JOIN new n USING (statement_id) WHERE o.update_time <> n.update_time
        """).fetchall()
        days, rows, later, heavier, unfetched = changed[0]
        assert rows >= 1
        assert days <= 3
        assert (later, heavier, unfetched) == (True, True, True)
        late = "SELECT count(*) FROM new ANTI JOIN old USING (statement_id)"
        today = "(SELECT max(start_time)::DATE FROM new)"
        assert value(connection, f"{late} WHERE start_time::DATE < {today}") >= 1


def test_busy_seconds_are_those_of_the_tables(account: duckdb.DuckDBPyConnection) -> None:
    """The union of what ran in an hour, asked of runs and statements, is what the truth says."""
    account.execute("""
        CREATE OR REPLACE TEMP TABLE unions AS
        WITH busy AS (
            SELECT workspace_id, compute.warehouse_id AS id, end_time AS ends,
                   end_time - to_milliseconds(execution_duration_ms) AS starts
            FROM query_history WHERE compute.warehouse_id IS NOT NULL AND execution_duration_ms > 0
            UNION ALL
            SELECT r.workspace_id, c.cluster_id, ends, starts FROM runs r
            JOIN (SELECT DISTINCT workspace_id, cluster_id FROM compute_clusters
                  WHERE cluster_source = 'UI') c
              ON c.workspace_id = r.workspace_id AND r.compute_ids = [c.cluster_id]
            WHERE run_type <> 'WORKFLOW_RUN'),
        hourly AS (
            SELECT workspace_id, id, hour, greatest(starts, hour) AS starts,
                   least(ends, hour + INTERVAL 1 HOUR) AS ends
            FROM busy, LATERAL (SELECT unnest(generate_series(date_trunc('hour', starts),
                date_trunc('hour', ends - INTERVAL 1 MICROSECOND), INTERVAL 1 HOUR)) AS hour)),
        reached AS (
            SELECT *, max(ends) OVER (PARTITION BY workspace_id, id, hour ORDER BY starts, ends
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM hourly)
        SELECT workspace_id, id, hour,
               sum(greatest(epoch(ends) - epoch(greatest(starts, before)), 0)) AS seconds
        FROM reached GROUP BY ALL
    """)
    differing = account.execute("""
        SELECT t.*, u.seconds FROM truth_idle_costs t LEFT JOIN unions u
          ON (u.workspace_id, u.id, u.hour) = (t.workspace_id, t.compute_id, t.hour)
        WHERE t.hour < (SELECT max(hour) - INTERVAL 5 DAY FROM truth_idle_costs)
          AND abs(t.busy_seconds - coalesce(u.seconds, 0)) > 0.01
    """).fetchall()
    assert value(account, "SELECT count(*) FROM truth_idle_costs WHERE busy_seconds > 0") > 100
    assert differing == []
