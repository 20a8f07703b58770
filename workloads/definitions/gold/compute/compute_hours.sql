WITH billed AS (
  SELECT
    workspace_id,
    CASE WHEN usage_metadata.warehouse_id IS NULL THEN 'cluster' ELSE 'warehouse' END
      AS compute_kind,
    COALESCE(usage_metadata.warehouse_id, usage_metadata.cluster_id) AS compute_id,
    DATE_TRUNC('HOUR', usage_start_time) AS hour_start,
    usage_start_time AS from_time,
    usage_end_time AS to_time
  FROM silver.silver_usage
  WHERE usage_date BETWEEN :first_day AND :last_day
    AND usage_date = DATE(usage_start_time)
    AND workspace_id IS NOT NULL
    AND COALESCE(usage_metadata.warehouse_id, usage_metadata.cluster_id) IS NOT NULL
),
activity AS (
  SELECT
    workspace_id, compute_kind, compute_id, hour_start, from_time, to_time, overlap_us, work_ms
  FROM gold.compute_activity
  WHERE ends > :first_day AND begins < DATE_ADD(:last_day, 1)
),
node_records AS (
  SELECT
    workspace_id,
    cluster_id AS compute_id,
    start_time,
    end_time,
    EXPLODE(
      SEQUENCE(
        DATE_TRUNC('HOUR', start_time),
        DATE_TRUNC('HOUR', end_time - INTERVAL 1 MICROSECOND),
        INTERVAL 1 HOUR
      )
    ) AS hour_start
  FROM silver.silver_node_timeline
  WHERE start_time < end_time
    AND end_time > :first_day
    AND start_time < DATE_ADD(:last_day, 1)
),
events AS (
  SELECT
    workspace_id,
    warehouse_id,
    event_time,
    event_type,
    LEAD(event_time) OVER (
      PARTITION BY workspace_id, warehouse_id
      ORDER BY
        event_time,
        ARRAY_POSITION(
          ARRAY('STARTING', 'RUNNING', 'SCALED_UP', 'SCALED_DOWN', 'STOPPING', 'STOPPED'),
          event_type
        )
    ) AS next_time
  FROM silver.silver_warehouse_events
),
warehouses AS (
  SELECT
    workspace_id,
    warehouse_id,
    MIN(event_time) AS first_event,
    MIN_BY(event_type, event_time) IN ('STOPPING', 'SCALED_UP', 'SCALED_DOWN') AS ran_before
  FROM silver.silver_warehouse_events
  GROUP BY workspace_id, warehouse_id
),
known AS (
  -- later than anything that is known: where open intervals may be cut
  SELECT MAX(known_until) + INTERVAL 1 HOUR AS known_until
  FROM (
    SELECT MAX(usage_end_time) AS known_until
    FROM silver.silver_usage
    WHERE usage_date BETWEEN :first_day AND :last_day
    UNION ALL
    SELECT MAX(end_time) AS known_until
    FROM silver.silver_query_history
    WHERE end_time > :first_day
  )
),
running AS (
  SELECT workspace_id, warehouse_id, event_time AS begins, next_time AS ends
  FROM events
  WHERE event_type IN ('RUNNING', 'SCALED_UP', 'SCALED_DOWN')
  UNION ALL
  -- what stops or scales has been running: for the hour of the first event that is carried in
  SELECT workspace_id, warehouse_id, DATE_TRUNC('HOUR', first_event) AS begins, first_event AS ends
  FROM warehouses
  WHERE ran_before
),
running_within AS (
  SELECT
    r.workspace_id,
    r.warehouse_id AS compute_id,
    GREATEST(r.begins, CAST(:first_day AS TIMESTAMP)) AS begins,
    LEAST(COALESCE(r.ends, k.known_until), CAST(DATE_ADD(:last_day, 1) AS TIMESTAMP)) AS ends
  FROM running AS r
  CROSS JOIN known AS k
),
running_hours AS (
  SELECT
    workspace_id,
    compute_id,
    begins,
    ends,
    EXPLODE(
      SEQUENCE(
        DATE_TRUNC('HOUR', begins),
        DATE_TRUNC('HOUR', ends - INTERVAL 1 MICROSECOND),
        INTERVAL 1 HOUR
      )
    ) AS hour_start
  FROM running_within
  WHERE begins < ends
),
spans AS (
  SELECT
    'busy' AS what, workspace_id, compute_kind, compute_id, hour_start, from_time, to_time,
    overlap_us, work_ms
  FROM activity
  UNION ALL
  SELECT
    'bill' AS what, workspace_id, compute_kind, compute_id, hour_start, from_time,
    GREATEST(from_time, LEAST(to_time, hour_start + INTERVAL 1 HOUR)) AS to_time,
    CAST(NULL AS BIGINT) AS overlap_us, CAST(NULL AS DECIMAL(20, 6)) AS work_ms
  FROM billed
  UNION ALL
  SELECT
    'nodes' AS what, workspace_id, 'cluster' AS compute_kind, compute_id, hour_start,
    GREATEST(start_time, hour_start) AS from_time,
    LEAST(end_time, hour_start + INTERVAL 1 HOUR) AS to_time,
    CAST(NULL AS BIGINT) AS overlap_us, CAST(NULL AS DECIMAL(20, 6)) AS work_ms
  FROM node_records
  UNION ALL
  SELECT
    'events' AS what, workspace_id, 'warehouse' AS compute_kind, compute_id, hour_start,
    GREATEST(begins, hour_start) AS from_time,
    LEAST(ends, hour_start + INTERVAL 1 HOUR) AS to_time,
    CAST(NULL AS BIGINT) AS overlap_us, CAST(NULL AS DECIMAL(20, 6)) AS work_ms
  FROM running_hours
),
covered AS (
  SELECT
    *,
    MAX(to_time) OVER (
      PARTITION BY workspace_id, compute_kind, compute_id, hour_start, what
      ORDER BY from_time, to_time
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS covered_until
  FROM spans
),
islands AS (
  SELECT
    *,
    SUM(CASE WHEN covered_until >= from_time THEN 0 ELSE 1 END) OVER (
      PARTITION BY workspace_id, compute_kind, compute_id, hour_start, what
      ORDER BY from_time, to_time
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS island
  FROM covered
),
merged AS (
  SELECT
    what, workspace_id, compute_kind, compute_id, hour_start,
    MIN(from_time) AS from_time,
    MAX(to_time) AS to_time,
    SUM(overlap_us) AS overlap_us,
    SUM(work_ms) AS work_ms
  FROM islands
  GROUP BY what, workspace_id, compute_kind, compute_id, hour_start, island
),
by_hour AS (
  SELECT
    workspace_id,
    compute_kind,
    compute_id,
    hour_start,
    SUM(CASE WHEN what = 'busy' THEN UNIX_MICROS(to_time) - UNIX_MICROS(from_time) END) AS busy_us,
    SUM(CASE WHEN what = 'bill' THEN UNIX_MICROS(to_time) - UNIX_MICROS(from_time) END) AS bill_us,
    SUM(CASE WHEN what = 'nodes' THEN UNIX_MICROS(to_time) - UNIX_MICROS(from_time) END)
      AS nodes_us,
    SUM(CASE WHEN what = 'events' THEN UNIX_MICROS(to_time) - UNIX_MICROS(from_time) END)
      AS events_us,
    SORT_ARRAY(COLLECT_LIST(CASE WHEN what = 'busy' THEN STRUCT(from_time, to_time) END))
      AS busy_intervals,
    SORT_ARRAY(COLLECT_LIST(CASE WHEN what = 'nodes' THEN STRUCT(from_time, to_time) END))
      AS node_intervals,
    SUM(overlap_us) AS use_us,
    SUM(work_ms) AS work_ms
  FROM merged
  GROUP BY workspace_id, compute_kind, compute_id, hour_start
),
ran AS (
  SELECT
    b.workspace_id,
    b.compute_kind,
    b.compute_id,
    b.hour_start,
    CASE
      WHEN b.compute_kind = 'cluster' AND b.nodes_us IS NOT NULL THEN 'nodes'
      WHEN b.compute_kind = 'cluster' AND b.bill_us IS NOT NULL THEN 'bill'
      WHEN b.compute_kind = 'cluster' THEN 'unknown'
      WHEN b.hour_start + INTERVAL 1 HOUR > w.first_event THEN 'events'
      ELSE 'whole_hour'
    END AS running_source,
    COALESCE(b.busy_us, 0) AS busy_us,
    b.bill_us,
    b.nodes_us,
    COALESCE(b.events_us, 0) AS events_us,
    b.busy_intervals,
    b.node_intervals,
    COALESCE(b.use_us, 0) AS use_us,
    COALESCE(b.work_ms, 0) AS work_ms
  FROM by_hour AS b
  LEFT JOIN warehouses AS w
    ON w.workspace_id = b.workspace_id
    AND w.warehouse_id = b.compute_id
    AND b.compute_kind = 'warehouse'
  -- an hour is there because it is billed, used or seen; running alone is in fact_cluster_events
  WHERE COALESCE(b.busy_us, b.bill_us, b.nodes_us) IS NOT NULL
),
timed AS (
  SELECT
    workspace_id, compute_kind, compute_id, hour_start, running_source, busy_us, use_us, work_ms,
    busy_intervals, node_intervals,
    CASE running_source
      WHEN 'nodes' THEN nodes_us
      WHEN 'bill' THEN bill_us
      WHEN 'events' THEN events_us
      WHEN 'whole_hour' THEN 3600000000
    END AS running_us
  FROM ran
)
SELECT
  workspace_id,
  compute_kind,
  compute_id,
  hour_start,
  DATE(hour_start) AS usage_date,
  running_source,
  CAST(running_us / CAST(1000000 AS DECIMAL(7, 0)) AS DECIMAL(18, 6)) AS running_seconds,
  CAST(busy_us / CAST(1000000 AS DECIMAL(7, 0)) AS DECIMAL(18, 6)) AS busy_seconds,
  CAST(GREATEST(running_us - busy_us, 0) / CAST(1000000 AS DECIMAL(7, 0)) AS DECIMAL(18, 6))
    AS idle_seconds,
  CAST(
    CASE
      WHEN running_us IS NULL THEN NULL
      WHEN busy_us = 0 THEN 0
      WHEN busy_us >= running_us THEN 1
      ELSE CAST(busy_us AS DECIMAL(18, 0)) / CAST(running_us AS DECIMAL(18, 0))
    END
    AS DECIMAL(25, 18)
  ) AS busy_share,
  use_us,
  CAST(work_ms AS DECIMAL(20, 6)) AS work_ms,
  busy_intervals,
  node_intervals
FROM timed
