WITH parts AS (
  SELECT
    usage_date AS record_date,
    workspace_id,
    compute_kind,
    compute_id,
    CAST(NULL AS DECIMAL(18, 6)) AS node_hours,
    SUM(busy_seconds) AS busy_seconds,
    SUM(idle_seconds) AS idle_seconds,
    CAST(NULL AS DOUBLE) AS avg_cpu_percent,
    CAST(NULL AS DOUBLE) AS p95_cpu_percent,
    CAST(NULL AS DOUBLE) AS avg_mem_percent,
    CAST(NULL AS DECIMAL(38, 18)) AS dbus,
    CAST(NULL AS DECIMAL(38, 18)) AS effective_cost,
    CAST(NULL AS DECIMAL(38, 18)) AS idle_cost
  FROM gold.compute_hours
  GROUP BY usage_date, workspace_id, compute_kind, compute_id
  UNION ALL
  SELECT
    usage_date AS record_date,
    workspace_id,
    compute_kind,
    compute_id,
    CAST(NULL AS DECIMAL(18, 6)) AS node_hours,
    CAST(NULL AS DECIMAL(18, 6)) AS busy_seconds,
    CAST(NULL AS DECIMAL(18, 6)) AS idle_seconds,
    CAST(NULL AS DOUBLE) AS avg_cpu_percent,
    CAST(NULL AS DOUBLE) AS p95_cpu_percent,
    CAST(NULL AS DOUBLE) AS avg_mem_percent,
    SUM(dbus) AS dbus,
    SUM(effective_cost) AS effective_cost,
    SUM(idle_cost) AS idle_cost
  FROM gold.compute_costs
  GROUP BY usage_date, workspace_id, compute_kind, compute_id
  UNION ALL
  SELECT
    record_date,
    workspace_id,
    'cluster' AS compute_kind,
    cluster_id AS compute_id,
    CAST(SUM(record_minutes) / 60 AS DECIMAL(18, 6)) AS node_hours,
    CAST(NULL AS DECIMAL(18, 6)) AS busy_seconds,
    CAST(NULL AS DECIMAL(18, 6)) AS idle_seconds,
    -- workers tell how large a cluster has to be; drivers only where there are no workers
    COALESCE(
      CAST(
        SUM(CASE WHEN NOT driver THEN CAST(cpu_total_percent AS DECIMAL(12, 6)) * record_minutes END)
          / SUM(CASE WHEN NOT driver AND cpu_total_percent IS NOT NULL THEN record_minutes END)
        AS DOUBLE
      ),
      CAST(
        SUM(CAST(cpu_total_percent AS DECIMAL(12, 6)) * record_minutes)
          / SUM(CASE WHEN cpu_total_percent IS NOT NULL THEN record_minutes END)
        AS DOUBLE
      )
    ) AS avg_cpu_percent,
    COALESCE(
      PERCENTILE(
        CASE WHEN NOT driver THEN cpu_total_percent END, 0.95, CAST(record_minutes * 60 AS BIGINT)
      ),
      PERCENTILE(cpu_total_percent, 0.95, CAST(record_minutes * 60 AS BIGINT))
    ) AS p95_cpu_percent,
    COALESCE(
      CAST(
        SUM(CASE WHEN NOT driver THEN CAST(mem_used_percent AS DECIMAL(12, 6)) * record_minutes END)
          / SUM(CASE WHEN NOT driver AND mem_used_percent IS NOT NULL THEN record_minutes END)
        AS DOUBLE
      ),
      CAST(
        SUM(CAST(mem_used_percent AS DECIMAL(12, 6)) * record_minutes)
          / SUM(CASE WHEN mem_used_percent IS NOT NULL THEN record_minutes END)
        AS DOUBLE
      )
    ) AS avg_mem_percent,
    CAST(NULL AS DECIMAL(38, 18)) AS dbus,
    CAST(NULL AS DECIMAL(38, 18)) AS effective_cost,
    CAST(NULL AS DECIMAL(38, 18)) AS idle_cost
  FROM gold.fact_node_timeline
  GROUP BY record_date, workspace_id, cluster_id
),
totals AS (
  SELECT
    record_date,
    workspace_id,
    compute_kind,
    compute_id,
    CAST(record_date AS TIMESTAMP) + INTERVAL 1 DAY - INTERVAL 1 MICROSECOND AS day_end,
    MAX(node_hours) AS node_hours,
    CAST(MAX(busy_seconds) AS DECIMAL(18, 6)) AS busy_seconds,
    CAST(MAX(idle_seconds) AS DECIMAL(18, 6)) AS idle_seconds,
    MAX(avg_cpu_percent) AS avg_cpu_percent,
    MAX(p95_cpu_percent) AS p95_cpu_percent,
    MAX(avg_mem_percent) AS avg_mem_percent,
    CAST(MAX(dbus) AS DECIMAL(38, 18)) AS dbus,
    CAST(MAX(effective_cost) AS DECIMAL(38, 18)) AS effective_cost,
    CAST(MAX(idle_cost) AS DECIMAL(38, 18)) AS idle_cost
  FROM parts
  GROUP BY record_date, workspace_id, compute_kind, compute_id
),
names AS (
  SELECT workspace_id, 'cluster' AS compute_kind, cluster_id AS compute_id, cluster_name AS name,
    __START_AT, __END_AT
  FROM silver.silver_clusters
  UNION ALL
  SELECT workspace_id, 'warehouse' AS compute_kind, warehouse_id AS compute_id,
    warehouse_name AS name, __START_AT, __END_AT
  FROM silver.silver_warehouses
),
versions AS (
  -- days before the first version that is known count to that version
  SELECT
    workspace_id,
    compute_kind,
    compute_id,
    name,
    CASE
      WHEN __START_AT > MIN(__START_AT) OVER (PARTITION BY workspace_id, compute_kind, compute_id)
        THEN __START_AT
    END AS holds_from,
    __END_AT AS holds_to
  FROM names
)
SELECT
  t.record_date,
  t.workspace_id,
  t.compute_kind,
  t.compute_id,
  v.name AS compute_name,
  t.node_hours,
  t.busy_seconds,
  t.idle_seconds,
  t.avg_cpu_percent,
  t.p95_cpu_percent,
  t.avg_mem_percent,
  t.dbus,
  t.effective_cost,
  t.idle_cost
FROM totals AS t
LEFT JOIN versions AS v
  ON v.workspace_id = t.workspace_id
  AND v.compute_kind = t.compute_kind
  AND v.compute_id = t.compute_id
  AND (v.holds_from IS NULL OR t.day_end >= v.holds_from)
  AND (v.holds_to IS NULL OR t.day_end < v.holds_to)
