WITH seen AS (
  SELECT
    table_catalog AS catalog_name,
    MIN(__START_AT) AS first_seen,
    MAX(snapshot_date) AS last_seen,
    MAX_BY(seen_by, STRUCT(snapshot_date, seen_by)) AS seen_by
  FROM silver.silver_information_schema_tables
  GROUP BY table_catalog
),
pictures AS (
  SELECT catalog_name, first_seen, last_seen, seen_by, MAX(last_seen) OVER () AS last_picture
  FROM seen
),
versions AS (
  SELECT catalog_name, first_seen AS day, TRUE AS is_visible, last_seen, seen_by FROM pictures
  UNION ALL
  -- Absence is a version too
  SELECT catalog_name, DATE_ADD(last_seen, 1) AS day, FALSE AS is_visible, last_seen, seen_by
  FROM pictures
  WHERE last_seen < last_picture
),
holds AS (
  SELECT
    t.table_catalog AS catalog_name,
    COUNT(DISTINCT t.table_schema) AS schema_count,
    COUNT(DISTINCT t.table_schema, t.table_name) AS table_count
  FROM silver.silver_information_schema_tables AS t
  JOIN seen AS s ON s.catalog_name = t.table_catalog AND s.last_seen = t.snapshot_date
  WHERE t.table_schema <> 'information_schema'
  GROUP BY t.table_catalog
)
SELECT
  v.catalog_name,
  CAST(v.day AS TIMESTAMP) AS valid_from,
  CAST(LEAD(v.day) OVER (PARTITION BY v.catalog_name ORDER BY v.day) AS TIMESTAMP) AS valid_to,
  LEAD(v.day) OVER (PARTITION BY v.catalog_name ORDER BY v.day) IS NULL AS is_current,
  v.is_visible,
  v.last_seen AS last_seen_date,
  v.seen_by,
  CASE
    WHEN v.catalog_name = 'system' OR STARTSWITH(v.catalog_name, '__databricks') THEN 'system'
    WHEN v.catalog_name = 'samples' THEN 'samples'
    WHEN v.catalog_name = 'hive_metastore' THEN 'legacy'
    ELSE 'own'
  END AS catalog_class,
  COALESCE(h.schema_count, 0) AS schema_count,
  COALESCE(h.table_count, 0) AS table_count
FROM versions AS v
LEFT JOIN holds AS h ON h.catalog_name = v.catalog_name
