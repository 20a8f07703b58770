SELECT record_id AS user_email FROM silver.silver_usage
