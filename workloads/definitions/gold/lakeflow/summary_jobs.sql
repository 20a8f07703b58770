SELECT
  run_date,
  workspace_id,
  COALESCE(job_id, 'none') AS job_id,
  MAX_BY(job_name, STRUCT(run_start_time, run_id)) AS job_name,
  COUNT(*) AS run_count,
  COUNT_IF(is_success) AS succeeded_count,
  COUNT_IF(is_failed) AS failed_count,
  COUNT_IF(is_repaired) AS repaired_count,
  SUM(GREATEST(attempt_count - 1, 0)) AS retry_count,
  SUM(run_duration_seconds) AS total_duration_seconds,
  PERCENTILE(CASE WHEN is_terminal THEN run_duration_seconds END, 0.5) AS p50_duration_seconds,
  PERCENTILE(CASE WHEN is_terminal THEN run_duration_seconds END, 0.95) AS p95_duration_seconds,
  SUM(dbus) AS dbus,
  SUM(effective_cost) AS effective_cost,
  SUM(estimated_cost) AS estimated_cost,
  SUM(wasted_cost) AS wasted_cost,
  COUNT_IF(sla_breached) AS sla_breach_count
FROM gold.fact_job_run_timeline
GROUP BY run_date, workspace_id, COALESCE(job_id, 'none')
