WITH outcomes AS (
  SELECT result_state, MIN(outcome_class) AS outcome_class
  FROM gold.dim_run_outcome
  GROUP BY result_state
),
updates AS (
  SELECT
    workspace_id,
    pipeline_id,
    update_id,
    MIN_BY(
      STRUCT(
        account_id, request_id, update_type, trigger_type, trigger_details, run_as_user_name
      ),
      period_start_time
    ) AS opening,
    MAX_BY(result_state, STRUCT(period_end_time, period_start_time))
      FILTER (WHERE result_state IS NOT NULL) AS result_state,
    MIN(period_start_time) AS update_start_time,
    MAX(period_end_time) AS update_end_time,
    COUNT(*) AS slice_count,
    MAX(compute.cluster_id) AS compute_cluster_id,
    MAX(compute.type LIKE '%SERVERLESS%') AS compute_is_serverless,
    MAX(SIZE(full_refresh_selection)) AS full_refresh_count
  FROM silver.silver_pipeline_update_timeline
  GROUP BY workspace_id, pipeline_id, update_id
),
numbered AS (
  SELECT
    *,
    CASE
      WHEN opening.request_id IS NULL THEN 1
      ELSE ROW_NUMBER() OVER (
        PARTITION BY workspace_id, pipeline_id, opening.request_id
        ORDER BY update_start_time, update_id
      )
    END AS attempt_number
  FROM updates
),
costs AS (
  SELECT
    workspace_id,
    run_id AS update_id,
    SUM(dbus) AS dbus,
    SUM(effective_cost) AS effective_cost,
    MAX(compute_kind = 'serverless') AS is_serverless
  FROM gold.run_costs
  WHERE run_kind = 'pipeline_update' AND usage_date >= :first_day
  GROUP BY workspace_id, run_id
),
pipelines AS (
  -- what ran before the first version that is known counts to that version
  SELECT
    workspace_id,
    pipeline_id,
    name,
    settings.serverless AS is_serverless,
    CASE
      WHEN __START_AT > MIN(__START_AT) OVER (PARTITION BY workspace_id, pipeline_id)
        THEN __START_AT
    END AS holds_from,
    __END_AT AS holds_to
  FROM silver.silver_pipelines
)
SELECT
  u.opening.account_id AS account_id,
  u.workspace_id,
  u.pipeline_id,
  u.update_id,
  p.name AS pipeline_name,
  u.opening.request_id AS request_id,
  u.opening.update_type AS update_type,
  u.opening.trigger_type AS trigger_type,
  u.opening.trigger_details.job_task.job_id AS trigger_job_id,
  DATE(u.update_start_time) AS update_date,
  u.update_start_time,
  u.update_end_time,
  (UNIX_MICROS(u.update_end_time) - UNIX_MICROS(u.update_start_time)) DIV 1000000
    AS duration_seconds,
  u.result_state,
  CASE WHEN u.result_state IS NOT NULL THEN COALESCE(o.outcome_class, 'unknown') END
    AS outcome_class,
  o.outcome_class <=> 'succeeded' AS is_success,
  o.outcome_class <=> 'failed' AS is_failed,
  u.attempt_number,
  u.slice_count,
  COALESCE(u.compute_is_serverless, c.is_serverless, p.is_serverless) AS is_serverless,
  u.compute_cluster_id,
  GREATEST(u.full_refresh_count, 0) AS full_refresh_count,
  u.opening.run_as_user_name AS run_as,
  c.dbus,
  c.effective_cost
FROM numbered AS u
LEFT JOIN outcomes AS o ON o.result_state = u.result_state
LEFT JOIN costs AS c ON c.workspace_id = u.workspace_id AND c.update_id = u.update_id
LEFT JOIN pipelines AS p
  ON p.workspace_id = u.workspace_id
  AND p.pipeline_id = u.pipeline_id
  AND (p.holds_from IS NULL OR u.update_start_time >= p.holds_from)
  AND (p.holds_to IS NULL OR u.update_start_time < p.holds_to)
