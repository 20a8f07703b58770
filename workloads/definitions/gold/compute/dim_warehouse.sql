SELECT
  workspace_id,
  warehouse_id,
  __START_AT AS valid_from,
  __END_AT AS valid_to,
  __END_AT IS NULL AS is_current,
  account_id,
  warehouse_name,
  warehouse_type,
  warehouse_channel,
  warehouse_size,
  min_clusters,
  max_clusters,
  auto_stop_minutes,
  tags,
  created_by,
  delete_time
FROM silver.silver_warehouses
