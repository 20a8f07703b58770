SELECT
  table_full_name,
  SUM(rows_in) AS rows_in,
  SUM(rows_quarantined) AS set_aside
FROM platform.silver_batches
WHERE checked_at > CURRENT_TIMESTAMP() - INTERVAL 26 HOURS
GROUP BY table_full_name
HAVING SUM(rows_quarantined) > 20 AND SUM(rows_quarantined) > 0.05 * SUM(rows_in)
ORDER BY set_aside DESC
