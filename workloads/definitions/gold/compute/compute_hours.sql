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
hours AS (
  SELECT workspace_id, compute_kind, compute_id, hour_start FROM billed
  UNION
  SELECT workspace_id, compute_kind, compute_id, hour_start FROM activity
  UNION
  SELECT workspace_id, 'cluster' AS compute_kind, compute_id, hour_start FROM node_records
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
last_hours AS (
  SELECT workspace_id, compute_id, MAX(hour_start) + INTERVAL 1 HOUR AS known_until
  FROM hours
  WHERE compute_kind = 'warehouse'
  GROUP BY workspace_id, compute_id
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
  -- an open interval is capped at the last hour that anything is known of
  SELECT
    r.workspace_id,
    r.warehouse_id AS compute_id,
    GREATEST(r.begins, CAST(:first_day AS TIMESTAMP)) AS begins,
    LEAST(COALESCE(r.ends, l.known_until), CAST(DATE_ADD(:last_day, 1) AS TIMESTAMP)) AS ends
  FROM running AS r
  JOIN last_hours AS l ON l.workspace_id = r.workspace_id AND l.compute_id = r.warehouse_id
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
  SELECT 'busy' AS what, workspace_id, compute_kind, compute_id, hour_start, from_time, to_time
  FROM activity
  UNION ALL
  SELECT 'bill' AS what, workspace_id, compute_kind, compute_id, hour_start, from_time,
    LEAST(to_time, hour_start + INTERVAL 1 HOUR) AS to_time
  FROM billed
  UNION ALL
  SELECT 'nodes' AS what, workspace_id, 'cluster' AS compute_kind, compute_id, hour_start,
    GREATEST(start_time, hour_start) AS from_time,
    LEAST(end_time, hour_start + INTERVAL 1 HOUR) AS to_time
  FROM node_records
  UNION ALL
  SELECT 'events' AS what, workspace_id, 'warehouse' AS compute_kind, compute_id, hour_start,
    GREATEST(begins, hour_start) AS from_time,
    LEAST(ends, hour_start + INTERVAL 1 HOUR) AS to_time
  FROM running_hours
),
covered AS (
  SELECT
    what, workspace_id, compute_kind, compute_id, hour_start, from_time, to_time,
    MAX(to_time) OVER (
      PARTITION BY workspace_id, compute_kind, compute_id, hour_start, what
      ORDER BY from_time, to_time
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS covered_until
  FROM spans
  WHERE from_time < to_time
),
islands AS (
  SELECT
    what, workspace_id, compute_kind, compute_id, hour_start, from_time, to_time,
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
    MAX(to_time) AS to_time
  FROM islands
  GROUP BY what, workspace_id, compute_kind, compute_id, hour_start, island
),
measured AS (
  SELECT
    what, workspace_id, compute_kind, compute_id, hour_start,
    SUM(UNIX_MICROS(to_time) - UNIX_MICROS(from_time)) AS covered_us,
    SORT_ARRAY(COLLECT_LIST(STRUCT(from_time, to_time))) AS intervals
  FROM merged
  GROUP BY what, workspace_id, compute_kind, compute_id, hour_start
),
by_hour AS (
  SELECT
    workspace_id, compute_kind, compute_id, hour_start,
    MAX(CASE WHEN what = 'busy' THEN covered_us END) AS busy_us,
    MAX(CASE WHEN what = 'bill' THEN covered_us END) AS bill_us,
    MAX(CASE WHEN what = 'nodes' THEN covered_us END) AS nodes_us,
    MAX(CASE WHEN what = 'events' THEN covered_us END) AS events_us,
    MAX(CASE WHEN what = 'busy' THEN intervals END) AS busy_intervals,
    MAX(CASE WHEN what = 'nodes' THEN intervals END) AS node_intervals
  FROM measured
  GROUP BY workspace_id, compute_kind, compute_id, hour_start
),
used AS (
  SELECT
    workspace_id, compute_kind, compute_id, hour_start,
    SUM(overlap_us) AS use_us,
    CAST(SUM(work_ms) AS DECIMAL(20, 6)) AS work_ms
  FROM activity
  GROUP BY workspace_id, compute_kind, compute_id, hour_start
),
ran AS (
  SELECT
    h.workspace_id,
    h.compute_kind,
    h.compute_id,
    h.hour_start,
    CASE
      WHEN h.compute_kind = 'cluster' AND b.nodes_us IS NOT NULL THEN 'nodes'
      WHEN h.compute_kind = 'cluster' AND b.bill_us IS NOT NULL THEN 'bill'
      WHEN h.compute_kind = 'cluster' THEN 'unknown'
      WHEN h.hour_start + INTERVAL 1 HOUR > w.first_event THEN 'events'
      ELSE 'whole_hour'
    END AS running_source,
    COALESCE(b.busy_us, 0) AS busy_us,
    b.bill_us,
    b.nodes_us,
    COALESCE(b.events_us, 0) AS events_us,
    b.busy_intervals,
    b.node_intervals,
    COALESCE(u.use_us, 0) AS use_us,
    COALESCE(u.work_ms, 0) AS work_ms
  FROM hours AS h
  LEFT JOIN by_hour AS b
    ON b.workspace_id = h.workspace_id
    AND b.compute_kind = h.compute_kind
    AND b.compute_id = h.compute_id
    AND b.hour_start = h.hour_start
  LEFT JOIN used AS u
    ON u.workspace_id = h.workspace_id
    AND u.compute_kind = h.compute_kind
    AND u.compute_id = h.compute_id
    AND u.hour_start = h.hour_start
  LEFT JOIN warehouses AS w
    ON w.workspace_id = h.workspace_id
    AND w.warehouse_id = h.compute_id
    AND h.compute_kind = 'warehouse'
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
