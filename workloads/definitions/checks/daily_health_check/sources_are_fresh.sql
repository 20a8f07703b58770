SELECT source, detail
FROM gold.get_source_status('stale')
ORDER BY source
