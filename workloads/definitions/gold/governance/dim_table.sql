WITH last_use AS (
  SELECT table_full_name, MAX(read_time) AS last_read_time, MAX(write_time) AS last_write_time
  FROM (
    SELECT
      source_table_full_name AS table_full_name,
      event_time AS read_time,
      CAST(NULL AS TIMESTAMP) AS write_time
    FROM silver.silver_table_lineage
    UNION ALL
    SELECT target_table_full_name, CAST(NULL AS TIMESTAMP), event_time
    FROM silver.silver_table_lineage
  )
  WHERE table_full_name IS NOT NULL
  GROUP BY table_full_name
),
pictures AS (
  SELECT
    table_catalog,
    table_schema,
    table_name,
    CONCAT_WS('.', table_catalog, table_schema, table_name) AS table_full_name,
    table_type,
    table_owner,
    comment,
    created,
    created_by,
    last_altered,
    last_altered_by,
    data_source_format,
    storage_path,
    seen_by,
    snapshot_date,
    __START_AT AS first_seen,
    __END_AT IS NULL AND snapshot_date < MAX(snapshot_date) OVER () AS is_gone
  FROM silver.silver_information_schema_tables
),
versions AS (
  SELECT p.*, first_seen AS day, TRUE AS is_visible FROM pictures AS p
  UNION ALL
  -- Absence is a version too: what it was like when it was last seen, and that it is not shown
  SELECT p.*, DATE_ADD(snapshot_date, 1) AS day, FALSE AS is_visible FROM pictures AS p WHERE is_gone
)
SELECT
  v.table_catalog AS catalog_name,
  v.table_schema AS schema_name,
  v.table_name,
  CAST(v.day AS TIMESTAMP) AS valid_from,
  CAST(LEAD(v.day) OVER (
    PARTITION BY v.table_catalog, v.table_schema, v.table_name ORDER BY v.day
  ) AS TIMESTAMP) AS valid_to,
  LEAD(v.day) OVER (
    PARTITION BY v.table_catalog, v.table_schema, v.table_name ORDER BY v.day
  ) IS NULL AS is_current,
  v.table_full_name,
  v.is_visible,
  v.snapshot_date AS last_seen_date,
  v.seen_by,
  v.table_type,
  v.table_owner,
  v.comment,
  NULLIF(TRIM(v.comment), '') IS NOT NULL AS is_documented,
  v.created,
  v.created_by,
  v.last_altered,
  v.last_altered_by,
  v.data_source_format,
  v.storage_path,
  u.last_read_time,
  u.last_write_time
FROM versions AS v
LEFT JOIN last_use AS u ON u.table_full_name = v.table_full_name
