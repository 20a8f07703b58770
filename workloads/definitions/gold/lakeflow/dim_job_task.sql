SELECT
  workspace_id,
  job_id,
  task_key,
  __START_AT AS valid_from,
  __END_AT AS valid_to,
  __END_AT IS NULL AS is_current,
  account_id,
  depends_on_keys,
  timeout_seconds,
  health_rules,
  delete_time
FROM silver.silver_job_tasks
