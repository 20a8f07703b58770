WITH runs AS (
  SELECT
    workspace_id,
    experiment_id,
    COUNT(*) AS run_count,
    COUNT_IF(status = 'FAILED') AS failed_run_count,
    MAX(start_time) AS last_run_time,
    MAX_BY(status, STRUCT(start_time, run_id)) AS last_run_status
  FROM silver.silver_mlflow_runs
  WHERE delete_time IS NULL
  GROUP BY workspace_id, experiment_id
)
SELECT
  e.workspace_id,
  e.experiment_id,
  e.account_id,
  e.name AS experiment_name,
  e.create_time,
  e.update_time,
  e.delete_time,
  e.delete_time IS NOT NULL AS is_deleted,
  COALESCE(r.run_count, 0) AS run_count,
  COALESCE(r.failed_run_count, 0) AS failed_run_count,
  r.last_run_time,
  r.last_run_status
FROM silver.silver_mlflow_experiments AS e
LEFT JOIN runs AS r
  ON r.workspace_id = e.workspace_id AND r.experiment_id = e.experiment_id
