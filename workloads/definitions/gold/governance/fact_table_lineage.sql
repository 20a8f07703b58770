WITH columns_moved AS (
  SELECT
    event_date,
    workspace_id,
    event_id,
    source_table_full_name,
    target_table_full_name,
    COUNT(DISTINCT STRUCT(source_column_name, target_column_name)) AS column_count
  FROM silver.silver_column_lineage
  WHERE event_date BETWEEN :first_day AND :last_day
  GROUP BY event_date, workspace_id, event_id, source_table_full_name, target_table_full_name
),
flows AS (
  SELECT
    record_id,
    event_id,
    account_id,
    metastore_id,
    workspace_id,
    event_time,
    event_date,
    entity_type,
    entity_id,
    entity_run_id,
    created_by,
    source_table_full_name,
    source_table_catalog,
    source_path,
    source_type,
    target_table_full_name,
    target_table_catalog,
    target_path,
    target_type,
    direct_access,
    statement_id,
    ROW_NUMBER() OVER (PARTITION BY event_date, record_id ORDER BY event_time) AS copy
  FROM silver.silver_table_lineage
  WHERE event_date BETWEEN :first_day AND :last_day
)
SELECT
  t.record_id,
  t.event_id,
  t.account_id,
  t.metastore_id,
  t.workspace_id,
  t.event_time,
  t.event_date,
  t.entity_type,
  t.entity_id,
  t.entity_run_id,
  t.created_by,
  t.source_table_full_name,
  t.source_table_catalog AS source_catalog_name,
  t.source_path,
  t.source_type,
  t.target_table_full_name,
  t.target_table_catalog AS target_catalog_name,
  t.target_path,
  t.target_type,
  COALESCE(t.source_table_full_name, t.source_path) IS NOT NULL AS is_read,
  COALESCE(t.target_table_full_name, t.target_path) IS NOT NULL AS is_write,
  t.direct_access,
  c.column_count,
  t.statement_id
FROM flows AS t
LEFT JOIN columns_moved AS c
  ON c.event_date = t.event_date
  AND c.workspace_id <=> t.workspace_id
  AND c.event_id = t.event_id
  AND c.source_table_full_name <=> t.source_table_full_name
  AND c.target_table_full_name <=> t.target_table_full_name
WHERE t.copy = 1
