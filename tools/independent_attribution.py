"""What each job run and each statement cost, calculated by DuckDB from the source files alone.

Written from rules 1, 3 to 6, 8, 14 to 17, 20, 22 and 23 of the correctness table and shares nothing
with the platform: busy time is found by sweeping over the starts and ends of intervals, money is
floating point. The figures are to be compared with a tolerance of rounding, 1e-9.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

# What is read of each source, and the type it has where an account lacks the table or the column.
_SOURCES = {
    "billing.usage": {
        "record_id": "VARCHAR",
        "workspace_id": "VARCHAR",
        "sku_name": "VARCHAR",
        "cloud": "VARCHAR",
        "usage_unit": "VARCHAR",
        "usage_quantity": "DECIMAL(38, 18)",
        "usage_date": "DATE",
        "usage_start_time": "TIMESTAMPTZ",
        "usage_end_time": "TIMESTAMPTZ",
        "usage_metadata": (
            "STRUCT(cluster_id VARCHAR, job_id VARCHAR, job_run_id VARCHAR, warehouse_id VARCHAR, "
            "dlt_pipeline_id VARCHAR)"
        ),
    },
    "billing.list_prices": {
        "sku_name": "VARCHAR",
        "cloud": "VARCHAR",
        "usage_unit": "VARCHAR",
        "currency_code": "VARCHAR",
        "price_start_time": "TIMESTAMPTZ",
        "price_end_time": "TIMESTAMPTZ",
        "pricing": 'STRUCT(effective_list STRUCT("default" DECIMAL(38, 18)))',
    },
    "lakeflow.job_run_timeline": {
        "workspace_id": "VARCHAR",
        "run_id": "VARCHAR",
        "run_type": "VARCHAR",
        "period_start_time": "TIMESTAMPTZ",
        "period_end_time": "TIMESTAMPTZ",
        "compute": "STRUCT(warehouse_id VARCHAR)[]",
        "compute_ids": "VARCHAR[]",
    },
    "lakeflow.job_task_run_timeline": {
        "workspace_id": "VARCHAR",
        "run_id": "VARCHAR",
        "job_run_id": "VARCHAR",
        "period_start_time": "TIMESTAMPTZ",
        "period_end_time": "TIMESTAMPTZ",
        "compute": "STRUCT(warehouse_id VARCHAR)[]",
        "compute_ids": "VARCHAR[]",
    },
    "compute.node_timeline": {
        "workspace_id": "VARCHAR",
        "cluster_id": "VARCHAR",
        "instance_id": "VARCHAR",
        "start_time": "TIMESTAMPTZ",
        "end_time": "TIMESTAMPTZ",
    },
    "compute.warehouse_events": {
        "workspace_id": "VARCHAR",
        "warehouse_id": "VARCHAR",
        "event_type": "VARCHAR",
        "cluster_count": "INTEGER",
        "event_time": "TIMESTAMPTZ",
    },
    "query.history": {
        "workspace_id": "VARCHAR",
        "statement_id": "VARCHAR",
        "compute": "STRUCT(warehouse_id VARCHAR)",
        "start_time": "TIMESTAMPTZ",
        "end_time": "TIMESTAMPTZ",
        "update_time": "TIMESTAMPTZ",
        "execution_duration_ms": "BIGINT",
        "total_task_duration_ms": "BIGINT",
        "from_result_cache": "BOOLEAN",
    },
}

_PRICED = """
CREATE TEMP TABLE priced AS
WITH records AS (
  SELECT DISTINCT ON (record_id) * FROM billing_usage
  WHERE record_id IS NOT NULL AND workspace_id IS NOT NULL
), prices AS (
  SELECT *, pricing.effective_list."default" AS price,
         LEAD(price_start_time) OVER (
           PARTITION BY sku_name, cloud, usage_unit ORDER BY price_start_time) AS next_start
  FROM billing_list_prices WHERE currency_code = $currency
)
SELECT u.record_id, u.workspace_id, u.usage_date, u.usage_metadata AS ids, u.usage_unit,
       u.usage_quantity::DOUBLE AS quantity,
       u.usage_quantity::DOUBLE * p.price::DOUBLE AS cost,
       u.usage_start_time AS used_from, u.usage_end_time AS used_to
