-- Without this check itself: a morning that found something would fail the next one.
SELECT job_name, run_id, run_start_time, result_state, termination_code
FROM gold.fact_job_run_timeline
WHERE is_failed
  AND STARTSWITH(job_name, :job_prefix)
  AND job_name <> CONCAT(:job_prefix, 'daily_health_check')
  AND run_date >= DATE_SUB(CURRENT_DATE(), 1)
ORDER BY run_start_time DESC
