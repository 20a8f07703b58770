SELECT source, detail
FROM gold.get_source_status('not_assessed')
ORDER BY source
