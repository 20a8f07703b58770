"""Runs, events, statements, node records and the bill of a simulated account tell one story.

All of it is asked of the Parquet files with DuckDB, in terms of the tables alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from emulator.account.schemas import system_tables
from emulator.account.simulate import next_day
from tests.emulator.account_files import opened, simulated, value

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
STATES = [
    "BLOCKED",
    "CANCELLED",
    "ERROR",
    "FAILED",
    "PARTIALLY_SUCCEEDED",
    "SKIPPED",
    "SUCCEEDED",
    "TIMED_OUT",
]


@pytest.fixture(scope="module", params=["sixty_days", "small_account"])
def account(request: pytest.FixtureRequest) -> Iterator[duckdb.DuckDBPyConnection]:
    """An account, with its runs, the hours of its bill and the times of its warehouses."""
    path: Path = request.getfixturevalue(request.param)
    with opened(path) as connection:
        for query in (RUNNING, BILLED, RUNS):
            connection.execute(query)
        yield connection


def _nothing(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """The query must find no row; what it finds is shown."""
    assert connection.execute(f"{query} LIMIT 5").fetchall() == []


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("lakeflow_jobs", "workspace_id, job_id, change_time"),
        ("lakeflow_job_tasks", "workspace_id, job_id, task_key, change_time"),
        ("lakeflow_job_run_timeline", "workspace_id, run_id, period_start_time"),
        ("lakeflow_job_task_run_timeline", "workspace_id, run_id, period_start_time"),
        ("lakeflow_pipelines", "workspace_id, pipeline_id, change_time"),
        ("lakeflow_pipeline_update_timeline", "workspace_id, update_id, period_start_time"),
        ("compute_clusters", "workspace_id, cluster_id, change_time"),
        ("compute_warehouses", "workspace_id, warehouse_id, change_time"),
        ("compute_warehouse_events", "workspace_id, warehouse_id, event_time, event_type"),
        ("compute_node_timeline", "workspace_id, cluster_id, instance_id, start_time"),
        ("query_history", "workspace_id, statement_id"),
        ("billing_cloud_infra_cost", "record_id"),
        ("storage_predictive_optimization_operations_history", "operation_id"),
    ],
)
def test_keys_are_keys(account: duckdb.DuckDBPyConnection, table: str, key: str) -> None:
    assert value(account, f"SELECT count(*) FROM {table}") > 0
    _nothing(account, f"SELECT {key}, count(*) FROM {table} GROUP BY ALL HAVING count(*) > 1")


def test_billed_runs_exist_and_lasted_as_long(account: duckdb.DuckDBPyConnection) -> None:
    usage = """
        FROM billing_usage u {} JOIN runs r ON u.workspace_id = r.workspace_id
         AND u.usage_metadata.job_run_id = r.run_id AND u.usage_metadata.job_id = r.job_id
    """
    named = "WHERE usage_metadata.job_run_id IS NOT NULL AND u.usage_start_time < u.usage_end_time"
    # Slices of the last days may still be to come.
    settled = "AND u.usage_date < (SELECT max(usage_date) - 3 FROM billing_usage)"
    assert value(account, f"SELECT count(*) {usage.format('')} {named}") > 100
    _nothing(account, f"SELECT u.record_id {usage.format('ANTI')} {named} {settled}")
    outside = "AND (u.usage_start_time < r.starts OR u.usage_end_time > r.ends)"
    _nothing(account, f"SELECT u.record_id {usage.format('')} {named} {settled} {outside}")


def test_ids_count_per_workspace(account: duckdb.DuckDBPyConnection) -> None:
    for column in ("job_id", "run_id"):
        shared = f"SELECT count(DISTINCT workspace_id) AS n FROM runs GROUP BY {column}"
        assert value(account, f"SELECT max(n) FROM ({shared})") == 3


def test_only_job_runs_have_jobs(account: duckdb.DuckDBPyConnection) -> None:
    found = account.execute("""
        SELECT run_type, count(*) > 10, count(DISTINCT run_name) > 0, bool_and(j.job_id IS NULL)
        FROM lakeflow_job_run_timeline LEFT JOIN
             (SELECT DISTINCT workspace_id, job_id FROM lakeflow_jobs) j
             USING (workspace_id, job_id)
        GROUP BY ALL ORDER BY 1
    """).fetchall()
    assert found == [
        ("JOB_RUN", True, False, False),
        ("SUBMIT_RUN", True, True, True),
        ("WORKFLOW_RUN", True, True, True),
    ]
    _nothing(
        account,
        "SELECT * FROM runs r ANTI JOIN lakeflow_jobs j USING (workspace_id, job_id) "
        "WHERE run_type = 'JOB_RUN'",
    )
    _nothing(
        account,
        "SELECT * FROM runs r JOIN billing_usage u ON u.usage_metadata.job_run_id = r.run_id "
        "AND u.workspace_id = r.workspace_id WHERE run_type = 'WORKFLOW_RUN'",
    )


@pytest.mark.parametrize("table", ["lakeflow_job_run_timeline", "lakeflow_job_task_run_timeline"])
def test_slices(account: duckdb.DuckDBPyConnection, table: str) -> None:
    """At most an hour, one after the other; the state only where an attempt ends."""
    run = "t.job_run_id" if "task" in table else "t.run_id"
    account.execute(f"""
        CREATE OR REPLACE TEMP TABLE slices AS
        SELECT *, lead(period_start_time) OVER (PARTITION BY workspace_id, run_id
            ORDER BY period_start_time, period_end_time) AS next_start,
            lead(workspace_id) OVER (PARTITION BY workspace_id, run_id
            ORDER BY period_start_time, period_end_time) IS NULL AS is_last
        FROM {table} t SEMI JOIN runs r ON t.workspace_id = r.workspace_id AND {run} = r.run_id
         AND r.starts < (SELECT max(starts) - INTERVAL 4 DAY FROM runs)
    """)
    _nothing(account, "FROM slices WHERE period_end_time - period_start_time > INTERVAL 1 HOUR")
    _nothing(account, "FROM slices WHERE period_end_time < period_start_time")
    _nothing(account, "FROM slices WHERE period_end_time > next_start")
    _nothing(account, "FROM slices WHERE result_state IS NULL AND (is_last OR"
             " period_end_time <> next_start)")  # fmt: skip
    _nothing(account, "FROM slices WHERE (result_state IS NULL) <> (termination_code IS NULL)")
    going_on = "FROM slices WHERE result_state IS NULL AND {} second(period_end_time) = 0"
    for aligned in ("minute(period_end_time) = 0 AND", "minute(period_end_time) <> 0 OR NOT"):
        assert value(account, f"SELECT count(*) {going_on.format(aligned)}") > 5, aligned


def test_runs_end_in_every_way(account: duckdb.DuckDBPyConnection) -> None:
    states = account.execute("SELECT DISTINCT state FROM runs WHERE state IS NOT NULL ORDER BY 1")
    assert [state for (state,) in states.fetchall()] == STATES
    shares = value(account, "SELECT avg((state = 'SUCCEEDED')::INT) FROM runs")
    assert 0.8 < shares < 0.97
    attempts = account.execute("SELECT DISTINCT attempts FROM runs WHERE attempts > 0 ORDER BY 1")
    assert attempts.fetchall() == [(1,), (2,), (3,)]
    # The pause before a repair belongs to no slice.
    pauses = """
        SELECT count(*) FROM (SELECT result_state, period_end_time, lead(period_start_time) OVER (
            PARTITION BY workspace_id, run_id ORDER BY period_start_time) AS next_start
            FROM lakeflow_job_run_timeline)
        WHERE next_start > period_end_time + INTERVAL 1 MINUTE AND result_state = 'FAILED'
    """
    repaired = value(account, "SELECT sum(attempts - 1) FROM runs WHERE attempts > 1")
    assert value(account, pauses) >= repaired - 2 > 5
    _nothing(account, "FROM runs WHERE state IN ('SKIPPED', 'BLOCKED') AND starts <> ends")


def test_durations_are_reported_late_and_not_always(account: duckdb.DuckDBPyConnection) -> None:
    days = account.execute("""
        SELECT dense_rank() OVER (ORDER BY r.starts::DATE) AS day,
               count(run_duration_seconds) AS known, count(*) FILTER (run_duration_seconds = 0)
        FROM lakeflow_job_run_timeline t JOIN runs r USING (workspace_id, run_id)
        WHERE t.result_state IS NOT NULL AND r.ends > r.starts GROUP BY r.starts::DATE ORDER BY 1
    """).fetchall()
    assert [known for _, known, _ in days[:3]] == [0, 0, 0]
    assert all(known > 0 for _, known, _ in days[3:-3])
    assert sum(zeros for *_, zeros in days) > 5


def test_tasks_fill_their_runs(account: duckdb.DuckDBPyConnection) -> None:
    account.execute("""
        CREATE OR REPLACE TEMP TABLE tasks AS
        SELECT workspace_id, job_run_id AS run_id, min(period_start_time) AS first_start,
               max(period_end_time) AS last_end, count(DISTINCT task_key) AS keys,
               arg_max(result_state, period_end_time) AS task_state
        FROM lakeflow_job_task_run_timeline GROUP BY ALL
    """)
    of_runs = "FROM runs r LEFT JOIN tasks t USING (workspace_id, run_id)"
    settled = "r.starts < (SELECT max(starts) - INTERVAL 4 DAY FROM runs)"
    _nothing(account, f"{of_runs} WHERE {settled} AND (t.run_id IS NULL) <> (starts = ends)")
    _nothing(account, f"{of_runs} WHERE {settled} AND starts < ends AND"
             " (starts, ends, state) <> (first_start, last_end, task_state)")  # fmt: skip
    _nothing(
        account,
        "FROM lakeflow_job_task_run_timeline t JOIN runs r "
        "ON t.workspace_id = r.workspace_id AND t.job_run_id = r.run_id ANTI JOIN "
        "lakeflow_job_tasks k ON k.workspace_id = t.workspace_id AND k.job_id = t.job_id "
        "AND k.task_key = t.task_key WHERE run_type = 'JOB_RUN'",
    )
    assert value(account, "SELECT max(keys) FROM tasks") >= 4


def test_runs_on_all_purpose_clusters(account: duckdb.DuckDBPyConnection) -> None:
    """Their usage names the cluster and no job; it is on as long as they run."""
    account.execute("""
        CREATE OR REPLACE TEMP TABLE guests AS
        SELECT r.*, c.cluster_id, h.hour FROM runs r
        JOIN (SELECT DISTINCT workspace_id, cluster_id FROM compute_clusters
              WHERE cluster_source = 'UI') c
          ON c.workspace_id = r.workspace_id AND r.compute_ids = [c.cluster_id],
        LATERAL (SELECT unnest(generate_series(date_trunc('hour', r.starts),
            date_trunc('hour', r.ends - INTERVAL 1 SECOND), INTERVAL 1 HOUR)) AS hour) h
    """)
    assert value(account, "SELECT count(DISTINCT run_id) FROM guests") > 100
    assert value(account, "SELECT count(*) - count(DISTINCT run_id) FROM guests") > 3
    _nothing(account, "SELECT * FROM billing_usage WHERE billing_origin_product = 'ALL_PURPOSE'"
             " AND usage_metadata.job_id IS NOT NULL")  # fmt: skip
    settled = "g.starts < (SELECT max(starts) - INTERVAL 7 DAY FROM runs)"
    _nothing(account, "SELECT * FROM guests g ANTI JOIN billed b ON b.workspace_id = g.workspace_id"
             " AND b.id = g.cluster_id AND b.hour = g.hour AND greatest(g.starts, g.hour) >="
             " b.starts AND least(g.ends, g.hour + INTERVAL 1 HOUR) <= b.ends"
             f" WHERE {settled}")  # fmt: skip


def test_clusters_of_jobs_live_as_long_as_their_usage(account: duckdb.DuckDBPyConnection) -> None:
    account.execute("""
        CREATE OR REPLACE TEMP TABLE lives AS
        SELECT workspace_id, cluster_id, min(create_time) AS made, max(delete_time) AS gone
        FROM compute_clusters WHERE cluster_source = 'JOB' GROUP BY ALL
    """)
    assert value(account, "SELECT count(*) FROM lives WHERE gone IS NULL") == 0
    of_jobs = "FROM billed b JOIN lives l ON b.workspace_id = l.workspace_id AND id = cluster_id"
    assert value(account, f"SELECT count(*) {of_jobs}") > 50
    _nothing(account, f"{of_jobs} WHERE b.starts < l.made OR b.ends > l.gone")


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
    _nothing(account, f"FROM compared WHERE {known} AND seconds IS DISTINCT FROM billed_seconds")
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
    _nothing(account, "SELECT * FROM query_history q ANTI JOIN spans s"
             " ON s.workspace_id = q.workspace_id AND s.warehouse_id = q.compute.warehouse_id"
             " AND q.start_time >= s.starts AND q.end_time <= s.ends"
             f" WHERE {settled} AND {heard}")  # fmt: skip
    _nothing(account, "SELECT * FROM query_history q JOIN runs r ON q.workspace_id = r.workspace_id"
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
    _nothing(account, """
        FROM query_history WHERE total_duration_ms <> waiting_for_compute_duration_ms
            + waiting_at_capacity_duration_ms + compilation_duration_ms + execution_duration_ms
            OR end_time - start_time <> to_milliseconds(total_duration_ms)
            OR update_time < end_time
    """)  # fmt: skip
    _nothing(
        account,
        "SELECT * FROM query_history q ANTI JOIN query_history o"
        " ON q.cache_origin_statement_id = o.statement_id AND NOT o.from_result_cache"
        " WHERE q.from_result_cache"
        " AND q.start_time < (SELECT max(start_time) - INTERVAL 4 DAY FROM query_history)",
    )


def test_node_records(account: duckdb.DuckDBPyConnection) -> None:
    """Minutes of clusters that are billed for them, one of whose nodes is the driver."""
    settled = "n.start_time < (SELECT max(start_time) - INTERVAL 7 DAY FROM compute_node_timeline)"
    _nothing(account, "SELECT * FROM compute_node_timeline n ANTI JOIN billed b"
             " ON b.workspace_id = n.workspace_id AND b.id = n.cluster_id AND"
             " n.start_time >= b.starts AND n.end_time <= b.ends"
             f" WHERE {settled}")  # fmt: skip
    _nothing(account, "SELECT * FROM compute_node_timeline n"
             " ANTI JOIN compute_clusters c USING (workspace_id, cluster_id)")  # fmt: skip
    _nothing(account, "SELECT * FROM compute_node_timeline"
             " ANTI JOIN compute_node_types USING (node_type)")  # fmt: skip
    _nothing(account, "FROM compute_node_timeline WHERE end_time <= start_time OR"
             " end_time - start_time > INTERVAL 1 MINUTE OR cpu_user_percent"
             " + cpu_system_percent + cpu_wait_percent > 100"
             " OR mem_used_percent > 100")  # fmt: skip
    _nothing(account, "SELECT cluster_id FROM compute_node_timeline n"
             f" WHERE {settled} GROUP BY workspace_id, cluster_id, start_time"
             " HAVING count_if(driver) > 1")  # fmt: skip
    shorter = "SELECT count(*) FROM compute_node_timeline WHERE end_time - start_time < '1 minute'"
    assert value(account, shorter) > 10
    idle = """
        SELECT count(*) FROM (SELECT instance_id FROM compute_node_timeline WHERE NOT driver
            GROUP BY instance_id HAVING max(cpu_user_percent) < 20 AND count(*) > 30)
    """
    assert value(account, idle) > 2
    short = """
        SELECT cluster_id FROM compute_node_timeline n
        GROUP BY workspace_id, cluster_id, instance_id, date_trunc('hour', start_time)
        HAVING sum(epoch(end_time - start_time)) < 600
           AND max(start_time) < (SELECT max(start_time) - INTERVAL 5 DAY
                                  FROM compute_node_timeline)
    """
    kinds = "SELECT entity_id FROM truth_incidents WHERE kind = 'spot_loss'"
    _nothing(account, f"SELECT * FROM ({short}) WHERE cluster_id NOT IN ({kinds})")


def test_updates_of_pipelines(account: duckdb.DuckDBPyConnection) -> None:
    """The billed update exists; before it others failed, under one request."""
    settled = "u.usage_date < (SELECT max(usage_date) - 3 FROM billing_usage)"
    _nothing(account, "SELECT u.record_id FROM billing_usage u"
             " ANTI JOIN lakeflow_pipeline_update_timeline p ON p.workspace_id = u.workspace_id"
             " AND p.pipeline_id = u.usage_metadata.dlt_pipeline_id"
             " AND p.update_id = u.usage_metadata.dlt_update_id"
             f" WHERE u.usage_metadata.dlt_update_id IS NOT NULL AND {settled}")  # fmt: skip
    _nothing(account, "SELECT * FROM lakeflow_pipeline_update_timeline"
             " ANTI JOIN lakeflow_pipelines USING (workspace_id, pipeline_id)")  # fmt: skip
    states = "SELECT list(DISTINCT result_state ORDER BY result_state)"
    found = value(account, f"{states} FROM lakeflow_pipeline_update_timeline")
    assert [state for state in found if state] == ["CANCELED", "COMPLETED", "FAILED"]
    retried = """
        SELECT count(*) FROM (SELECT request_id FROM lakeflow_pipeline_update_timeline
            GROUP BY request_id HAVING count(DISTINCT update_id) > 1
               AND count_if(result_state = 'FAILED') > 0)
    """
    assert value(account, retried) > 2


def test_maintenance_is_billed_as_serverless_jobs(account: duckdb.DuckDBPyConnection) -> None:
    """Every operation lies in a billed hour of its workspace, and estimates what was billed."""
    days = account.execute("""
        WITH bill AS (SELECT workspace_id, usage_date AS day, sum(usage_quantity) AS units
                      FROM billing_usage WHERE billing_origin_product = 'PREDICTIVE_OPTIMIZATION'
                        AND record_type = 'ORIGINAL' AND sku_name LIKE '%JOBS_SERVERLESS%'
                        AND usage_start_time < usage_end_time AND record_id IS NOT NULL
                      GROUP BY ALL),
        done AS (SELECT workspace_id, start_time::DATE AS day, sum(usage_quantity) AS units
                 FROM storage_predictive_optimization_operations_history
                 WHERE operation_status = 'SUCCESSFUL' GROUP BY ALL)
        SELECT d.units::DOUBLE / b.units::DOUBLE FROM bill b JOIN done d USING (workspace_id, day)
        WHERE b.units > 0 ORDER BY 1
    """).fetchall()
    assert len(days) > 20
    assert 0.9 < days[len(days) // 2][0] < 1.1
    _nothing(account, "SELECT * FROM storage_predictive_optimization_operations_history o"
             " ANTI JOIN information_schema_tables t ON (o.catalog_name, o.schema_name,"
             " o.table_name) = (t.table_catalog, t.table_schema, t.table_name)"
             " WHERE o.start_time > (SELECT max(start_time) - INTERVAL 1 DAY"
             " FROM storage_predictive_optimization_operations_history)")  # fmt: skip


def test_infrastructure_is_paid_for_what_was_billed(account: duckdb.DuckDBPyConnection) -> None:
    _nothing(account, "SELECT * FROM billing_cloud_infra_cost i ANTI JOIN billed b"
             " ON b.workspace_id = i.workspace_id AND b.starts >= i.usage_start_time"
             " AND b.ends <= i.usage_end_time AND b.id = coalesce("
             "i.usage_metadata.cluster_id, i.usage_metadata.warehouse_id)"
             " WHERE i.usage_date < (SELECT max(usage_date) - 6 FROM billing_usage)")  # fmt: skip
    assert value(account, "SELECT min(cost) FROM billing_cloud_infra_cost") > 0
    late = "SELECT max(exported_on - usage_date) FROM billing_cloud_infra_cost"
    assert value(account, late) == 2


def test_rows_come_late_and_columns_too(account: duckdb.DuckDBPyConnection) -> None:
    for table, moment in (
        ("lakeflow_job_run_timeline", "period_end_time"),
        ("compute_warehouse_events", "event_time"),
        ("compute_node_timeline", "end_time"),
        ("query_history", "end_time"),
    ):
        if table != "query_history":  # its files are those of the day of the statement
            late = f"SELECT count(*) FROM {table} WHERE exported_on > {moment}::DATE + 1"
            assert value(account, late) > 0, table
        early = f"exported_on < ({moment} - INTERVAL 1 MICROSECOND)::DATE"
        _nothing(account, f"FROM {table} WHERE {early} AND '{table}' <> 'query_history'")
    first = value(account, "SELECT min(start_time)::DATE FROM query_history")
    for column in ("read_files_bytes", "query_tags"):
        _nothing(account, f"SELECT * FROM query_history WHERE {column} IS NOT NULL"
                 f" AND start_time < DATE '{first}' + 2")  # fmt: skip
        assert value(account, f"SELECT count({column}) FROM query_history") > 50
    undeclared = "SELECT count(scaling_reason), min(exported_on) FILTER (scaling_reason <> '')"
    rows, since = account.execute(f"{undeclared} FROM compute_warehouse_events").fetchall()[0]
    assert rows > 5
    assert since >= first + timedelta(days=5)
    assert "scaling_reason" not in system_tables()["compute.warehouse_events"].arrow.names


def test_true_costs_add_up(account: duckdb.DuckDBPyConnection) -> None:
    """What an hour of a host costs is what ran on it, what was idle, and who clicked in it."""
    idle = account.execute("""
        SELECT compute_kind, sum(cost_usd), sum(idle_cost_usd + interactive_cost_usd)
        FROM truth_idle_costs GROUP BY ALL ORDER BY 1
    """).fetchall()
    queries = value(account, "SELECT sum(cost_usd) FROM truth_query_costs")
    runs = "SELECT sum(cost_usd) FROM truth_run_costs WHERE compute_kind = '{}'"
    (_, cluster, cluster_idle), (_, warehouse, warehouse_idle) = idle
    assert abs(cluster - cluster_idle - value(account, runs.format("all_purpose"))) < Decimal(
        "0.01"
    )
    assert abs(warehouse - warehouse_idle - queries) < Decimal("0.01")
    assert 0 < value(account, runs.format("warehouse")) < queries
    _nothing(account, "FROM truth_idle_costs WHERE idle_cost_usd < 0 OR busy_seconds > ran_seconds")


def test_true_costs_of_runs_are_those_of_the_bill(account: duckdb.DuckDBPyConnection) -> None:
    """To the last digit, for what the bill names and all of whose corrections have come."""
    differing = account.execute("""
        WITH prices AS (
            SELECT sku_name, price_start_time AS starts, least(price_end_time,
                   lead(price_start_time) OVER (PARTITION BY sku_name
                                                ORDER BY price_start_time)) AS ends,
                   pricing.effective_list.default::DECIMAL(38, 8) AS price
            FROM billing_list_prices WHERE currency_code = 'USD' AND cloud = 'AWS'),
        rows AS (SELECT DISTINCT * EXCLUDE (exported_on) FROM billing_usage
                 WHERE usage_metadata.job_run_id IS NOT NULL AND record_id IS NOT NULL
                   AND usage_start_time < usage_end_time),
        bill AS (
            SELECT workspace_id, usage_metadata.job_run_id AS run_id, min(usage_date) AS day,
                   sum(usage_quantity::DECIMAL(30, 9)) AS dbus,
                   sum(usage_quantity::DECIMAL(20, 9) * price) AS cost
            FROM rows r JOIN prices p ON p.sku_name = r.sku_name AND r.usage_end_time >= p.starts
                     AND (p.ends IS NULL OR r.usage_end_time < p.ends)
            GROUP BY ALL)
        SELECT b.*, t.dbus, t.cost_usd
        FROM bill b LEFT JOIN truth_run_costs t USING (workspace_id, run_id)
        WHERE day < (SELECT max(day) - 11 FROM bill)
    """).fetchall()
    assert len(differing) > 50
    assert [row for row in differing if (row[3], row[4]) != (row[5], row[6])] == []


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