FROM records u LEFT JOIN prices p
  ON p.sku_name = u.sku_name AND p.cloud = u.cloud AND p.usage_unit = u.usage_unit
 AND p.price_start_time <= u.usage_end_time
 AND u.usage_end_time < COALESCE(LEAST(p.price_end_time, p.next_start), p.price_end_time,
                                 p.next_start, TIMESTAMPTZ '9999-01-01')
"""

# Paid for by the hour and used by many: (kind, id) with all that was billed for the hour.
_BILLED = """
CREATE TEMP TABLE billed AS
SELECT workspace_id, kind, id, date_trunc('hour', used_from) AS hour, SUM(cost) AS cost
FROM (
  SELECT *, CASE WHEN ids.warehouse_id IS NOT NULL THEN 'warehouse' ELSE 'cluster' END AS kind,
         COALESCE(ids.warehouse_id, ids.cluster_id) AS id
  FROM priced
  WHERE ids.warehouse_id IS NOT NULL
     OR (ids.cluster_id IS NOT NULL AND ids.job_id IS NULL AND ids.job_run_id IS NULL
         AND ids.dlt_pipeline_id IS NULL)
)
GROUP BY ALL
"""

_USES = """
CREATE TEMP TABLE uses AS
WITH children AS (
  SELECT DISTINCT workspace_id, run_id FROM lakeflow_job_run_timeline
  WHERE run_type = 'WORKFLOW_RUN'
), runs AS (
  SELECT workspace_id, run_id AS who, period_start_time AS t0, period_end_time AS t1,
         unnest(compute_ids) AS id
  FROM lakeflow_job_run_timeline
  UNION
  SELECT workspace_id, job_run_id, period_start_time, period_end_time, unnest(compute_ids)
  FROM lakeflow_job_task_run_timeline
), statements AS (
  SELECT * FROM query_history WHERE statement_id IS NOT NULL
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY workspace_id, statement_id ORDER BY update_time DESC NULLS LAST) = 1
)
SELECT workspace_id, 'cluster' AS kind, id, who, t0, t1, 0::DOUBLE AS task_ms
FROM runs ANTI JOIN children ON children.workspace_id = runs.workspace_id AND run_id = who
WHERE t0 < t1
UNION ALL
SELECT workspace_id, 'warehouse', compute.warehouse_id, statement_id,
       end_time - to_milliseconds(execution_duration_ms), end_time,
       COALESCE(total_task_duration_ms, 0)
FROM statements
WHERE compute.warehouse_id IS NOT NULL AND execution_duration_ms > 0 AND end_time IS NOT NULL
  AND from_result_cache IS NOT TRUE
