WITH events AS (
  SELECT
    'audit' AS event_source,
    account_id,
    COALESCE(workspace_id, CASE WHEN audit_level = 'ACCOUNT_LEVEL' THEN '0' END) AS workspace_id,
    event_id,
    event_time,
    event_date,
    service_name,
    action_name,
    audit_level,
    user_identity.email AS user_identity_email,
    user_identity.subject_name AS user_identity_subject_name,
    identity_metadata.run_by AS identity_run_by,
    identity_metadata.run_as AS identity_run_as,
    source_ip_address,
    source_ip_class,
    user_agent,
    session_id,
    request_id,
    request_params,
    response.status_code AS response_status_code,
    response.error_message AS response_error_message,
    -- An account's event is in the log of every region; the partition has the day, so that
    -- computing one day anew reads that day only
    ROW_NUMBER() OVER (PARTITION BY event_date, event_id ORDER BY event_time, workspace_id) AS copy
  FROM silver.silver_audit
  WHERE event_date BETWEEN :first_day AND :last_day
  UNION ALL
  SELECT
    'inbound_network' AS event_source,
    account_id,
    workspace_id,
    event_id,
    event_time,
    DATE(event_time) AS event_date,
    'network' AS service_name,
    CASE WHEN CONTAINS(policy_outcome, 'DRY_RUN') THEN 'inboundDryRunDenied' ELSE 'inboundDenied' END
      AS action_name,
    'WORKSPACE_LEVEL' AS audit_level,
    authenticated_as AS user_identity_email,
    CAST(NULL AS STRING) AS user_identity_subject_name,
    CAST(NULL AS STRING) AS identity_run_by,
    CAST(NULL AS STRING) AS identity_run_as,
    source.ip AS source_ip_address,
    source_ip_class,
    CAST(NULL AS STRING) AS user_agent,
    CAST(NULL AS STRING) AS session_id,
    CAST(NULL AS STRING) AS request_id,
    MAP('request_path', request_path, 'rule_label', rule_label, 'policy_outcome', policy_outcome)
      AS request_params,
    CAST(NULL AS INT) AS response_status_code,
    CAST(NULL AS STRING) AS response_error_message,
    1 AS copy
  FROM silver.silver_inbound_network
  WHERE event_time >= :first_day AND event_time < DATE_ADD(:last_day, 1)
  UNION ALL
  SELECT
    'outbound_network' AS event_source,
    account_id,
    workspace_id,
    event_id,
    event_time,
    DATE(event_time) AS event_date,
    'network' AS service_name,
    CASE WHEN CONTAINS(access_type, 'DRY_RUN') THEN 'outboundDryRunDenied' ELSE 'outboundDenied' END
      AS action_name,
    'WORKSPACE_LEVEL' AS audit_level,
    CAST(NULL AS STRING) AS user_identity_email,
    CAST(NULL AS STRING) AS user_identity_subject_name,
    CAST(NULL AS STRING) AS identity_run_by,
    CAST(NULL AS STRING) AS identity_run_as,
    CAST(NULL AS STRING) AS source_ip_address,
    CAST(NULL AS STRING) AS source_ip_class,
    CAST(NULL AS STRING) AS user_agent,
    CAST(NULL AS STRING) AS session_id,
    CAST(NULL AS STRING) AS request_id,
    MAP(
      'destination', destination,
      'destination_type', destination_type,
      'network_source_type', network_source_type
    ) AS request_params,
    CAST(NULL AS INT) AS response_status_code,
    CAST(NULL AS STRING) AS response_error_message,
    1 AS copy
  FROM silver.silver_outbound_network
  WHERE event_time >= :first_day AND event_time < DATE_ADD(:last_day, 1)
),
judged AS (
  SELECT
    e.*,
    d.is_denial,
    d.is_authentication,
    d.is_permission_change,
    d.is_admin_action,
    d.is_data_access,
    d.is_destructive,
    d.is_export,
    d.risk_rank,
    -- The application id of a service principal is a UUID; Databricks' own actors have no address
    COALESCE(e.user_identity_email, e.user_identity_subject_name)
      LIKE '________-____-____-____-____________' AS is_service_principal,
    COALESCE(e.user_identity_email, e.user_identity_subject_name) NOT LIKE '%@%'
      AND COALESCE(e.user_identity_email, e.user_identity_subject_name)
      NOT LIKE '________-____-____-____-____________' AS is_system_user,
    CASE
      WHEN d.is_denial THEN TRUE
      WHEN e.event_source <> 'audit' THEN FALSE
      ELSE e.response_status_code >= 400
    END AS is_failed,
    DAYOFWEEK(e.event_time) IN (1, 7) OR HOUR(e.event_time) NOT BETWEEN 7 AND 18 AS is_off_hours,
    TRY_ELEMENT_AT(e.request_params, d.target_parameter) AS named_target
  FROM events AS e
  LEFT JOIN gold.dim_audit_action AS d
    ON d.service_name = e.service_name AND d.action_name = e.action_name
  WHERE e.copy = 1
),
ranked AS (
  SELECT
    *,
    CASE
      WHEN response_status_code = 401 THEN TRUE
      WHEN is_authentication THEN is_failed
      WHEN is_authentication IS NOT NULL THEN FALSE
    END AS is_auth_failure,
    risk_rank + CASE
      WHEN is_off_hours
        AND NOT COALESCE(is_system_user, FALSE)
        AND NOT COALESCE(is_service_principal, FALSE)
        AND (is_permission_change OR is_admin_action OR is_destructive OR is_export) THEN 1
      ELSE 0
    END AS raised_rank
  FROM judged
)
SELECT
  event_source,
  account_id,
  workspace_id,
  event_id,
  event_time,
  event_date,
  HOUR(event_time) AS event_hour,
  service_name,
  action_name,
  audit_level,
  user_identity_email,
  user_identity_subject_name,
  is_service_principal,
  is_system_user,
  identity_run_by,
  identity_run_as,
  source_ip_address,
  source_ip_class,
  user_agent,
  session_id,
  request_id,
  request_params,
  response_status_code,
  response_error_message,
  is_failed,
  is_auth_failure,
  is_permission_change,
  is_admin_action,
  is_data_access,
  is_destructive,
  is_export,
  is_off_hours,
  CASE
    WHEN raised_rank >= 3 THEN 'critical'
    WHEN raised_rank = 2 THEN 'high'
    WHEN raised_rank = 1 OR is_auth_failure THEN 'medium'
    WHEN raised_rank = 0 THEN 'low'
    ELSE 'unknown'
  END AS risk_class,
  COALESCE(
    named_target,
    TRY_ELEMENT_AT(request_params, 'full_name_arg'),
    TRY_ELEMENT_AT(request_params, 'securable_full_name'),
    TRY_ELEMENT_AT(request_params, 'table_full_name')
  ) AS target_full_name
FROM ranked
