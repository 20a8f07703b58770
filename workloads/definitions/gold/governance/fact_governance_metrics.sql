WITH activity AS (
  SELECT
    event_date AS metric_date,
    COALESCE(workspace_id, '0') AS workspace_id,
    COALESCE(entity_type, 'unassigned') AS entity_type,
    COALESCE(created_by, 'unassigned') AS created_by,
    COALESCE(source_catalog_name, 'unassigned') AS source_catalog_name,
    COUNT_IF(is_read) AS read_events,
    COUNT_IF(is_write) AS write_events,
    COUNT(DISTINCT source_table_full_name) AS distinct_tables_read,
    COUNT(DISTINCT target_table_full_name) AS distinct_tables_written
  FROM gold.fact_table_lineage
  WHERE event_date BETWEEN :first_day AND :last_day
  GROUP BY
    event_date,
    COALESCE(workspace_id, '0'),
    COALESCE(entity_type, 'unassigned'),
    COALESCE(created_by, 'unassigned'),
    COALESCE(source_catalog_name, 'unassigned')
),
days AS (
  SELECT d.metric_date
  FROM (
    SELECT EXPLODE(SEQUENCE(MIN(__START_AT), MAX(snapshot_date), INTERVAL 1 DAY)) AS metric_date
    FROM silver.silver_information_schema_tables
  ) AS d
  WHERE d.metric_date BETWEEN :first_day AND :last_day
),
tables_seen AS (
  SELECT
    d.metric_date,
    t.table_catalog,
    CONCAT_WS('.', t.table_catalog, t.table_schema, t.table_name) AS table_full_name,
    NULLIF(TRIM(t.comment), '') IS NOT NULL AS is_documented,
    NULLIF(TRIM(t.table_owner), '') IS NOT NULL AS has_owner
  FROM silver.silver_information_schema_tables AS t
  JOIN days AS d ON d.metric_date BETWEEN t.__START_AT AND t.snapshot_date
  WHERE t.table_schema <> 'information_schema'
),
uses AS (
  SELECT source_table_full_name AS table_full_name, event_date, TRUE AS is_read
  FROM gold.fact_table_lineage
  WHERE source_table_full_name IS NOT NULL
    AND event_date BETWEEN DATE_SUB(:first_day, 29) AND :last_day
  UNION
  SELECT target_table_full_name AS table_full_name, event_date, FALSE AS is_read
  FROM gold.fact_table_lineage
  WHERE target_table_full_name IS NOT NULL
    AND event_date BETWEEN DATE_SUB(:first_day, 29) AND :last_day
),
tables_used AS (
  SELECT
    t.metric_date,
    t.table_catalog,
    t.table_full_name,
    ANY_VALUE(t.is_documented) AS is_documented,
    ANY_VALUE(t.has_owner) AS has_owner,
    COUNT(u.event_date) > 0 AS has_lineage,
    COUNT_IF(u.is_read) = 0 AS is_unused
  FROM tables_seen AS t
  LEFT JOIN uses AS u
    ON u.table_full_name = t.table_full_name
    AND u.event_date BETWEEN DATE_SUB(t.metric_date, 29) AND t.metric_date
  GROUP BY t.metric_date, t.table_catalog, t.table_full_name
),
lineage_kept AS (
  SELECT MIN(event_date) AS since FROM gold.fact_table_lineage
),
inventory AS (
  SELECT
    metric_date,
    table_catalog,
    COUNT(*) AS tables_total,
    COUNT_IF(is_documented) AS tables_documented,
    COUNT_IF(has_owner) AS tables_with_owner,
    COUNT_IF(has_lineage) AS tables_with_lineage,
    COUNT_IF(is_unused) AS unused_tables
  FROM tables_used
  GROUP BY metric_date, table_catalog
),
classified AS (
  SELECT MIN(__START_AT) AS since FROM silver.silver_data_classification_results
),
sensitive AS (
  -- What left the results was not found to be harmless: it counts until it is found otherwise
  SELECT
    d.metric_date,
    c.catalog_name,
    COUNT(DISTINCT c.schema_name, c.table_name, c.column_name) AS sensitive_columns
  FROM silver.silver_data_classification_results AS c
  JOIN days AS d
    ON c.__START_AT <= d.metric_date AND (c.__END_AT IS NULL OR d.metric_date < c.__END_AT)
  GROUP BY d.metric_date, c.catalog_name
)
SELECT
  metric_date,
  workspace_id,
  entity_type,
  created_by,
  source_catalog_name,
  read_events,
  write_events,
  distinct_tables_read,
  distinct_tables_written,
  CAST(NULL AS BIGINT) AS tables_total,
  CAST(NULL AS BIGINT) AS tables_documented,
  CAST(NULL AS BIGINT) AS tables_tagged,
  CAST(NULL AS BIGINT) AS tables_with_owner,
  CAST(NULL AS BIGINT) AS tables_with_lineage,
  CAST(NULL AS BIGINT) AS unused_tables,
  CAST(NULL AS BIGINT) AS sensitive_columns,
  CAST(NULL AS BIGINT) AS masked_sensitive_columns,
  CAST(NULL AS DOUBLE) AS coverage_pct
FROM activity
UNION ALL
SELECT
  i.metric_date,
  '0' AS workspace_id,
  'INVENTORY' AS entity_type,
  'unassigned' AS created_by,
  i.table_catalog AS source_catalog_name,
  CAST(NULL AS BIGINT) AS read_events,
  CAST(NULL AS BIGINT) AS write_events,
  CAST(NULL AS BIGINT) AS distinct_tables_read,
  CAST(NULL AS BIGINT) AS distinct_tables_written,
  i.tables_total,
  i.tables_documented,
  CAST(NULL AS BIGINT) AS tables_tagged,
  i.tables_with_owner,
  i.tables_with_lineage,
  CASE WHEN l.since <= DATE_SUB(i.metric_date, 29) THEN i.unused_tables END AS unused_tables,
  CASE WHEN c.since <= i.metric_date THEN COALESCE(s.sensitive_columns, 0L) END
    AS sensitive_columns,
  CAST(NULL AS BIGINT) AS masked_sensitive_columns,
  100.0D * i.tables_with_lineage / i.tables_total AS coverage_pct
FROM inventory AS i
CROSS JOIN lineage_kept AS l
CROSS JOIN classified AS c
LEFT JOIN sensitive AS s
  ON s.metric_date = i.metric_date AND s.catalog_name = i.table_catalog
