WITH results AS (
  SELECT
    event_time,
    DATE(event_time) AS check_date,
    catalog_name,
    schema_name,
    table_name,
    status,
    freshness,
    completeness,
    downstream_impact,
    -- A table that was made anew within the check has two ids and one name
    ROW_NUMBER() OVER (
      PARTITION BY DATE(event_time), event_time, catalog_name, schema_name, table_name
      ORDER BY table_id DESC
    ) AS place
  FROM silver.silver_data_quality_table_results
  WHERE event_time >= :first_day AND event_time < DATE_ADD(:last_day, 1)
),
assessed AS (
  SELECT
    event_time AS check_time,
    check_date,
    catalog_name,
    schema_name,
    table_name,
    status,
    freshness.status AS freshness_status,
    UNIX_TIMESTAMP(event_time) - UNIX_TIMESTAMP(freshness.commit_freshness.last_value)
      AS freshness_lag_seconds,
    completeness.status AS completeness_status,
    completeness.total_row_count.last_value AS row_count,
    completeness.total_row_count.min_predicted_value AS expected_min_rows,
    completeness.total_row_count.max_predicted_value AS expected_max_rows,
    downstream_impact.impact_level AS impact_level,
    downstream_impact.num_downstream_tables AS downstream_tables,
    downstream_impact.num_queries_on_affected_tables AS impacted_queries,
    CAST(freshness.status IN ('Healthy', 'Unhealthy') AS INT) AS freshness_known,
    CAST(completeness.status IN ('Healthy', 'Unhealthy') AS INT) AS completeness_known,
    CAST(freshness.status = 'Unhealthy' AS INT) AS freshness_bad,
    CAST(completeness.status = 'Unhealthy' AS INT) AS completeness_bad
  FROM results
  WHERE place = 1
),
judged AS (
  SELECT
    *,
    COALESCE(freshness_known, 0) + COALESCE(completeness_known, 0) AS verdicts,
    COALESCE(freshness_bad, 0) + COALESCE(completeness_bad, 0) AS violations
  FROM assessed
),
rules AS (
  -- An event that is read twice is one
  SELECT
    table_full_name,
    update_id,
    DATE(checked_at) AS check_date,
    rule,
    MAX(level) AS level,
    MAX(checked_at) AS checked_at,
    MAX(records_checked) AS records_checked,
    MAX(records_failed) AS records_failed
  FROM platform.expectation_results
  WHERE checked_at >= :first_day AND checked_at < DATE_ADD(:last_day, 1)
  GROUP BY table_full_name, update_id, DATE(checked_at), rule
),
updates AS (
  SELECT
    table_full_name,
    check_date,
    update_id,
    MAX(checked_at) AS check_time,
    MAX(records_checked) AS records_checked,
    MAX(records_failed) AS records_failed,
    SUM(records_checked) AS checks,
    SUM(records_failed) AS failures,
    COUNT_IF(records_failed > 0) AS violations,
    COUNT_IF(records_failed > 0 AND level IN ('drop', 'fail')) AS critical_violations
  FROM rules
  GROUP BY table_full_name, check_date, update_id
),
expectations AS (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY check_date, table_full_name, check_time ORDER BY update_id DESC
    ) AS place
  FROM updates
)
SELECT
  CONCAT_WS('.', catalog_name, schema_name, table_name) AS table_full_name,
  catalog_name,
  schema_name,
  table_name,
  check_time,
  check_date,
  'data_quality_monitoring' AS check_source,
  status AS overall_status,
  freshness_status,
  freshness_lag_seconds,
  completeness_status,
  row_count,
  expected_min_rows,
  expected_max_rows,
  CAST(NULL AS BIGINT) AS records_checked,
  CAST(NULL AS BIGINT) AS records_failed,
  CASE WHEN verdicts > 0 THEN 100.0D * (verdicts - violations) / verdicts END AS quality_score,
  CASE WHEN verdicts > 0 THEN CAST(violations AS BIGINT) END AS violation_count,
  CASE
    WHEN verdicts = 0 THEN NULL
    WHEN violations = 0 THEN 0L
    WHEN impact_level >= 3 THEN CAST(violations AS BIGINT)
    WHEN impact_level < 3 THEN 0L
  END AS critical_violation_count,
  CASE
    WHEN verdicts = 0 THEN NULL
    WHEN violations = 0 THEN FALSE
    ELSE impact_level >= 3
  END AS has_critical_violations,
  downstream_tables,
  impacted_queries
FROM judged
UNION ALL
SELECT
  table_full_name,
  SPLIT_PART(table_full_name, '.', 1) AS catalog_name,
  SPLIT_PART(table_full_name, '.', 2) AS schema_name,
  SPLIT_PART(table_full_name, '.', 3) AS table_name,
  check_time,
  check_date,
  'expectations' AS check_source,
  CASE
    WHEN COALESCE(checks, 0) = 0 THEN 'Unknown'
    WHEN violations > 0 THEN 'Unhealthy'
    ELSE 'Healthy'
  END AS overall_status,
  CAST(NULL AS STRING) AS freshness_status,
  CAST(NULL AS BIGINT) AS freshness_lag_seconds,
  CAST(NULL AS STRING) AS completeness_status,
  CAST(NULL AS BIGINT) AS row_count,
  CAST(NULL AS BIGINT) AS expected_min_rows,
  CAST(NULL AS BIGINT) AS expected_max_rows,
  records_checked,
  records_failed,
  CASE WHEN checks > 0 THEN 100.0D * (checks - failures) / checks END AS quality_score,
  CASE WHEN checks > 0 THEN violations END AS violation_count,
  CASE WHEN checks > 0 THEN critical_violations END AS critical_violation_count,
  CASE WHEN checks > 0 THEN critical_violations > 0 END AS has_critical_violations,
  CAST(NULL AS BIGINT) AS downstream_tables,
  CAST(NULL AS BIGINT) AS impacted_queries
FROM expectations
WHERE place = 1
UNION ALL
SELECT
  CONCAT_WS('.', table_catalog, table_schema, table_name) AS table_full_name,
  table_catalog AS catalog_name,
  table_schema AS schema_name,
  table_name,
  CAST(snapshot_date AS TIMESTAMP) AS check_time,
  snapshot_date AS check_date,
  'information_schema' AS check_source,
  CAST(NULL AS STRING) AS overall_status,
  CAST(NULL AS STRING) AS freshness_status,
  GREATEST(UNIX_TIMESTAMP(CAST(snapshot_date AS TIMESTAMP)) - UNIX_TIMESTAMP(last_altered), 0L)
    AS freshness_lag_seconds,
  CAST(NULL AS STRING) AS completeness_status,
  CAST(NULL AS BIGINT) AS row_count,
  CAST(NULL AS BIGINT) AS expected_min_rows,
  CAST(NULL AS BIGINT) AS expected_max_rows,
  CAST(NULL AS BIGINT) AS records_checked,
  CAST(NULL AS BIGINT) AS records_failed,
  CAST(NULL AS DOUBLE) AS quality_score,
  CAST(NULL AS BIGINT) AS violation_count,
  CAST(NULL AS BIGINT) AS critical_violation_count,
  CAST(NULL AS BOOLEAN) AS has_critical_violations,
  CAST(NULL AS BIGINT) AS downstream_tables,
  CAST(NULL AS BIGINT) AS impacted_queries
FROM silver.silver_information_schema_tables
WHERE last_altered IS NOT NULL
  AND table_type IN ('MANAGED', 'EXTERNAL', 'STREAMING_TABLE', 'MATERIALIZED_VIEW')
