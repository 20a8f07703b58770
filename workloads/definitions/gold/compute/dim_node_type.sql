SELECT
  node_type,
  MAX(core_count) AS core_count,
  MAX(memory_mb) AS memory_mb,
  MAX(gpu_count) AS gpu_count,
  MAX(gpu_count) > 0 AS has_gpu
FROM silver.silver_node_types
GROUP BY node_type
