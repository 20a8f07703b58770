SELECT
  sku_name,
  cloud,
  MIN(usage_unit) AS usage_unit,
  SORT_ARRAY(COLLECT_SET(billing_origin_product)) AS billing_origin_products,
  SORT_ARRAY(COLLECT_SET(product_features.performance_target)) AS performance_targets,
  MAX(
    COALESCE(
      usage_metadata.job_id,
      usage_metadata.notebook_id,
      usage_metadata.dlt_pipeline_id,
      usage_metadata.warehouse_id,
      usage_metadata.endpoint_id,
      usage_metadata.endpoint_name,
      usage_metadata.app_id
    ) IS NULL
  ) AS has_shared_usage,
  MIN(usage_date) AS first_used_date,
  MAX(usage_date) AS last_used_date
FROM silver.silver_usage
WHERE is_serverless
GROUP BY sku_name, cloud
