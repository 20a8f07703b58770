WITH usage AS (
  SELECT
    *,
    COALESCE(usage_metadata.warehouse_id, usage_metadata.cluster_id) AS compute_id,
    -- compute that many use at once: warehouses, and clusters that belong to no job or pipeline
    CASE
      WHEN usage_metadata.warehouse_id IS NOT NULL THEN 'warehouse'
      WHEN COALESCE(
        usage_metadata.job_id, usage_metadata.job_run_id, usage_metadata.dlt_pipeline_id
      ) IS NULL THEN 'cluster'
    END AS shared_kind
  FROM silver.silver_usage
),
infra AS (
  -- what the cloud charges for a day of a cluster or warehouse, and the DBUs to spread it over
  SELECT c.workspace_id, c.usage_date, c.compute_id, c.cost, CAST(SUM(u.dbus) AS DOUBLE) AS dbus
  FROM (
    SELECT
      workspace_id,
      usage_date,
      COALESCE(usage_metadata.warehouse_id, usage_metadata.cluster_id) AS compute_id,
      SUM(cost) AS cost
    FROM silver.silver_cloud_infra_cost
    WHERE currency_code = :currency AND usage_date BETWEEN :first_day AND :last_day
    GROUP BY
      workspace_id,
      usage_date,
      COALESCE(usage_metadata.warehouse_id, usage_metadata.cluster_id)
  ) AS c
  JOIN (
    SELECT
      workspace_id,
      usage_date,
      COALESCE(usage_metadata.warehouse_id, usage_metadata.cluster_id) AS compute_id,
      usage_quantity AS dbus
    FROM silver.silver_usage
    WHERE record_type = 'ORIGINAL' AND usage_unit = 'DBU' AND usage_quantity > 0
      AND usage_date BETWEEN :first_day AND :last_day
  ) AS u
    ON u.workspace_id = c.workspace_id
    AND u.usage_date = c.usage_date
    AND u.compute_id = c.compute_id
  GROUP BY c.workspace_id, c.usage_date, c.compute_id, c.cost
),
rules AS (
  SELECT
    ARRAY_SORT(
      COLLECT_LIST(
        STRUCT(
          priority,
          allocation_rule_id,
          valid_from,
          valid_to,
          is_tagged,
          workspace_id,
          billing_origin_products
        )
      )
    ) AS rules
  FROM gold.dim_cost_allocation
)
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
  CASE
    WHEN u.record_type = 'ORIGINAL' AND u.usage_unit = 'DBU' AND u.usage_quantity > 0 THEN
      CAST(i.cost AS DECIMAL(30, 18))
      * CAST(CAST(u.usage_quantity AS DOUBLE) / i.dbus AS DECIMAL(25, 18))
  END AS infra_cost,
  :currency AS currency_code,
  CASE WHEN p.effective_price IS NULL THEN 'unpriced' ELSE 'priced' END AS price_status,
  u.custom_tags,
  u.cost_center IS NOT NULL AS is_tagged,
  u.cost_center,
  TRY_ELEMENT_AT(
    FILTER(
      r.rules,
      x -> u.usage_end_time >= x.valid_from
        AND (x.valid_to IS NULL OR u.usage_end_time < x.valid_to)
        AND (x.is_tagged IS NULL OR x.is_tagged = (u.cost_center IS NOT NULL))
        AND (x.workspace_id IS NULL OR x.workspace_id <=> u.workspace_id)
        AND (
          x.billing_origin_products IS NULL
          OR ARRAY_CONTAINS(x.billing_origin_products, u.billing_origin_product)
        )
    ),
    1
  ).allocation_rule_id AS allocation_rule_id,
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
  u.usage_metadata.dlt_update_id AS usage_metadata_dlt_update_id,
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
    WHEN u.workspace_id IS NULL THEN 'shared'
    WHEN h.busy_share = 0 THEN 'idle'
    WHEN h.busy_share > 0 AND h.compute_kind = 'cluster' THEN 'estimated'
    WHEN COALESCE(
      u.usage_metadata.job_id,
      u.usage_metadata.job_run_id,
      u.usage_metadata.cluster_id,
      u.usage_metadata.warehouse_id,
      u.usage_metadata.dlt_pipeline_id,
      u.usage_metadata.notebook_id,
      u.usage_metadata.endpoint_id,
      u.usage_metadata.endpoint_name,
      u.usage_metadata.app_id
    ) IS NOT NULL THEN 'attributed'
    ELSE 'shared'
  END AS attribution_class,
  h.busy_share,
  CASE
    WHEN attribution_class IN ('attributed', 'estimated', 'idle') THEN
      CAST(effective_cost AS DECIMAL(30, 18)) * COALESCE(h.busy_share, CAST(1 AS DECIMAL(25, 18)))
  END AS attributed_cost,
  CASE
    WHEN h.busy_share IS NOT NULL AND attribution_class <> 'shared' THEN
      -- one digit less before the point: the difference of two full widths would lose a decimal
      CAST(effective_cost AS DECIMAL(37, 18)) - CAST(attributed_cost AS DECIMAL(37, 18))
  END AS idle_cost
FROM usage AS u
LEFT JOIN gold.dim_pricing AS p
  ON p.sku_name = u.sku_name
  AND p.cloud = u.cloud
  AND p.usage_unit = u.usage_unit
  AND p.currency_code = :currency
  AND u.usage_end_time >= p.valid_from
  AND (p.valid_to IS NULL OR u.usage_end_time < p.valid_to)
LEFT JOIN gold.compute_hours AS h
  ON h.usage_date = u.usage_date
  AND h.workspace_id = u.workspace_id
  AND h.compute_kind = u.shared_kind
  AND h.compute_id = u.compute_id
  AND h.hour_start = DATE_TRUNC('HOUR', u.usage_start_time)
LEFT JOIN infra AS i
  ON i.usage_date = u.usage_date
  AND i.workspace_id = u.workspace_id
  AND i.compute_id = u.compute_id
CROSS JOIN rules AS r
