WITH findings AS (
  -- A table that was made anew has another id under the same name: the one seen last counts
  SELECT
    catalog_name,
    schema_name,
    table_name,
    column_name,
    class_tag,
    __START_AT AS day,
    __END_AT AS end_day,
    table_id,
    data_type,
    confidence,
    frequency,
    first_detected_time,
    latest_detected_time,
    snapshot_date,
    ROW_NUMBER() OVER (
      PARTITION BY catalog_name, schema_name, table_name, column_name, class_tag, __START_AT
      ORDER BY snapshot_date DESC, latest_detected_time DESC, table_id
    ) AS place
  FROM silver.silver_data_classification_results
  WHERE catalog_name IS NOT NULL AND schema_name IS NOT NULL AND table_name IS NOT NULL
),
versions AS (
  SELECT f.*, TRUE AS is_found FROM findings AS f WHERE f.place = 1
),
followed AS (
  SELECT
    v.*,
    LEAD(v.day) OVER (
      PARTITION BY v.catalog_name, v.schema_name, v.table_name, v.column_name, v.class_tag
      ORDER BY v.day
    ) AS next_day
  FROM versions AS v
),
named AS (
  SELECT f.* FROM followed AS f
  UNION ALL
  -- The table went on under another name: this name's finding ended with it
  SELECT
    f.catalog_name,
    f.schema_name,
    f.table_name,
    f.column_name,
    f.class_tag,
    f.end_day AS day,
    f.end_day,
    f.table_id,
    f.data_type,
    f.confidence,
    f.frequency,
    f.first_detected_time,
    f.latest_detected_time,
    f.snapshot_date,
    f.place,
    FALSE AS is_found,
    f.next_day
  FROM followed AS f
  WHERE f.end_day IS NOT NULL AND (f.next_day IS NULL OR f.next_day > f.end_day)
)
SELECT
  n.catalog_name,
  n.schema_name,
  n.table_name,
  n.column_name,
  n.class_tag,
  CAST(n.day AS TIMESTAMP) AS valid_from,
  CAST(LEAD(n.day) OVER (
    PARTITION BY n.catalog_name, n.schema_name, n.table_name, n.column_name, n.class_tag
    ORDER BY n.day
  ) AS TIMESTAMP) AS valid_to,
  LEAD(n.day) OVER (
    PARTITION BY n.catalog_name, n.schema_name, n.table_name, n.column_name, n.class_tag
    ORDER BY n.day
  ) IS NULL AS is_current,
  n.is_found,
  n.snapshot_date AS last_seen_date,
  CONCAT_WS('.', n.catalog_name, n.schema_name, n.table_name) AS table_full_name,
  n.table_id,
  n.data_type,
  n.confidence,
  n.frequency,
  n.first_detected_time,
  n.latest_detected_time
FROM named AS n
