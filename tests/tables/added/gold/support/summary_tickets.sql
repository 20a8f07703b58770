SELECT
  t.opened_date,
  t.workspace_id,
  MAX(w.workspace_name) AS workspace_name,
  COUNT(*) AS ticket_count,
  COUNT_IF(t.severity = 'HIGH') AS severe_count
FROM silver.silver_tickets AS t
LEFT JOIN gold.dim_workspace AS w ON w.workspace_id = t.workspace_id AND w.is_current
GROUP BY t.opened_date, t.workspace_id
