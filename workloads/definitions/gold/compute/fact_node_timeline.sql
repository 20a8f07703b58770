WITH records AS (
  SELECT
    *,
    UNIX_MICROS(end_time) - UNIX_MICROS(start_time) AS length_us,
    cpu_user_percent + cpu_system_percent AS cpu_used_percent
  FROM silver.silver_node_timeline
  WHERE start_time >= :first_day AND start_time < DATE_ADD(:last_day, 1)
),
clusters AS (
  -- what ran before the first version that is known counts to that version
  SELECT
    workspace_id,
    cluster_id,
    cluster_name,
    CASE
      WHEN __START_AT > MIN(__START_AT) OVER (PARTITION BY workspace_id, cluster_id)
        THEN __START_AT
    END AS holds_from,
    __END_AT AS holds_to
  FROM silver.silver_clusters
)
SELECT
  r.account_id,
  r.workspace_id,
  r.cluster_id,
  c.cluster_name,
  r.instance_id,
  r.node_type,
  r.driver,
  r.start_time,
  r.end_time,
  DATE(r.start_time) AS record_date,
  DATE_TRUNC('HOUR', r.start_time) AS record_hour,
  CAST(r.length_us / CAST(60000000 AS DECIMAL(8, 0)) AS DECIMAL(12, 6)) AS record_minutes,
  r.cpu_user_percent,
  r.cpu_system_percent,
  r.cpu_wait_percent,
  r.cpu_used_percent + r.cpu_wait_percent AS cpu_total_percent,
  r.mem_used_percent,
  r.mem_swap_percent,
  r.network_sent_bytes,
  r.network_received_bytes,
  ARRAY_MIN(MAP_VALUES(r.disk_free_bytes_per_mount_point)) AS min_disk_free_bytes,
  n.core_count,
  n.memory_mb,
  n.gpu_count,
  r.cpu_used_percent < 5 AS is_idle
FROM records AS r
LEFT JOIN gold.dim_node_type AS n ON n.node_type = r.node_type
LEFT JOIN clusters AS c
  ON c.workspace_id = r.workspace_id
  AND c.cluster_id = r.cluster_id
  AND (c.holds_from IS NULL OR r.start_time >= c.holds_from)
  AND (c.holds_to IS NULL OR r.start_time < c.holds_to)