"""

_RUNNING = """
CREATE TEMP TABLE running AS
WITH events AS (
  SELECT workspace_id, warehouse_id AS id, event_type, event_time AS t0,
         LEAD(event_time, 1, TIMESTAMPTZ '9999-01-01') OVER w AS t1,
         ROW_NUMBER() OVER w = 1 AS is_first
  FROM (SELECT DISTINCT * FROM compute_warehouse_events)
  WINDOW w AS (PARTITION BY workspace_id, warehouse_id ORDER BY event_time, list_position(
    ['STARTING', 'RUNNING', 'SCALED_UP', 'SCALED_DOWN', 'STOPPING', 'STOPPED'], event_type))
)
SELECT 'events' AS source, workspace_id, 'warehouse' AS kind, id, t0, t1
FROM events WHERE event_type IN ('RUNNING', 'SCALED_UP', 'SCALED_DOWN')
UNION ALL
SELECT 'events', workspace_id, 'warehouse', id, date_trunc('hour', t0), t0
FROM events WHERE is_first AND event_type IN ('SCALED_UP', 'SCALED_DOWN', 'STOPPING')
UNION ALL
SELECT 'nodes', workspace_id, 'cluster', cluster_id, start_time, end_time
FROM compute_node_timeline
UNION ALL
SELECT 'bill', workspace_id, 'cluster', ids.cluster_id, used_from, used_to
FROM priced WHERE ids.cluster_id IS NOT NULL
"""

# Time covered by intervals in a billed hour, by sweeping: +1 where one begins, -1 where one ends.
_SWEEP = """
CREATE TEMP TABLE {name} AS
WITH clipped AS (
  SELECT b.workspace_id, b.kind, b.id, b.hour, {what} AS what,
         GREATEST(i.t0, b.hour) AS t0, LEAST(i.t1, b.hour + INTERVAL 1 HOUR) AS t1
  FROM billed b JOIN {intervals} i
    ON i.workspace_id = b.workspace_id AND i.kind = b.kind AND i.id = b.id
   AND i.t0 < b.hour + INTERVAL 1 HOUR AND i.t1 > b.hour
), steps AS (
  SELECT workspace_id, kind, id, hour, what, t0 AS t, 1 AS step FROM clipped
  UNION ALL SELECT workspace_id, kind, id, hour, what, t1, -1 FROM clipped
), depth AS (
  SELECT *, SUM(step) OVER w AS open, LEAD(t) OVER w AS next_t
  FROM (SELECT workspace_id, kind, id, hour, what, t, SUM(step) AS step FROM steps GROUP BY ALL)
  WINDOW w AS (PARTITION BY workspace_id, kind, id, hour, what ORDER BY t)
)
SELECT workspace_id, kind, id, hour, what,
       SUM(CASE WHEN open > 0 THEN epoch_us(next_t) - epoch_us(t) ELSE 0 END)::DOUBLE AS us
FROM depth GROUP BY ALL
"""

_SHARES = """
CREATE TEMP TABLE shared_hours AS
SELECT b.workspace_id, b.kind, b.id, b.hour, b.cost,
       b.cost * LEAST(1, COALESCE(busy.us, 0) / CASE
         WHEN b.kind = 'cluster' THEN COALESCE(nodes.us, bill.us)
         WHEN e.first_event < b.hour + INTERVAL 1 HOUR THEN COALESCE(NULLIF(events.us, 0), 1e-9)
         ELSE 3.6e9 END) AS busy_cost
FROM billed b
LEFT JOIN busy USING (workspace_id, kind, id, hour)
LEFT JOIN (FROM ran WHERE what = 'nodes') nodes USING (workspace_id, kind, id, hour)
LEFT JOIN (FROM ran WHERE what = 'bill') bill USING (workspace_id, kind, id, hour)
LEFT JOIN (FROM ran WHERE what = 'events') events USING (workspace_id, kind, id, hour)
LEFT JOIN (SELECT workspace_id, warehouse_id AS id, MIN(event_time) AS first_event
           FROM compute_warehouse_events GROUP BY ALL) e
  ON b.kind = 'warehouse' AND e.workspace_id = b.workspace_id AND e.id = b.id
"""

_PARTS = """
CREATE TEMP TABLE parts AS
WITH used AS (
  SELECT h.workspace_id, h.kind, h.id, h.hour, u.who, h.busy_cost, w.us AS overlap,
         u.task_ms * w.us / u.length AS work
  FROM shared_hours h
  JOIN by_user w USING (workspace_id, kind, id, hour)
  JOIN (SELECT workspace_id, kind, id, who, MAX(task_ms) AS task_ms,
               MAX(epoch_us(t1) - epoch_us(t0)) AS length
        FROM uses GROUP BY ALL) u
    ON u.workspace_id = w.workspace_id AND u.kind = w.kind AND u.id = w.id AND u.who = w.what
)
SELECT workspace_id, kind, who,
       busy_cost * CASE WHEN kind = 'warehouse' AND SUM(work) OVER w > 0
                        THEN work / SUM(work) OVER w ELSE overlap / SUM(overlap) OVER w END AS cost
