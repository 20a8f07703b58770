SELECT
  event_date,
  COALESCE(workspace_id, '0') AS workspace_id,
  COALESCE(user_identity_email, user_identity_subject_name, 'unknown') AS user_identity_email,
  risk_class,
  COUNT(*) AS event_count,
  COUNT_IF(is_failed) AS failed_count,
  COUNT_IF(is_auth_failure) AS auth_failure_count,
  COUNT_IF(is_permission_change) AS permission_change_count,
  COUNT_IF(is_admin_action) AS admin_action_count,
  COUNT_IF(is_destructive) AS destructive_count,
  COUNT_IF(is_export) AS export_count,
  COUNT_IF(is_off_hours) AS off_hours_count,
  COUNT_IF(is_admin_action IS NULL) AS unclassified_count,
  NULLIF(COUNT(DISTINCT source_ip_address), 0) AS distinct_source_ips
FROM gold.fact_audit_logs
GROUP BY
  event_date,
  COALESCE(workspace_id, '0'),
  COALESCE(user_identity_email, user_identity_subject_name, 'unknown'),
  risk_class
