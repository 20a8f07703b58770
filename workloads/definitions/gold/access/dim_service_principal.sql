WITH sightings AS (
  SELECT
    COALESCE(user_identity.email, user_identity.subject_name) AS application_id,
    CAST(NULL AS STRING) AS principal_id,
    event_time AS first_at,
    event_time AS last_at,
    CAST(NULL AS STRING) AS job
  FROM silver.silver_audit
  UNION ALL
  SELECT
    COALESCE(run_as_user_name, run_as),
    CASE WHEN run_as <> run_as_user_name THEN run_as END,
    __START_AT,
    CAST(NULL AS TIMESTAMP),
    CASE WHEN __END_AT IS NULL AND delete_time IS NULL THEN CONCAT_WS('/', workspace_id, job_id) END
  FROM silver.silver_jobs
  UNION ALL
  SELECT
    EXPLODE(ARRAY(identity_metadata.run_as, identity_metadata.created_by)),
    CAST(NULL AS STRING),
    MIN(usage_end_time),
    MAX(usage_end_time),
    CAST(NULL AS STRING)
  FROM silver.silver_usage
  GROUP BY identity_metadata.run_as, identity_metadata.created_by
),
seen AS (
  SELECT
    application_id,
    MAX(principal_id) AS principal_id,
    MIN(first_at) AS first_seen_time,
    MAX(last_at) AS last_seen_time,
    COUNT(DISTINCT job) AS job_count
  FROM sightings
  GROUP BY application_id
),
events AS (
  SELECT
    TRY_ELEMENT_AT(request_params, 'targetUserName') AS application_id,
    event_time AS happened_at,
    BOOL_AND(action_name NOT LIKE 'de%') AS is_active
  FROM silver.silver_audit
  WHERE service_name = 'accounts'
    AND action_name IN (
      'add', 'delete', 'activateUser', 'deactivateUser',
      'createServicePrincipal', 'deleteServicePrincipal'
    )
    AND response.status_code < 400
  GROUP BY TRY_ELEMENT_AT(request_params, 'targetUserName'), event_time
),
moments AS (
  SELECT application_id, happened_at, is_active FROM events
  UNION ALL
  SELECT s.application_id, s.first_seen_time, TRUE
  FROM seen AS s
  LEFT JOIN (SELECT application_id, MIN(happened_at) AS happened_at FROM events GROUP BY application_id) AS e
    ON e.application_id = s.application_id
  WHERE e.happened_at IS NULL OR s.first_seen_time < e.happened_at
),
marked AS (
  SELECT
    application_id,
    happened_at,
    is_active,
    NOT is_active <=> LAG(is_active) OVER (PARTITION BY application_id ORDER BY happened_at) AS is_change
  FROM moments
),
versions AS (
  SELECT
    application_id,
    happened_at AS valid_from,
    LEAD(happened_at) OVER (PARTITION BY application_id ORDER BY happened_at) AS valid_to,
    is_active
  FROM marked
  WHERE is_change
)
SELECT
  v.application_id,
  v.valid_from,
  v.valid_to,
  v.valid_to IS NULL AS is_current,
  s.principal_id,
  v.is_active,
  COALESCE(s.job_count, 0) AS job_count,
  s.first_seen_time,
  s.last_seen_time
FROM versions AS v
LEFT JOIN seen AS s ON s.application_id = v.application_id
WHERE v.application_id LIKE '________-____-____-____-____________'
