WITH seen AS (
  SELECT
    workspace_id,
    usage_metadata.notebook_id AS notebook_id,
    usage_metadata.notebook_path AS notebook_path,
    usage_start_time AS seen_time,
    'usage' AS seen_in
  FROM silver.silver_usage
  WHERE usage_metadata.notebook_id IS NOT NULL
  UNION ALL
  SELECT
    workspace_id,
    query_source.notebook_id AS notebook_id,
    CAST(NULL AS STRING) AS notebook_path,
    start_time AS seen_time,
    'queries' AS seen_in
  FROM silver.silver_query_history
  WHERE query_source.notebook_id IS NOT NULL
  UNION ALL
  SELECT
    workspace_id,
    entity_id AS notebook_id,
    CAST(NULL AS STRING) AS notebook_path,
    event_time AS seen_time,
    'lineage' AS seen_in
  FROM silver.silver_table_lineage
  WHERE entity_type = 'NOTEBOOK' AND entity_id IS NOT NULL
)
SELECT
  workspace_id,
  notebook_id,
  MAX_BY(notebook_path, STRUCT(seen_time, notebook_path)) FILTER (WHERE notebook_path IS NOT NULL) AS notebook_path,
  MIN(seen_time) AS first_seen_time,
  MAX(seen_time) AS last_seen_time,
  MAX(seen_in = 'usage') AS is_seen_in_usage,
  MAX(seen_in = 'queries') AS is_seen_in_queries,
  MAX(seen_in = 'lineage') AS is_seen_in_lineage
FROM seen
WHERE workspace_id IS NOT NULL
GROUP BY workspace_id, notebook_id
