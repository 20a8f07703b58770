WITH points AS (
  -- of events at the same moment the last one counts
  SELECT
    workspace_id,
    warehouse_id,
    event_time,
    MAX_BY(
      STRUCT(event_type, cluster_count),
      STRUCT(
        ARRAY_POSITION(
          ARRAY('STARTING', 'RUNNING', 'SCALED_UP', 'SCALED_DOWN', 'STOPPING', 'STOPPED'),
          event_type
        ),
        cluster_count
      )
    ) AS event
  FROM silver.silver_warehouse_events
  GROUP BY workspace_id, warehouse_id, event_time
),
states AS (
  SELECT
    workspace_id,
    warehouse_id,
    event_time,
    event,
    LEAD(event_time) OVER (PARTITION BY workspace_id, warehouse_id ORDER BY event_time)
      AS next_time
  FROM points
),
last_hours AS (
  SELECT workspace_id, compute_id, MAX(hour_start) + INTERVAL 1 HOUR AS known_until
  FROM gold.compute_hours
  WHERE compute_kind = 'warehouse' AND usage_date >= :first_day
  GROUP BY workspace_id, compute_id
),
warehouse_intervals AS (
  -- an open interval is measured up to the last hour that anything is known of
  SELECT
    s.workspace_id,
    'warehouse' AS compute_kind,
    s.warehouse_id AS compute_id,
    s.event.event_type AS event_type,
    CASE
      WHEN s.event.event_type IN ('RUNNING', 'SCALED_UP', 'SCALED_DOWN') THEN 'RUNNING'
      ELSE s.event.event_type
    END AS state,
    s.event_time AS interval_start,
    s.next_time AS interval_end,
    COALESCE(s.next_time, GREATEST(l.known_until, s.event_time), s.event_time) AS measured_until,
    s.event.cluster_count AS cluster_count
  FROM states AS s
  LEFT JOIN last_hours AS l
    ON l.workspace_id = s.workspace_id AND l.compute_id = s.warehouse_id
  WHERE s.event_time >= :first_day AND s.event_time < DATE_ADD(:last_day, 1)
),
node_pieces AS (
  SELECT workspace_id, compute_id, usage_date, EXPLODE(node_intervals) AS piece
  FROM gold.compute_hours
  WHERE compute_kind = 'cluster' AND usage_date BETWEEN :first_day AND :last_day
),
node_steps AS (
  SELECT
    workspace_id,
    compute_id,
    usage_date,
    piece.from_time AS from_time,
    piece.to_time AS to_time,
    LAG(piece.to_time) OVER (
      PARTITION BY workspace_id, compute_id, usage_date ORDER BY piece.from_time
    ) AS before
  FROM node_pieces
),
node_islands AS (
  SELECT
    workspace_id,
    compute_id,
    usage_date,
    from_time,
    to_time,
    SUM(CASE WHEN from_time <= before THEN 0 ELSE 1 END) OVER (
      PARTITION BY workspace_id, compute_id, usage_date ORDER BY from_time
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS island
  FROM node_steps
),
intervals AS (
  SELECT * FROM warehouse_intervals
  UNION ALL
  SELECT
    workspace_id,
    'cluster' AS compute_kind,
    compute_id,
    'NODES_SEEN' AS event_type,
    'RUNNING' AS state,
    MIN(from_time) AS interval_start,
    MAX(to_time) AS interval_end,
    MAX(to_time) AS measured_until,
    1 AS cluster_count
  FROM node_islands
  GROUP BY workspace_id, compute_id, usage_date, island
),
running_hours AS (
  SELECT
    workspace_id,
    compute_kind,
    compute_id,
    interval_start,
    measured_until,
    EXPLODE(
      SEQUENCE(
        DATE_TRUNC('HOUR', interval_start),
        DATE_TRUNC('HOUR', measured_until - INTERVAL 1 MICROSECOND),
        INTERVAL 1 HOUR
      )
    ) AS hour_start
  FROM intervals
  WHERE state = 'RUNNING' AND interval_start < measured_until
),
parts AS (
  SELECT
    r.workspace_id,
    r.compute_kind,
    r.compute_id,
    r.interval_start,
    r.hour_start,
    UNIX_MICROS(LEAST(r.measured_until, r.hour_start + INTERVAL 1 HOUR))
      - UNIX_MICROS(GREATEST(r.interval_start, r.hour_start)) AS part_us,
    AGGREGATE(
      COALESCE(h.busy_intervals, ARRAY()),
      CAST(0 AS BIGINT),
      (total, b) -> total + GREATEST(
        UNIX_MICROS(LEAST(b.to_time, r.measured_until))
          - UNIX_MICROS(GREATEST(b.from_time, r.interval_start)),
        CAST(0 AS BIGINT)
      )
    ) AS busy_us,
    h.idle_seconds AS hour_idle_seconds,
    c.idle_cost AS hour_idle_cost
  FROM running_hours AS r
  LEFT JOIN gold.compute_hours AS h
    ON h.workspace_id = r.workspace_id
    AND h.compute_kind = r.compute_kind
    AND h.compute_id = r.compute_id
    AND h.hour_start = r.hour_start
    AND h.usage_date >= :first_day
  LEFT JOIN gold.compute_costs AS c
    ON c.workspace_id = r.workspace_id
    AND c.compute_kind = r.compute_kind
    AND c.compute_id = r.compute_id
    AND c.hour_start = r.hour_start
    AND c.usage_date >= :first_day
),
measured AS (
  SELECT
    workspace_id,
    compute_kind,
    compute_id,
    interval_start,
    SUM(LEAST(busy_us, part_us)) AS busy_us,
    SUM(part_us - LEAST(busy_us, part_us)) AS idle_us,
    SUM(
      CASE
        WHEN hour_idle_cost = 0 OR hour_idle_seconds = 0 THEN CAST(0 AS DECIMAL(38, 18))
        WHEN hour_idle_cost IS NOT NULL THEN
          CAST(hour_idle_cost AS DECIMAL(30, 18)) * CAST(
            CAST((part_us - LEAST(busy_us, part_us)) AS DECIMAL(18, 0))
              / CAST(hour_idle_seconds * 1000000 AS DECIMAL(18, 0))
            AS DECIMAL(25, 18)
          )
      END
    ) AS idle_cost
  FROM parts
  GROUP BY workspace_id, compute_kind, compute_id, interval_start
)
SELECT
  i.workspace_id,
  i.compute_kind,
  i.compute_id,
  i.event_type,
  i.state,
  DATE(i.interval_start) AS interval_date,
  i.interval_start,
  i.interval_end,
  CAST(
    (UNIX_MICROS(i.measured_until) - UNIX_MICROS(i.interval_start))
      / CAST(1000000 AS DECIMAL(7, 0))
    AS DECIMAL(18, 6)
  ) AS duration_seconds,
  i.cluster_count,
  CAST(
    i.cluster_count * (UNIX_MICROS(i.measured_until) - UNIX_MICROS(i.interval_start))
      / CAST(1000000 AS DECIMAL(7, 0))
    AS DECIMAL(18, 6)
  ) AS cluster_seconds,
  CAST(COALESCE(m.busy_us, 0) / CAST(1000000 AS DECIMAL(7, 0)) AS DECIMAL(18, 6)) AS busy_seconds,
  CAST(COALESCE(m.idle_us, 0) / CAST(1000000 AS DECIMAL(7, 0)) AS DECIMAL(18, 6)) AS idle_seconds,
  CASE
    WHEN i.state = 'RUNNING' THEN CAST(m.idle_cost AS DECIMAL(38, 18))
    ELSE CAST(0 AS DECIMAL(38, 18))
  END AS idle_cost,
  i.interval_end IS NULL AS is_open
FROM intervals AS i
LEFT JOIN measured AS m
  ON m.workspace_id = i.workspace_id
  AND m.compute_kind = i.compute_kind
  AND m.compute_id = i.compute_id
  AND m.interval_start = i.interval_start
