"""Runs, events, statements, node records and the bill of a simulated account tell one story.

All of it is asked of the Parquet files with DuckDB, in terms of the tables alone.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import duckdb
import pytest

from emulator.account.schemas import system_tables
from tests.emulator.account_files import nothing, value

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
    nothing(account, f"SELECT {key}, count(*) FROM {table} GROUP BY ALL HAVING count(*) > 1")


def test_billed_runs_exist_and_lasted_as_long(account: duckdb.DuckDBPyConnection) -> None:
    usage = """
        FROM billing_usage u {} JOIN runs r ON u.workspace_id = r.workspace_id
         AND u.usage_metadata.job_run_id = r.run_id AND u.usage_metadata.job_id = r.job_id
    """
    named = "WHERE usage_metadata.job_run_id IS NOT NULL AND u.usage_start_time < u.usage_end_time"
    # Slices of the last days may still be to come.
    settled = "AND u.usage_date < (SELECT max(usage_date) - 3 FROM billing_usage)"
    assert value(account, f"SELECT count(*) {usage.format('')} {named}") > 100
    nothing(account, f"SELECT u.record_id {usage.format('ANTI')} {named} {settled}")
    outside = "AND (u.usage_start_time < r.starts OR u.usage_end_time > r.ends)"
    nothing(account, f"SELECT u.record_id {usage.format('')} {named} {settled} {outside}")


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
    nothing(
        account,
        "SELECT * FROM runs r ANTI JOIN lakeflow_jobs j USING (workspace_id, job_id) "
        "WHERE run_type = 'JOB_RUN'",
    )
    nothing(
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
    nothing(account, "FROM slices WHERE period_end_time - period_start_time > INTERVAL 1 HOUR")
    nothing(account, "FROM slices WHERE period_end_time < period_start_time")
    nothing(account, "FROM slices WHERE period_end_time > next_start")
    nothing(account, "FROM slices WHERE result_state IS NULL AND (is_last OR"
             " period_end_time <> next_start)")  # fmt: skip
    nothing(account, "FROM slices WHERE (result_state IS NULL) <> (termination_code IS NULL)")
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
    nothing(account, "FROM runs WHERE state IN ('SKIPPED', 'BLOCKED') AND starts <> ends")


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
    nothing(account, f"{of_runs} WHERE {settled} AND (t.run_id IS NULL) <> (starts = ends)")
    nothing(account, f"{of_runs} WHERE {settled} AND starts < ends AND"
             " (starts, ends, state) <> (first_start, last_end, task_state)")  # fmt: skip
    nothing(
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
    nothing(account, "SELECT * FROM billing_usage WHERE billing_origin_product = 'ALL_PURPOSE'"
             " AND usage_metadata.job_id IS NOT NULL")  # fmt: skip
    settled = "g.starts < (SELECT max(starts) - INTERVAL 7 DAY FROM runs)"
    nothing(account, "SELECT * FROM guests g ANTI JOIN billed b ON b.workspace_id = g.workspace_id"
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
    nothing(account, f"{of_jobs} WHERE b.starts < l.made OR b.ends > l.gone")


def test_node_records(account: duckdb.DuckDBPyConnection) -> None:
    """Minutes of clusters that are billed for them, one of whose nodes is the driver."""
    settled = "n.start_time < (SELECT max(start_time) - INTERVAL 7 DAY FROM compute_node_timeline)"
    nothing(account, "SELECT * FROM compute_node_timeline n ANTI JOIN billed b"
             " ON b.workspace_id = n.workspace_id AND b.id = n.cluster_id AND"
             " n.start_time >= b.starts AND n.end_time <= b.ends"
             f" WHERE {settled}")  # fmt: skip
    nothing(account, "SELECT * FROM compute_node_timeline n"
             " ANTI JOIN compute_clusters c USING (workspace_id, cluster_id)")  # fmt: skip
    nothing(account, "SELECT * FROM compute_node_timeline"
             " ANTI JOIN compute_node_types USING (node_type)")  # fmt: skip
    nothing(account, "FROM compute_node_timeline WHERE end_time <= start_time OR"
             " end_time - start_time > INTERVAL 1 MINUTE OR cpu_user_percent"
             " + cpu_system_percent + cpu_wait_percent > 100"
             " OR mem_used_percent > 100")  # fmt: skip
    nothing(account, "SELECT cluster_id FROM compute_node_timeline n"
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
    nothing(account, f"SELECT * FROM ({short}) WHERE cluster_id NOT IN ({kinds})")


def test_updates_of_pipelines(account: duckdb.DuckDBPyConnection) -> None:
    """The billed update exists; before it others failed, under one request."""
    settled = "u.usage_date < (SELECT max(usage_date) - 3 FROM billing_usage)"
    nothing(account, "SELECT u.record_id FROM billing_usage u"
             " ANTI JOIN lakeflow_pipeline_update_timeline p ON p.workspace_id = u.workspace_id"
             " AND p.pipeline_id = u.usage_metadata.dlt_pipeline_id"
             " AND p.update_id = u.usage_metadata.dlt_update_id"
             f" WHERE u.usage_metadata.dlt_update_id IS NOT NULL AND {settled}")  # fmt: skip
    nothing(account, "SELECT * FROM lakeflow_pipeline_update_timeline"
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
    nothing(account, "SELECT * FROM storage_predictive_optimization_operations_history o"
             " ANTI JOIN information_schema_tables t ON (o.catalog_name, o.schema_name,"
             " o.table_name) = (t.table_catalog, t.table_schema, t.table_name)"
             " WHERE o.start_time > (SELECT max(start_time) - INTERVAL 1 DAY"
             " FROM storage_predictive_optimization_operations_history)")  # fmt: skip


def test_infrastructure_is_paid_for_what_was_billed(account: duckdb.DuckDBPyConnection) -> None:
    nothing(account, "SELECT * FROM billing_cloud_infra_cost i ANTI JOIN billed b"
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
        nothing(account, f"FROM {table} WHERE {early} AND '{table}' <> 'query_history'")
    first = value(account, "SELECT min(start_time)::DATE FROM query_history")
    for column in ("read_files_bytes", "query_tags"):
        nothing(account, f"SELECT * FROM query_history WHERE {column} IS NOT NULL"
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
    nothing(account, "FROM truth_idle_costs WHERE idle_cost_usd < 0 OR busy_seconds > ran_seconds")


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
