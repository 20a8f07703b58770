WITH source AS (
  SELECT MAX(usage_date) AS bronze_day
  FROM bronze.bronze_usage
),
summary AS (
  SELECT MAX(usage_date) AS gold_day
  FROM gold.summary_cost
)
SELECT s.bronze_day, m.gold_day
FROM source AS s
CROSS JOIN summary AS m
WHERE s.bronze_day IS NULL OR m.gold_day IS NULL OR m.gold_day < s.bronze_day
