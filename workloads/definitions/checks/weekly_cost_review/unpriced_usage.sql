WITH last_days AS (
  SELECT DATE_SUB(MAX(usage_date), 1) AS last_day
  FROM gold.summary_cost
)
SELECT
  u.sku_name,
  u.usage_unit,
  COUNT(*) AS records,
  SUM(u.usage_quantity) AS quantity
FROM gold.fact_usage AS u
CROSS JOIN last_days AS l
WHERE u.price_status = 'unpriced'
  AND u.usage_date > DATE_SUB(l.last_day, 7)
  AND u.usage_date <= l.last_day
GROUP BY u.sku_name, u.usage_unit
ORDER BY quantity DESC, u.sku_name
