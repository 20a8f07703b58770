WITH workloads AS (
  SELECT
    COALESCE(workspace_id, '0') AS workspace_id,
    DATE_TRUNC('HOUR', usage_start_time) AS usage_hour,
    sku_name,
    cloud,
    -- the product decides: one SKU bills jobs, monitoring and predictive optimization
    CASE
      WHEN usage_metadata_dlt_pipeline_id IS NOT NULL THEN 'PIPELINE'
      WHEN usage_metadata_job_id IS NOT NULL THEN 'JOB'
      WHEN usage_metadata_notebook_id IS NOT NULL THEN 'NOTEBOOK'
      WHEN usage_metadata_warehouse_id IS NOT NULL THEN 'WAREHOUSE'
      WHEN COALESCE(usage_metadata_endpoint_id, usage_metadata_endpoint_name) IS NOT NULL
        THEN 'ENDPOINT'
      WHEN usage_metadata_app_id IS NOT NULL THEN 'APP'
      ELSE COALESCE(billing_origin_product, 'UNKNOWN')
    END AS workload_type,
    COALESCE(
      usage_metadata_dlt_pipeline_id,
      usage_metadata_job_id,
      usage_metadata_notebook_id,
      usage_metadata_warehouse_id,
      usage_metadata_endpoint_id,
      usage_metadata_endpoint_name,
      usage_metadata_app_id
    ) AS workload_id,
    identity_metadata_run_as AS run_as,
    product_features_performance_target AS performance_target,
    dbus,
    effective_cost,
    price_status
  FROM gold.fact_usage
  WHERE is_serverless
    AND usage_start_time >= :first_day
    AND usage_start_time < DATE_ADD(:last_day, 1)
)
SELECT
  workspace_id,
  DATE(usage_hour) AS usage_date,
  usage_hour,
  sku_name,
  MIN(cloud) AS cloud,
  workload_type,
  COALESCE(workload_id, 'shared') AS workload_id,
  CASE WHEN MIN(run_as) = MAX(run_as) THEN MIN(run_as) END AS run_as,
  CASE WHEN MIN(performance_target) = MAX(performance_target) THEN MIN(performance_target) END
    AS performance_target,
  SUM(dbus) AS dbus,
  SUM(effective_cost) AS effective_cost,
  COUNT_IF(price_status = 'unpriced') AS unpriced_count,
  MAX(workload_id) IS NOT NULL AS is_attributed
FROM workloads
GROUP BY workspace_id, usage_hour, sku_name, workload_type, COALESCE(workload_id, 'shared')