FROM used WINDOW w AS (PARTITION BY workspace_id, kind, id, hour)
"""

_RUN_COSTS = """
WITH billed_runs AS (
  SELECT workspace_id, ids.job_run_id AS who, SUM(cost) AS cost FROM priced
  WHERE ids.job_run_id IS NOT NULL GROUP BY ALL
), estimated AS (
  SELECT workspace_id, who, SUM(cost) AS cost FROM parts WHERE kind = 'cluster' GROUP BY ALL
), on_warehouses AS (
  SELECT DISTINCT workspace_id, who FROM (
    SELECT workspace_id, run_id AS who, unnest(compute) AS c FROM lakeflow_job_run_timeline
    UNION ALL
    SELECT workspace_id, job_run_id, unnest(compute) FROM lakeflow_job_task_run_timeline)
  WHERE c.warehouse_id IS NOT NULL
), runs AS (
  SELECT workspace_id, run_id AS who, arg_min(run_type, period_start_time) AS run_type
  FROM lakeflow_job_run_timeline GROUP BY ALL
)
SELECT r.workspace_id, r.who,
       CASE WHEN b.cost IS NOT NULL OR e.cost IS NOT NULL
            THEN COALESCE(b.cost, 0) + COALESCE(e.cost, 0) END AS cost,
       CASE WHEN e.cost IS NOT NULL THEN 'estimated' WHEN b.cost IS NOT NULL THEN 'attributed'
            WHEN b.who IS NOT NULL OR e.who IS NOT NULL THEN 'unpriced'
            WHEN r.run_type = 'WORKFLOW_RUN' THEN 'on_parent'
            WHEN w.who IS NOT NULL THEN 'on_statements' ELSE 'not_billed' END AS class
FROM runs r LEFT JOIN billed_runs b USING (workspace_id, who)
LEFT JOIN estimated e USING (workspace_id, who)
LEFT JOIN on_warehouses w USING (workspace_id, who)
"""

_STATEMENT_COSTS = """
SELECT workspace_id, who, SUM(cost), NULL FROM parts WHERE kind = 'warehouse' GROUP BY ALL
"""

_IDLE_COSTS = """
SELECT workspace_id, hour::DATE::VARCHAR, SUM(cost - busy_cost), NULL FROM shared_hours GROUP BY ALL
"""


@dataclass(frozen=True)
class Attributed:
    """A cost (None: not known) and, for runs, how it is known."""

    cost: float | None
    attribution_class: str | None


Costs = dict[tuple[str, str], Attributed]


@dataclass(frozen=True)
class Attribution:
    """Costs by workspace and run, statement that executed on a warehouse, and day (idle)."""

    runs: Costs
    statements: Costs
    idle: Costs


def attribution(folder: Path, currency: str = "USD") -> Attribution:
    """What the source files in ``folder/<schema>.<table>/*.parquet`` say."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for table, columns in _SOURCES.items():
            _read(connection, folder, table, columns)
        connection.execute(_PRICED, {"currency": currency})
        for statement in (_BILLED, _USES, _RUNNING):
            connection.execute(statement)
        for name, intervals, what in (
            ("busy", "uses", "'busy'"),
            ("by_user", "uses", "i.who"),
            ("ran", "running", "i.source"),
        ):
            connection.execute(_SWEEP.format(name=name, intervals=intervals, what=what))
        for statement in (_SHARES, _PARTS):
            connection.execute(statement)
        results = (_RUN_COSTS, _STATEMENT_COSTS, _IDLE_COSTS)
        return Attribution(*(_costs(connection, query) for query in results))


def _read(
    connection: duckdb.DuckDBPyConnection, folder: Path, table: str, columns: dict[str, str]
) -> None:
    files = str(folder / table / "*.parquet")
    present: set[str] = set()
    source = "(SELECT 1 WHERE false)"
    if list((folder / table).glob("*.parquet")):
        source = f"read_parquet('{files}', union_by_name = true)"
        described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        present = {str(row[0]) for row in described}
    selected = ", ".join(
        f"{name if name in present else 'NULL'}::{type_} AS {name}"
        if "STRUCT" not in type_ or name not in present
        else name
        for name, type_ in columns.items()
    )
    view = table.replace(".", "_")
    connection.execute(f"CREATE TEMP VIEW {view} AS SELECT {selected} FROM {source}")


def _costs(connection: duckdb.DuckDBPyConnection, query: str) -> Costs:
    rows = connection.execute(query).fetchall()
    return {(str(row[0]), str(row[1])): Attributed(row[2], row[3]) for row in rows}
