WITH seen AS (
  SELECT
    result_state,
    COALESCE(termination_code, 'NONE') AS termination_code,
    true AS in_job_runs,
    false AS in_pipeline_updates
  FROM silver.silver_job_run_timeline
  WHERE result_state IS NOT NULL
  UNION ALL
  SELECT
    result_state,
    'NONE' AS termination_code,
    false AS in_job_runs,
    true AS in_pipeline_updates
  FROM silver.silver_pipeline_update_timeline
  WHERE result_state IS NOT NULL
),
outcomes AS (
  SELECT result_state, termination_code, false AS in_job_runs, false AS in_pipeline_updates
  FROM listed
  UNION ALL
  SELECT result_state, termination_code, in_job_runs, in_pipeline_updates
  FROM seen
)
SELECT
  o.result_state,
  o.termination_code,
  COALESCE(MAX(l.outcome_class), 'unknown') AS outcome_class,
  MAX(l.outcome_class) IS NOT NULL AS is_known,
  MAX(o.in_job_runs) AS is_seen_in_job_runs,
  MAX(o.in_pipeline_updates) AS is_seen_in_pipeline_updates
FROM outcomes AS o
LEFT JOIN listed AS l ON l.result_state = o.result_state
GROUP BY o.result_state, o.termination_code
