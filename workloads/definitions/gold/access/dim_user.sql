WITH sightings AS (
  SELECT
    COALESCE(user_identity.email, user_identity.subject_name) AS user_email,
    CAST(NULL AS STRING) AS user_id,
    event_time AS first_at,
    event_time AS last_at
  FROM silver.silver_audit
  UNION ALL
  SELECT who.user_email, who.user_id, first_at, last_at
  FROM (
    SELECT
      -- Who asked and with whose rights may be two
      EXPLODE(
        ARRAY(
          STRUCT(executed_by AS user_email, executed_by_user_id AS user_id),
          STRUCT(executed_as AS user_email, executed_as_user_id AS user_id)
        )
      ) AS who,
      MIN(start_time) AS first_at,
      MAX(start_time) AS last_at
    FROM silver.silver_query_history
    GROUP BY executed_by, executed_by_user_id, executed_as, executed_as_user_id
  )
  UNION ALL
  SELECT
    EXPLODE(
      ARRAY(identity_metadata.run_as, identity_metadata.owned_by, identity_metadata.created_by)
    ),
    CAST(NULL AS STRING),
    MIN(usage_end_time),
    MAX(usage_end_time)
  FROM silver.silver_usage
  GROUP BY identity_metadata.run_as, identity_metadata.owned_by, identity_metadata.created_by
),
seen AS (
  SELECT
    user_email,
    MIN(first_at) AS first_seen_time,
    MAX(last_at) AS last_seen_time,
    MAX_BY(user_id, CASE WHEN user_id IS NOT NULL THEN last_at END) AS user_id
  FROM sightings
  GROUP BY user_email
),
events AS (
  SELECT
    TRY_ELEMENT_AT(request_params, 'targetUserName') AS user_email,
    event_time AS happened_at,
    COALESCE(workspace_id, '0') AS workspace_id,
    CASE
      WHEN action_name IN ('add', 'activateUser') THEN TRUE
      WHEN action_name IN ('delete', 'deactivateUser') THEN FALSE
    END AS is_active,
    CASE
      WHEN action_name IN ('setAdmin', 'setAccountAdmin') THEN TRUE
      WHEN action_name IN ('removeAdmin', 'removeAccountAdmin') THEN FALSE
    END AS is_admin
  FROM silver.silver_audit
  WHERE service_name = 'accounts'
    AND action_name IN (
      'add', 'delete', 'activateUser', 'deactivateUser',
      'setAdmin', 'removeAdmin', 'setAccountAdmin', 'removeAccountAdmin'
    )
    AND response.status_code < 400
),
rights AS (
  SELECT
    user_email,
    happened_at,
    is_active,
    is_admin,
    -- A right given twice in one workspace is one right
    CASE
      WHEN is_admin AND NOT COALESCE(
        LAST_VALUE(is_admin, TRUE) OVER (
          PARTITION BY user_email, workspace_id ORDER BY happened_at
          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ),
        FALSE
      ) THEN 1
      WHEN NOT is_admin AND LAST_VALUE(is_admin, TRUE) OVER (
        PARTITION BY user_email, workspace_id ORDER BY happened_at
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) THEN -1
      ELSE 0
    END AS admin_change
  FROM events
  WHERE user_email IS NOT NULL
),
moments AS (
  SELECT
    user_email,
    happened_at,
    BOOL_AND(is_active) AS is_active,
    COUNT(is_admin) AS admin_events,
    SUM(admin_change) AS admin_change
  FROM rights
  GROUP BY user_email, happened_at
  UNION ALL
  SELECT s.user_email, s.first_seen_time, TRUE, 0, 0
  FROM seen AS s
  LEFT JOIN (SELECT user_email, MIN(happened_at) AS happened_at FROM rights GROUP BY user_email) AS r
    ON r.user_email = s.user_email
  WHERE r.happened_at IS NULL OR s.first_seen_time < r.happened_at
),
states AS (
  SELECT
    user_email,
    happened_at,
    LAST_VALUE(is_active, TRUE) OVER (
      PARTITION BY user_email ORDER BY happened_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS is_active,
    CASE
      WHEN SUM(admin_events) OVER (
        PARTITION BY user_email ORDER BY happened_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) > 0 THEN SUM(admin_change) OVER (
        PARTITION BY user_email ORDER BY happened_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) > 0
    END AS is_admin
  FROM moments
),
marked AS (
  SELECT
    user_email,
    happened_at,
    is_active,
    is_admin,
    NOT STRUCT(is_active, is_admin) <=> LAG(STRUCT(is_active, is_admin)) OVER (
      PARTITION BY user_email ORDER BY happened_at
    ) AS is_change
  FROM states
),
versions AS (
  SELECT
    user_email,
    happened_at AS valid_from,
    LEAD(happened_at) OVER (PARTITION BY user_email ORDER BY happened_at) AS valid_to,
    is_active,
    is_admin
  FROM marked
  WHERE is_change
)
SELECT
  v.user_email,
  v.valid_from,
  v.valid_to,
  v.valid_to IS NULL AS is_current,
  s.user_id,
  CASE WHEN CONTAINS(v.user_email, '@') THEN LOWER(SUBSTRING_INDEX(v.user_email, '@', -1)) END
    AS email_domain,
  NOT CONTAINS(v.user_email, '@') AS is_system_user,
  v.is_active,
  v.is_admin,
  s.first_seen_time,
  s.last_seen_time
FROM versions AS v
LEFT JOIN seen AS s ON s.user_email = v.user_email
WHERE v.user_email IS NOT NULL
  -- The application id of a service principal is a UUID: dim_service_principal has those
  AND v.user_email NOT LIKE '________-____-____-____-____________'
