SELECT
  usage_date,
  workspace_id,
  CASE WHEN usage_metadata_warehouse_id IS NULL THEN 'cluster' ELSE 'warehouse' END
    AS compute_kind,
  COALESCE(usage_metadata_warehouse_id, usage_metadata_cluster_id) AS compute_id,
  DATE_TRUNC('HOUR', usage_start_time) AS hour_start,
  SUM(dbus) AS dbus,
  SUM(effective_cost) AS effective_cost,
  SUM(CAST(dbus AS DECIMAL(30, 18)) * CAST(busy_share AS DECIMAL(25, 18))) AS busy_dbus,
  SUM(CASE WHEN busy_share IS NOT NULL THEN attributed_cost END) AS busy_cost,
  SUM(idle_cost) AS idle_cost,
  SUM(infra_cost) AS infra_cost,
  COUNT_IF(price_status = 'unpriced') AS unpriced_count
FROM gold.fact_usage
WHERE workspace_id IS NOT NULL
  AND usage_start_time IS NOT NULL
  AND COALESCE(usage_metadata_warehouse_id, usage_metadata_cluster_id) IS NOT NULL
GROUP BY
  usage_date,
  workspace_id,
  CASE WHEN usage_metadata_warehouse_id IS NULL THEN 'cluster' ELSE 'warehouse' END,
  COALESCE(usage_metadata_warehouse_id, usage_metadata_cluster_id),
  DATE_TRUNC('HOUR', usage_start_time)
