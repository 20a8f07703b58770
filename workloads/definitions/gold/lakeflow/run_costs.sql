WITH overlaps AS (
  -- what each interval of a run adds to its earlier ones: a run is not busy twice at once
  SELECT
    usage_date,
    workspace_id,
    compute_id,
    hour_start,
    user_id AS run_id,
    UNIX_MICROS(to_time) - UNIX_MICROS(
      GREATEST(
        from_time,
        COALESCE(
          MAX(to_time) OVER (
            PARTITION BY usage_date, workspace_id, compute_id, hour_start, user_id
            ORDER BY from_time, to_time
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
          ),
          from_time
        )
      )
    ) AS added_us
  FROM gold.compute_activity
  WHERE user_kind = 'run' AND ends > :first_day AND begins < DATE_ADD(:last_day, 1)
),
run_hours AS (
  SELECT
    usage_date,
    workspace_id,
    compute_id,
    hour_start,
    run_id,
    SUM(GREATEST(added_us, 0)) AS overlap_us
  FROM overlaps
  GROUP BY usage_date, workspace_id, compute_id, hour_start, run_id
),
shares AS (
  SELECT
    usage_date,
    workspace_id,
    compute_id,
    hour_start,
    run_id,
    CAST(
      CAST(overlap_us AS DECIMAL(18, 0)) / CAST(
        SUM(overlap_us) OVER (PARTITION BY usage_date, workspace_id, compute_id, hour_start)
        AS DECIMAL(18, 0)
      )
      AS DECIMAL(25, 18)
    ) AS share
  FROM run_hours
),
parts AS (
  SELECT
    usage_date,
    workspace_id,
    'job_run' AS run_kind,
    usage_metadata_job_run_id AS run_id,
    CASE WHEN is_serverless THEN 'serverless' ELSE 'job_cluster' END AS compute_kind,
    dbus,
    effective_cost,
    price_status,
    identity_metadata_run_as AS run_as
  FROM gold.fact_usage
  WHERE usage_metadata_job_run_id IS NOT NULL AND workspace_id IS NOT NULL
  UNION ALL
  SELECT
    usage_date,
    workspace_id,
    'pipeline_update' AS run_kind,
    usage_metadata_dlt_update_id AS run_id,
    CASE WHEN is_serverless THEN 'serverless' ELSE 'pipeline_cluster' END AS compute_kind,
    dbus,
    effective_cost,
    price_status,
    identity_metadata_run_as AS run_as
  FROM gold.fact_usage
  WHERE usage_metadata_dlt_update_id IS NOT NULL AND workspace_id IS NOT NULL
  UNION ALL
  SELECT
    s.usage_date,
    s.workspace_id,
    'job_run' AS run_kind,
    s.run_id,
    'all_purpose' AS compute_kind,
    CAST(c.busy_dbus AS DECIMAL(30, 18)) * s.share AS dbus,
    CAST(c.busy_cost AS DECIMAL(30, 18)) * s.share AS effective_cost,
    CASE WHEN c.busy_cost IS NULL THEN 'unpriced' ELSE 'priced' END AS price_status,
    CAST(NULL AS STRING) AS run_as
  FROM shares AS s
  JOIN gold.compute_costs AS c
    ON c.usage_date = s.usage_date
    AND c.workspace_id = s.workspace_id
    AND c.compute_kind = 'cluster'
    AND c.compute_id = s.compute_id
    AND c.hour_start = s.hour_start
    AND c.busy_dbus IS NOT NULL
)
SELECT
  usage_date,
  workspace_id,
  run_kind,
  run_id,
  compute_kind,
  CASE WHEN compute_kind = 'all_purpose' THEN 'estimated' ELSE 'attributed' END
    AS attribution_class,
  SUM(dbus) AS dbus,
  SUM(effective_cost) AS effective_cost,
  COUNT_IF(price_status = 'unpriced') AS unpriced_count,
  MAX(run_as) AS run_as
FROM parts
GROUP BY usage_date, workspace_id, run_kind, run_id, compute_kind
