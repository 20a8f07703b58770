WITH used AS (
  SELECT
    sku_name,
    cloud,
    MIN(usage_unit) AS usage_unit,
    MIN(billing_origin_product) AS billing_origin_product,
    MAX(is_serverless) AS is_serverless,
    MIN(usage_date) AS first_used_date,
    MAX(usage_date) AS last_used_date
  FROM silver.silver_usage
  GROUP BY sku_name, cloud
),
priced AS (
  SELECT sku_name, cloud, MIN(usage_unit) AS usage_unit
  FROM silver.silver_list_prices
  GROUP BY sku_name, cloud
)
SELECT
  COALESCE(used.sku_name, priced.sku_name) AS sku_name,
  COALESCE(used.cloud, priced.cloud) AS cloud,
  COALESCE(used.usage_unit, priced.usage_unit) AS usage_unit,
  used.billing_origin_product,
  COALESCE(used.is_serverless, UPPER(priced.sku_name) LIKE '%SERVERLESS%') AS is_serverless,
  priced.sku_name IS NOT NULL AS is_priced,
  used.first_used_date,
  used.last_used_date
FROM used
FULL OUTER JOIN priced
  ON used.sku_name = priced.sku_name AND used.cloud = priced.cloud
WHERE COALESCE(used.sku_name, priced.sku_name) IS NOT NULL
  AND COALESCE(used.cloud, priced.cloud) IS NOT NULL
