SELECT
  query_date,
  workspace_id,
  COALESCE(compute_warehouse_id, 'none') AS compute_warehouse_id,
  COALESCE(query_fingerprint, 'unknown') AS query_fingerprint,
  COUNT(*) AS query_count,
  COUNT_IF(execution_status = 'FAILED') AS failed_count,
  COUNT_IF(from_result_cache) AS cached_count,
  COUNT_IF(is_queued) AS queued_count,
  COUNT_IF(is_spilled) AS spilled_count,
  -- a cached answer says nothing of how long the query takes
  PERCENTILE(CASE WHEN NOT COALESCE(from_result_cache, false) THEN total_duration_ms END, 0.5)
    AS p50_duration_ms,
  PERCENTILE(CASE WHEN NOT COALESCE(from_result_cache, false) THEN total_duration_ms END, 0.95)
    AS p95_duration_ms,
  SUM(read_bytes) AS read_bytes,
  SUM(attributed_dbus) AS attributed_dbus,
  SUM(attributed_cost) AS attributed_cost
FROM gold.fact_query_history
GROUP BY
  query_date,
  workspace_id,
  COALESCE(compute_warehouse_id, 'none'),
  COALESCE(query_fingerprint, 'unknown')
