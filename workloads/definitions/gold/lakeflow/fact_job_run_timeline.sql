WITH slices AS (
  SELECT
    s.*,
    -- how the attempt ended that a slice belongs to: a repaired run ends more than once
    FIRST_VALUE(s.result_state, true) OVER (
      PARTITION BY s.workspace_id, s.run_id
      ORDER BY s.period_end_time, s.period_start_time
      ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
    ) AS attempt_state,
    UNIX_MICROS(s.period_end_time) - UNIX_MICROS(s.period_start_time) AS slice_us
  FROM silver.silver_job_run_timeline AS s
  LEFT ANTI JOIN (
    SELECT workspace_id, run_id
    FROM silver.silver_job_run_timeline
    WHERE period_start_time < :first_day
  ) AS earlier
    ON earlier.workspace_id = s.workspace_id AND earlier.run_id = s.run_id
  WHERE s.period_start_time >= :first_day
),
outcomes AS (
  SELECT result_state, MIN(outcome_class) AS outcome_class
  FROM gold.dim_run_outcome
  GROUP BY result_state
),
runs AS (
  SELECT
    s.workspace_id,
    s.run_id,
    MIN_BY(
      STRUCT(s.account_id, s.job_id, s.run_type, s.run_name, s.trigger_type), s.period_start_time
    ) AS opening,
    MAX_BY(
      STRUCT(
        s.result_state,
        s.termination_code,
        s.termination_type,
        s.period_end_time,
        s.run_duration_seconds,
        s.queue_duration_seconds,
        s.setup_duration_seconds,
        s.execution_duration_seconds
      ),
      STRUCT(s.period_end_time, s.period_start_time)
    ) FILTER (WHERE s.result_state IS NOT NULL) AS ending,
    MIN(s.period_start_time) AS run_start_time,
    MAX(s.period_end_time) AS run_end_time,
    COUNT(s.result_state) AS attempt_count,
    COUNT(*) AS slice_count,
    SUM(s.slice_us) AS active_us,
    SUM(CASE WHEN o.outcome_class = 'failed' THEN s.slice_us ELSE 0 END) AS failed_us,
    FLATTEN(COLLECT_LIST(s.compute_ids)) AS compute_ids,
    FLATTEN(COLLECT_LIST(s.compute)) AS compute
  FROM slices AS s
  LEFT JOIN outcomes AS o ON o.result_state = s.attempt_state
  GROUP BY s.workspace_id, s.run_id
),
task_runs AS (
  SELECT
    workspace_id,
    job_run_id,
    task_key,
    run_id,
    MAX_BY(result_state, STRUCT(period_end_time, period_start_time))
      FILTER (WHERE result_state IS NOT NULL) AS result_state,
    COUNT(result_state) AS ending_count,
    MAX(period_end_time) AS end_time,
    FLATTEN(COLLECT_LIST(compute_ids)) AS compute_ids,
    FLATTEN(COLLECT_LIST(compute)) AS compute
  FROM silver.silver_job_task_run_timeline
  WHERE period_start_time >= :first_day AND job_run_id IS NOT NULL
  GROUP BY workspace_id, job_run_id, task_key, run_id
),
run_tasks AS (
  SELECT
    workspace_id,
    job_run_id,
    task_key,
    MAX_BY(result_state, STRUCT(end_time, run_id)) AS result_state,
    SUM(GREATEST(ending_count, 1)) AS attempt_count,
    FLATTEN(COLLECT_LIST(compute_ids)) AS compute_ids,
    FLATTEN(COLLECT_LIST(compute)) AS compute
  FROM task_runs
  GROUP BY workspace_id, job_run_id, task_key
),
tasks AS (
  SELECT
    t.workspace_id,
    t.job_run_id,
    COUNT(*) AS task_count,
    COUNT_IF(o.outcome_class = 'failed') AS failed_task_count,
    COUNT_IF(t.attempt_count > 1) AS retried_task_count,
    FLATTEN(COLLECT_LIST(t.compute_ids)) AS compute_ids,
    FLATTEN(COLLECT_LIST(t.compute)) AS compute
  FROM run_tasks AS t
  LEFT JOIN outcomes AS o ON o.result_state = t.result_state
  GROUP BY t.workspace_id, t.job_run_id
),
costs AS (
  SELECT
    workspace_id,
    run_id,
    SUM(dbus) AS dbus,
    SUM(effective_cost) AS effective_cost,
    SUM(CASE WHEN attribution_class = 'estimated' THEN effective_cost END) AS estimated_cost,
    MAX(attribution_class = 'estimated') AS is_estimated,
    SUM(unpriced_count) AS unpriced_count,
    COLLECT_SET(compute_kind) AS compute_kinds,
    MAX(run_as) AS run_as
  FROM gold.run_costs
  WHERE run_kind = 'job_run' AND usage_date >= :first_day
  GROUP BY workspace_id, run_id
),
jobs AS (
  -- what ran before the first version that is known counts to that version
  SELECT
    workspace_id,
    job_id,
    name,
    COALESCE(run_as_user_name, run_as) AS run_as,
    COALESCE(
      ARRAY_MIN(
        TRANSFORM(FILTER(health_rules, r -> r.metric = 'RUN_DURATION_SECONDS'), r -> r.value)
      ),
      NULLIF(timeout_seconds, 0)
    ) AS sla_seconds,
    CASE
      WHEN __START_AT > MIN(__START_AT) OVER (PARTITION BY workspace_id, job_id) THEN __START_AT
    END AS holds_from,
    __END_AT AS holds_to
  FROM silver.silver_jobs
),
joined AS (
  SELECT
    r.workspace_id,
    r.run_id,
    r.opening,
    r.ending,
    r.run_start_time,
    r.run_end_time,
    r.attempt_count,
    r.slice_count,
    r.active_us,
    r.failed_us,
    o.outcome_class,
    COALESCE(
      NULLIF(r.ending.run_duration_seconds, 0),
      (UNIX_MICROS(r.run_end_time) - UNIX_MICROS(r.run_start_time)) DIV 1000000
    ) AS run_duration_seconds,
    t.task_count,
    t.failed_task_count,
    t.retried_task_count,
    ARRAY_SORT(
      ARRAY_DISTINCT(CONCAT(r.compute_ids, COALESCE(t.compute_ids, ARRAY())))
    ) AS compute_ids,
    ARRAY_DISTINCT(
      CONCAT(
        COALESCE(c.compute_kinds, ARRAY()),
        TRANSFORM(
          FILTER(
            CONCAT(r.compute, COALESCE(t.compute, ARRAY())),
            x -> x.warehouse_id IS NOT NULL OR x.type LIKE '%SERVERLESS%'
          ),
          x -> CASE WHEN x.warehouse_id IS NULL THEN 'serverless' ELSE 'warehouse' END
        )
      )
    ) AS compute_kinds,
    j.name AS job_name,
    COALESCE(j.run_as, c.run_as) AS run_as,
    j.sla_seconds,
    c.run_id AS billed_run_id,
    c.dbus,
    c.effective_cost,
    c.estimated_cost,
    c.is_estimated,
    c.unpriced_count
  FROM runs AS r
  LEFT JOIN outcomes AS o ON o.result_state = r.ending.result_state
  LEFT JOIN tasks AS t ON t.workspace_id = r.workspace_id AND t.job_run_id = r.run_id
  LEFT JOIN costs AS c ON c.workspace_id = r.workspace_id AND c.run_id = r.run_id
  LEFT JOIN jobs AS j
    ON j.workspace_id = r.workspace_id
    AND j.job_id = r.opening.job_id
    AND (j.holds_from IS NULL OR r.run_start_time >= j.holds_from)
    AND (j.holds_to IS NULL OR r.run_start_time < j.holds_to)
)
SELECT
  opening.account_id AS account_id,
  workspace_id,
  opening.job_id AS job_id,
  run_id,
  job_name,
  opening.run_type AS run_type,
  opening.run_name AS run_name,
  opening.trigger_type AS trigger_type,
  DATE(run_start_time) AS run_date,
  run_start_time,
  run_end_time,
  ending.result_state AS result_state,
  ending.termination_code AS termination_code,
  ending.termination_type AS termination_type,
  COALESCE(ending.period_end_time >= run_end_time, false) AS is_terminal,
  CASE WHEN ending IS NOT NULL THEN COALESCE(outcome_class, 'unknown') END AS outcome_class,
  outcome_class <=> 'succeeded' AS is_success,
  outcome_class <=> 'failed' AS is_failed,
  attempt_count,
  attempt_count > 1 AS is_repaired,
  slice_count,
  run_duration_seconds,
  active_us DIV 1000000 AS active_seconds,
  -- a run whose duration is not reported has 0 in the others, too
  CASE WHEN ending.run_duration_seconds > 0 THEN ending.queue_duration_seconds END
    AS queue_duration_seconds,
  CASE WHEN ending.run_duration_seconds > 0 THEN ending.setup_duration_seconds END
    AS setup_duration_seconds,
  CASE WHEN ending.run_duration_seconds > 0 THEN ending.execution_duration_seconds END
    AS execution_duration_seconds,
  task_count,
  failed_task_count,
  retried_task_count,
  compute_ids,
  CASE
    WHEN SIZE(compute_kinds) = 1 THEN compute_kinds[0]
    WHEN SIZE(compute_kinds) > 1 THEN 'mixed'
  END AS compute_kind,
  run_as,
  dbus,
  effective_cost,
  estimated_cost,
  CASE
    WHEN outcome_class = 'failed' THEN effective_cost
    WHEN ending IS NULL OR active_us = 0 THEN NULL
    ELSE
      CAST(effective_cost AS DECIMAL(30, 18)) * CAST(
        CAST(failed_us AS DECIMAL(18, 0)) / CAST(active_us AS DECIMAL(18, 0)) AS DECIMAL(25, 18)
      )
  END AS wasted_cost,
  CASE
    WHEN effective_cost IS NOT NULL AND is_estimated THEN 'estimated'
    WHEN effective_cost IS NOT NULL THEN 'attributed'
    WHEN billed_run_id IS NOT NULL THEN 'unpriced'
    WHEN opening.run_type = 'WORKFLOW_RUN' THEN 'on_parent'
    WHEN ARRAY_CONTAINS(compute_kinds, 'warehouse') THEN 'on_statements'
    ELSE 'not_billed'
  END AS cost_attribution_class,
  sla_seconds,
  CASE
    WHEN sla_seconds IS NOT NULL THEN
      run_duration_seconds > sla_seconds OR ending.result_state <=> 'TIMED_OUT'
  END AS sla_breached
FROM joined
