SELECT source, MAX(checked_at) AS checked_at
FROM platform.source_status
GROUP BY source
HAVING MAX(checked_at) < CURRENT_TIMESTAMP() - INTERVAL 26 HOURS
ORDER BY checked_at, source
