WITH pictures AS (
  SELECT
    *,
    TO_JSON(STRUCT(account_id, workspace_name, workspace_url, create_time, status)) AS looks,
    LAG(TO_JSON(STRUCT(account_id, workspace_name, workspace_url, create_time, status))) OVER (
      PARTITION BY workspace_id
      ORDER BY snapshot_date
    ) AS looked
  FROM silver.silver_workspaces_latest
),
versions AS (
  SELECT * FROM pictures WHERE NOT looks <=> looked
)
SELECT
  workspace_id,
  CAST(snapshot_date AS TIMESTAMP) AS valid_from,
  CAST(LEAD(snapshot_date) OVER by_workspace AS TIMESTAMP) AS valid_to,
  LEAD(snapshot_date) OVER by_workspace IS NULL AS is_current,
  account_id,
  workspace_name,
  workspace_url,
  create_time,
  status
FROM versions
WINDOW by_workspace AS (PARTITION BY workspace_id ORDER BY snapshot_date)
