SELECT
  workspace_id,
  cluster_id,
  change_time AS valid_from,
  LEAD(change_time) OVER by_cluster AS valid_to,
  LEAD(change_time) OVER by_cluster IS NULL AS is_current,
  account_id,
  cluster_name,
  owned_by,
  create_time,
  delete_time,
  driver_node_type,
  worker_node_type,
  worker_count,
  min_autoscale_workers,
  max_autoscale_workers,
  auto_termination_minutes,
  tags,
  cluster_source,
  dbr_version,
  data_security_mode,
  policy_id
FROM silver.silver_clusters
WINDOW by_cluster AS (PARTITION BY workspace_id, cluster_id ORDER BY change_time)
