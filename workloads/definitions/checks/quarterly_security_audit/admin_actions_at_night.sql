WITH last_days AS (
  SELECT MAX(event_date) AS last_day
  FROM gold.fact_audit_logs
)
SELECT
  COALESCE(a.user_identity_email, a.user_identity_subject_name, 'unknown') AS who,
  COUNT(*) AS actions,
  MAX(a.event_time) AS last_time,
  MAX_BY(a.risk_class, COALESCE(d.risk_rank, -1)) AS risk_class
FROM gold.fact_audit_logs AS a
CROSS JOIN last_days AS l
LEFT JOIN gold.dim_audit_action AS d
  ON d.service_name = a.service_name AND d.action_name = a.action_name
WHERE a.is_admin_action
  AND a.is_off_hours
  AND NOT COALESCE(a.is_system_user, FALSE)
  AND a.event_date > DATE_SUB(l.last_day, 90)
GROUP BY COALESCE(a.user_identity_email, a.user_identity_subject_name, 'unknown')
ORDER BY actions DESC, who
