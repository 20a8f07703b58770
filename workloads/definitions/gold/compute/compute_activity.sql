WITH child_runs AS (
  -- what a run starts as a notebook keeps nothing busy that its parent does not
  SELECT DISTINCT workspace_id, run_id
  FROM silver.silver_job_run_timeline
  WHERE run_type = 'WORKFLOW_RUN'
),
slices AS (
  SELECT workspace_id, run_id, period_start_time, period_end_time, compute_ids
  FROM silver.silver_job_run_timeline
  UNION ALL
  -- a run does not always name its compute, its tasks do
  SELECT workspace_id, job_run_id AS run_id, period_start_time, period_end_time, compute_ids
  FROM silver.silver_job_task_run_timeline
  WHERE job_run_id IS NOT NULL
),
placed AS (
  SELECT
    workspace_id,
    run_id,
    period_start_time AS begins,
    period_end_time AS ends,
    EXPLODE(compute_ids) AS compute_id
  FROM slices
),
uses AS (
  SELECT
    p.workspace_id,
    'cluster' AS compute_kind,
    p.compute_id,
    'run' AS user_kind,
    p.run_id AS user_id,
    p.begins,
    p.ends,
    CAST(NULL AS BIGINT) AS task_ms
  FROM placed AS p
  LEFT ANTI JOIN child_runs AS c ON c.workspace_id = p.workspace_id AND c.run_id = p.run_id
  LEFT ANTI JOIN silver.silver_warehouses AS w
    ON w.workspace_id = p.workspace_id AND w.warehouse_id = p.compute_id
  UNION ALL
  SELECT
    workspace_id,
    'cluster' AS compute_kind,
    compute.cluster_id AS compute_id,
    'update' AS user_kind,
    update_id AS user_id,
    period_start_time AS begins,
    period_end_time AS ends,
    CAST(NULL AS BIGINT) AS task_ms
  FROM silver.silver_pipeline_update_timeline
  WHERE compute.cluster_id IS NOT NULL
  UNION ALL
  SELECT
    workspace_id,
    'warehouse' AS compute_kind,
    compute.warehouse_id AS compute_id,
    'statement' AS user_kind,
    statement_id AS user_id,
    TIMESTAMP_MICROS(UNIX_MICROS(end_time) - execution_duration_ms * 1000) AS begins,
    end_time AS ends,
    COALESCE(total_task_duration_ms, 0) AS task_ms
  FROM silver.silver_query_history
  WHERE compute.warehouse_id IS NOT NULL
    AND execution_duration_ms > 0
    AND NOT COALESCE(from_result_cache, false)
),
by_hour AS (
  SELECT
    workspace_id,
    compute_kind,
    compute_id,
    user_kind,
    user_id,
    begins,
    ends,
    task_ms,
    EXPLODE(
      SEQUENCE(
        DATE_TRUNC('HOUR', begins),
        DATE_TRUNC('HOUR', ends - INTERVAL 1 MICROSECOND),
        INTERVAL 1 HOUR
      )
    ) AS hour_start
  FROM uses
  WHERE begins < ends
),
cut AS (
  SELECT
    workspace_id,
    compute_kind,
    compute_id,
    user_kind,
    user_id,
    begins,
    ends,
    task_ms,
    hour_start,
    GREATEST(begins, hour_start) AS from_time,
    LEAST(ends, hour_start + INTERVAL 1 HOUR) AS to_time
  FROM by_hour
)
SELECT
  workspace_id,
  compute_kind,
  compute_id,
  user_kind,
  user_id,
  begins,
  ends,
  hour_start,
  DATE(hour_start) AS usage_date,
  from_time,
  to_time,
  UNIX_MICROS(to_time) - UNIX_MICROS(from_time) AS overlap_us,
  CAST(
    CAST(task_ms AS DECIMAL(18, 0)) * (UNIX_MICROS(to_time) - UNIX_MICROS(from_time))
      / (UNIX_MICROS(ends) - UNIX_MICROS(begins))
    AS DECIMAL(20, 6)
  ) AS work_ms
FROM cut
