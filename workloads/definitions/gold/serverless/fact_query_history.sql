WITH statements AS (
  SELECT
    *,
    -- a cached answer and a statement that never executed keep no warehouse busy
    CASE
      WHEN compute.warehouse_id IS NULL THEN 'not_on_a_warehouse'
      WHEN from_result_cache THEN 'result_cache'
      WHEN end_time IS NULL OR execution_duration_ms IS NULL THEN 'not_finished'
      WHEN execution_duration_ms = 0 THEN 'not_executed'
      ELSE 'busy_share'
    END AS cost_basis
  FROM silver.silver_query_history
  WHERE start_time >= :first_day AND start_time < DATE_ADD(:last_day, 1)
),
parts AS (
  SELECT
    a.workspace_id,
    a.user_id AS statement_id,
    c.hour_start AS billed_hour,
    c.busy_dbus,
    c.busy_cost,
    CAST(
      CASE
        WHEN h.work_ms > 0 THEN a.work_ms / h.work_ms
        ELSE CAST(a.overlap_us AS DECIMAL(18, 0)) / CAST(h.use_us AS DECIMAL(18, 0))
      END
      AS DECIMAL(25, 18)
    ) AS share
  FROM gold.compute_activity AS a
  JOIN gold.compute_hours AS h
    ON h.usage_date = a.usage_date
    AND h.workspace_id = a.workspace_id
    AND h.compute_kind = a.compute_kind
    AND h.compute_id = a.compute_id
    AND h.hour_start = a.hour_start
  LEFT JOIN gold.compute_costs AS c
    ON c.usage_date = a.usage_date
    AND c.usage_date >= :first_day
    AND c.workspace_id = a.workspace_id
    AND c.compute_kind = a.compute_kind
    AND c.compute_id = a.compute_id
    AND c.hour_start = a.hour_start
  WHERE a.user_kind = 'statement'
    AND a.ends > :first_day
    AND h.usage_date >= :first_day
),
costs AS (
  SELECT
    workspace_id,
    statement_id,
    COUNT(*) AS hour_count,
    COUNT(billed_hour) AS billed_hour_count,
    SUM(CAST(busy_dbus AS DECIMAL(30, 18)) * share) AS dbus,
    SUM(CAST(busy_cost AS DECIMAL(30, 18)) * share) AS cost
  FROM parts
  GROUP BY workspace_id, statement_id
),
warehouses AS (
  -- what ran before the first version that is known counts to that version
  SELECT
    workspace_id,
    warehouse_id,
    warehouse_name,
    CASE
      WHEN __START_AT > MIN(__START_AT) OVER (PARTITION BY workspace_id, warehouse_id)
        THEN __START_AT
    END AS holds_from,
    __END_AT AS holds_to
  FROM silver.silver_warehouses
)
SELECT
  s.account_id,
  s.workspace_id,
  s.statement_id,
  s.session_id,
  DATE(s.start_time) AS query_date,
  s.start_time,
  s.end_time,
  s.update_time,
  s.compute.type AS compute_type,
  s.compute.warehouse_id AS compute_warehouse_id,
  s.compute.cluster_id AS compute_cluster_id,
  w.warehouse_name,
  s.execution_status,
  s.statement_type,
  s.executed_by,
  s.executed_by_user_id,
  s.executed_as,
  s.executed_as_user_id,
  s.client_application,
  CASE
    WHEN s.query_source.job_info.job_id IS NOT NULL THEN 'JOB'
    WHEN s.query_source.pipeline_info.pipeline_id IS NOT NULL THEN 'PIPELINE'
    WHEN s.query_source.genie_space_id IS NOT NULL THEN 'GENIE'
    WHEN s.query_source.alert_id IS NOT NULL THEN 'ALERT'
    WHEN COALESCE(s.query_source.dashboard_id, s.query_source.legacy_dashboard_id) IS NOT NULL
      THEN 'DASHBOARD'
    WHEN s.query_source.notebook_id IS NOT NULL THEN 'NOTEBOOK'
    WHEN s.query_source.sql_query_id IS NOT NULL THEN 'SQL_QUERY'
    ELSE 'OTHER'
  END AS query_source_type,
  s.query_source.job_info.job_id AS query_source_job_id,
  s.query_source.job_info.job_run_id AS query_source_job_run_id,
  s.query_source.notebook_id AS query_source_notebook_id,
  COALESCE(s.query_source.dashboard_id, s.query_source.legacy_dashboard_id)
    AS query_source_dashboard_id,
  s.query_source.genie_space_id AS query_source_genie_space_id,
  s.query_source.pipeline_info.pipeline_id AS query_source_pipeline_id,
  s.query_fingerprint,
  s.statement_text_hash,
  NULLIF(REGEXP_EXTRACT(s.error_message, '\\[([A-Z0-9_.]+)\\]', 1), '') AS error_class,
  s.total_duration_ms,
  s.waiting_for_compute_duration_ms,
  s.waiting_at_capacity_duration_ms,
  s.compilation_duration_ms,
  s.execution_duration_ms,
  s.result_fetch_duration_ms,
  s.total_task_duration_ms,
  s.read_bytes,
  s.read_rows,
  s.read_files,
  s.pruned_files,
  s.produced_rows,
  s.written_bytes,
  s.spilled_local_bytes,
  s.shuffle_read_bytes,
  CAST(s.read_io_cache_percent AS INT) AS read_io_cache_percent,
  s.from_result_cache,
  s.spilled_local_bytes > 0 AS is_spilled,
  s.waiting_at_capacity_duration_ms > 0 AS is_queued,
  CASE
    WHEN s.cost_basis IN ('result_cache', 'not_executed') THEN CAST(0 AS DECIMAL(38, 18))
    ELSE c.dbus
  END AS attributed_dbus,
  CASE
    WHEN s.cost_basis IN ('result_cache', 'not_executed') THEN CAST(0 AS DECIMAL(38, 18))
    ELSE c.cost
  END AS attributed_cost,
  CASE
    WHEN s.cost_basis <> 'busy_share' THEN s.cost_basis
    WHEN COALESCE(c.billed_hour_count, 0) = 0 THEN 'not_billed'
    WHEN c.cost IS NULL THEN 'unpriced'
    WHEN c.billed_hour_count < c.hour_count THEN 'partly_billed'
    ELSE 'busy_share'
  END AS attribution_method,
  s.query_tags
FROM statements AS s
LEFT JOIN costs AS c ON c.workspace_id = s.workspace_id AND c.statement_id = s.statement_id
LEFT JOIN warehouses AS w
  ON w.workspace_id = s.workspace_id
  AND w.warehouse_id = s.compute.warehouse_id
  AND (w.holds_from IS NULL OR s.start_time >= w.holds_from)
  AND (w.holds_to IS NULL OR s.start_time < w.holds_to)
