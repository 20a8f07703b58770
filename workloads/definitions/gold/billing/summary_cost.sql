SELECT
  usage_date,
  COALESCE(workspace_id, '0') AS workspace_id,
  sku_name,
  COALESCE(cost_center, 'unassigned') AS cost_center,
  is_serverless,
  COUNT(*) AS record_count,
  COUNT_IF(is_correction) AS correction_count,
  COUNT_IF(price_status = 'unpriced') AS unpriced_count,
  SUM(dbus) AS dbus,
  SUM(list_cost) AS list_cost,
  SUM(effective_cost) AS effective_cost,
  SUM(contract_cost) AS contract_cost
FROM gold.fact_usage
GROUP BY
  usage_date,
  COALESCE(workspace_id, '0'),
  sku_name,
  COALESCE(cost_center, 'unassigned'),
  is_serverless
