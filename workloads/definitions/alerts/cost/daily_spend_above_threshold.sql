WITH days AS (
  SELECT usage_date, SUM(effective_cost) AS daily_cost
  FROM gold.summary_cost
  GROUP BY usage_date
)
SELECT
  usage_date,
  CAST(daily_cost AS DOUBLE) AS daily_cost
FROM days
WHERE usage_date < (SELECT MAX(usage_date) FROM days)
ORDER BY usage_date DESC
LIMIT 1
