SELECT
  usage_date,
  workspace_id,
  sku_name,
  SUM(record_count) AS record_count,
  SUM(correction_count) AS correction_count,
  SUM(unpriced_count) AS unpriced_count,
  SUM(dbus) AS dbus,
  SUM(list_cost) AS list_cost,
  SUM(effective_cost) AS effective_cost,
  SUM(contract_cost) AS contract_cost
FROM gold.summary_cost
GROUP BY usage_date, workspace_id, sku_name
