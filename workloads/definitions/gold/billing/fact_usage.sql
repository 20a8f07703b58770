SELECT
  u.record_id,
  u.account_id,
  u.workspace_id,
  u.usage_date,
  u.usage_start_time,
  u.usage_end_time,
  u.ingestion_date,
  u.record_type,
  NOT u.record_type <=> 'ORIGINAL' AS is_correction,
  u.sku_name,
  u.cloud,
  u.usage_unit,
  u.usage_quantity,
  CASE WHEN u.usage_unit = 'DBU' THEN u.usage_quantity END AS dbus,
  u.usage_type,
  u.billing_origin_product,
  p.list_price,
  -- (30,18) x (25,18) is the widest product that keeps 18 decimals in DECIMAL(38)
  CAST(u.usage_quantity AS DECIMAL(30, 18)) * CAST(p.list_price AS DECIMAL(25, 18)) AS list_cost,
  p.effective_price,
  CAST(u.usage_quantity AS DECIMAL(30, 18)) * CAST(p.effective_price AS DECIMAL(25, 18))
    AS effective_cost,
  p.contract_price,
  CAST(u.usage_quantity AS DECIMAL(30, 18)) * CAST(p.contract_price AS DECIMAL(25, 18))
    AS contract_cost,
  CAST(NULL AS DECIMAL(38, 18)) AS infra_cost,
  :currency AS currency_code,
  CASE WHEN p.effective_price IS NULL THEN 'unpriced' ELSE 'priced' END AS price_status,
  u.custom_tags,
  u.cost_center IS NOT NULL AS is_tagged,
  u.cost_center,
  CAST(NULL AS STRING) AS allocation_rule_id,
  u.is_serverless,
  u.product_features.is_serverless AS product_features_is_serverless,
  u.product_features.is_photon AS product_features_is_photon,
  u.product_features.jobs_tier AS product_features_jobs_tier,
  u.product_features.sql_tier AS product_features_sql_tier,
  u.product_features.performance_target AS product_features_performance_target,
  u.usage_metadata.cluster_id AS usage_metadata_cluster_id,
  u.usage_metadata.job_id AS usage_metadata_job_id,
  u.usage_metadata.job_run_id AS usage_metadata_job_run_id,
  u.usage_metadata.warehouse_id AS usage_metadata_warehouse_id,
  u.usage_metadata.dlt_pipeline_id AS usage_metadata_dlt_pipeline_id,
  u.usage_metadata.notebook_id AS usage_metadata_notebook_id,
  u.usage_metadata.endpoint_id AS usage_metadata_endpoint_id,
  u.usage_metadata.endpoint_name AS usage_metadata_endpoint_name,
  u.usage_metadata.app_id AS usage_metadata_app_id,
  u.usage_metadata.budget_policy_id AS usage_metadata_budget_policy_id,
  u.usage_metadata.node_type AS usage_metadata_node_type,
  u.identity_metadata.run_as AS identity_metadata_run_as,
  u.identity_metadata.owned_by AS identity_metadata_owned_by,
  u.identity_metadata.created_by AS identity_metadata_created_by,
  CASE
    WHEN p.effective_price IS NULL THEN 'unpriced'
    WHEN COALESCE(
      u.usage_metadata.job_id,
      u.usage_metadata.cluster_id,
      u.usage_metadata.warehouse_id,
      u.usage_metadata.dlt_pipeline_id,
      u.usage_metadata.notebook_id,
      u.usage_metadata.endpoint_id,
      u.usage_metadata.endpoint_name,
      u.usage_metadata.app_id
    ) IS NOT NULL THEN 'attributed'
    ELSE 'shared'
  END AS attribution_class
FROM silver.silver_usage AS u
LEFT JOIN gold.dim_pricing AS p
  ON p.sku_name = u.sku_name
  AND p.cloud = u.cloud
  AND p.usage_unit = u.usage_unit
  AND p.currency_code = :currency
  AND u.usage_end_time >= p.valid_from
  AND (p.valid_to IS NULL OR u.usage_end_time < p.valid_to)
