-- The last day is still being billed, so a week ends with the day before it.
WITH last_days AS (
  SELECT DATE_SUB(MAX(usage_date), 1) AS last_day
  FROM gold.summary_cost
),
weeks AS (
  SELECT
    u.workspace_id,
    SUM(CASE WHEN u.usage_date > DATE_SUB(l.last_day, 7) THEN u.effective_cost END) AS this_week,
    SUM(CASE WHEN u.usage_date <= DATE_SUB(l.last_day, 7) THEN u.effective_cost END) AS week_before
  FROM gold.summary_cost AS u
  CROSS JOIN last_days AS l
  WHERE u.usage_date > DATE_SUB(l.last_day, 14) AND u.usage_date <= l.last_day
  GROUP BY 1
)
SELECT
  workspace_id,
  CAST(this_week AS DECIMAL(38, 2)) AS this_week,
  CAST(week_before AS DECIMAL(38, 2)) AS week_before,
  CAST(COALESCE(this_week, 0) - COALESCE(week_before, 0) AS DECIMAL(38, 2)) AS difference
FROM weeks
ORDER BY ABS(COALESCE(this_week, 0) - COALESCE(week_before, 0)) DESC, workspace_id
