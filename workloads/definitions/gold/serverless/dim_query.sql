SELECT
  query_fingerprint,
  MAX_BY(statement_type, STRUCT(start_time, statement_id)) AS statement_type,
  MAX_BY(statement_text_hash, STRUCT(start_time, statement_id)) AS last_statement_text_hash,
  MAX_BY(executed_by, STRUCT(start_time, statement_id)) AS last_executed_by,
  MIN(start_time) AS first_seen_time,
  MAX(start_time) AS last_seen_time,
  COUNT(*) AS statement_count
FROM silver.silver_query_history
WHERE query_fingerprint IS NOT NULL
GROUP BY query_fingerprint
