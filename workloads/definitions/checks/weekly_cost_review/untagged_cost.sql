WITH last_days AS (
  SELECT DATE_SUB(MAX(usage_date), 1) AS last_day
  FROM gold.summary_cost
),
costs AS (
  SELECT
    COALESCE(u.workspace_id, '0') AS workspace_id,
    SUM(u.effective_cost) AS total,
    SUM(CASE WHEN NOT u.is_tagged THEN u.effective_cost END) AS untagged
  FROM gold.fact_usage AS u
  CROSS JOIN last_days AS l
  WHERE u.usage_date > DATE_SUB(l.last_day, 7) AND u.usage_date <= l.last_day
  GROUP BY COALESCE(u.workspace_id, '0')
)
SELECT
  workspace_id,
  CAST(untagged AS DECIMAL(38, 2)) AS cost,
  CAST(100 * untagged / NULLIF(total, 0) AS DECIMAL(5, 1)) AS share
FROM costs
WHERE untagged > 0
ORDER BY untagged DESC, workspace_id
