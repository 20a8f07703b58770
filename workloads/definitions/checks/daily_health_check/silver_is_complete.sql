SELECT table_full_name, update_id, rows_in, rows_valid, rows_quarantined
FROM platform.silver_batches
WHERE NOT is_complete AND checked_at > CURRENT_TIMESTAMP() - INTERVAL 26 HOURS
ORDER BY table_full_name, checked_at
