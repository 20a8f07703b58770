SELECT COUNT(record_id) AS records FROM gold.fact_usage -- not gold.other
