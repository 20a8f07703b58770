SELECT record_id, usage_date, workspace_id FROM silver.silver_usage
