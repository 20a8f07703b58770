SELECT
  workspace_id,
  CAST(__START_AT AS TIMESTAMP) AS valid_from,
  CAST(__END_AT AS TIMESTAMP) AS valid_to,
  __END_AT IS NULL AS is_current,
  account_id,
  workspace_name,
  workspace_url,
  create_time,
  status
FROM silver.silver_workspaces_latest
