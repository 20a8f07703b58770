WITH seen AS (
  SELECT
    table_catalog AS catalog_name,
    table_schema AS schema_name,
    MIN(__START_AT) AS first_seen,
    MAX(snapshot_date) AS last_seen,
    MAX_BY(seen_by, STRUCT(snapshot_date, seen_by)) AS seen_by
  FROM silver.silver_information_schema_tables
  GROUP BY table_catalog, table_schema
),
pictures AS (
  SELECT
    catalog_name,
    schema_name,
    first_seen,
    last_seen,
    seen_by,
    MAX(last_seen) OVER () AS last_picture
  FROM seen
),
versions AS (
  SELECT catalog_name, schema_name, first_seen AS day, TRUE AS is_visible, last_seen, seen_by
  FROM pictures
  UNION ALL
  -- Absence is a version too
  SELECT
    catalog_name,
    schema_name,
    DATE_ADD(last_seen, 1) AS day,
    FALSE AS is_visible,
    last_seen,
    seen_by
  FROM pictures
  WHERE last_seen < last_picture
),
holds AS (
  SELECT
    t.table_catalog AS catalog_name,
    t.table_schema AS schema_name,
    COUNT(DISTINCT t.table_name) AS table_count,
    COUNT(DISTINCT t.table_owner) AS owner_count
  FROM silver.silver_information_schema_tables AS t
  JOIN seen AS s
    ON s.catalog_name = t.table_catalog
    AND s.schema_name = t.table_schema
    AND s.last_seen = t.snapshot_date
  GROUP BY t.table_catalog, t.table_schema
)
SELECT
  v.catalog_name,
  v.schema_name,
  CAST(v.day AS TIMESTAMP) AS valid_from,
  CAST(LEAD(v.day) OVER (
    PARTITION BY v.catalog_name, v.schema_name ORDER BY v.day
  ) AS TIMESTAMP) AS valid_to,
  LEAD(v.day) OVER (PARTITION BY v.catalog_name, v.schema_name ORDER BY v.day) IS NULL AS is_current,
  v.is_visible,
  v.last_seen AS last_seen_date,
  v.seen_by,
  v.schema_name = 'information_schema' AS is_information_schema,
  h.table_count,
  h.owner_count
FROM versions AS v
LEFT JOIN holds AS h ON h.catalog_name = v.catalog_name AND h.schema_name = v.schema_name
