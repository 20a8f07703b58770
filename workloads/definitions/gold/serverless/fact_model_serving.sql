WITH requests AS (
  SELECT
    account_id,
    workspace_id,
    databricks_request_id,
    client_request_id,
    request_time,
    DATE(request_time) AS request_date,
    DATE_TRUNC('HOUR', request_time) AS request_hour,
    served_entity_id,
    requester,
    status_code,
    input_token_count,
    output_token_count,
    COALESCE(input_token_count, 0) + COALESCE(output_token_count, 0) AS tokens,
    request_streaming,
    usage_context,
    ROW_NUMBER() OVER (
      PARTITION BY DATE(request_time), workspace_id, databricks_request_id ORDER BY request_time
    ) AS copy
  FROM silver.silver_endpoint_usage
  WHERE request_time >= :first_day AND request_time < DATE_ADD(:last_day, 1)
),
entities AS (
  SELECT
    served_entity_id,
    valid_from,
    valid_to,
    endpoint_id,
    endpoint_name,
    entity_type,
    entity_name,
    entity_version,
    -- What was served before the first version that is known was most likely that version
    valid_from = MIN(valid_from) OVER (PARTITION BY served_entity_id) AS is_first
  FROM gold.dim_served_entity
),
served AS (
  SELECT
    r.*,
    e.endpoint_id,
    e.endpoint_name,
    e.entity_type,
    e.entity_name,
    e.entity_version
  FROM requests AS r
  LEFT JOIN entities AS e
    ON e.served_entity_id = r.served_entity_id
    AND (r.request_time >= e.valid_from OR e.is_first)
    AND (e.valid_to IS NULL OR r.request_time < e.valid_to)
  WHERE r.copy = 1
),
billed_hours AS (
  -- A record of several hours is spread evenly over them
  SELECT
    workspace_id,
    usage_metadata_endpoint_name AS endpoint_name,
    effective_cost,
    GREATEST(UNIX_TIMESTAMP(usage_end_time) - UNIX_TIMESTAMP(usage_start_time), 1L) AS seconds,
    usage_start_time,
    usage_end_time,
    EXPLODE(SEQUENCE(
      DATE_TRUNC('HOUR', usage_start_time),
      GREATEST(
        DATE_TRUNC('HOUR', usage_end_time - INTERVAL 1 SECOND),
        DATE_TRUNC('HOUR', usage_start_time)
      ),
      INTERVAL 1 HOUR
    )) AS usage_hour
  FROM gold.fact_usage
  WHERE usage_metadata_endpoint_name IS NOT NULL
    AND effective_cost IS NOT NULL
    AND usage_end_time >= :first_day
    AND usage_start_time < DATE_ADD(:last_day, 1)
),
costs AS (
  -- A share has 23 decimals, so that money times share is exact to its 18th
  SELECT
    workspace_id,
    endpoint_name,
    usage_hour,
    SUM(CAST(
      CAST(effective_cost AS DECIMAL(30, 18)) * CAST(
        CAST(
          GREATEST(
            LEAST(UNIX_TIMESTAMP(usage_end_time), UNIX_TIMESTAMP(usage_hour) + 3600L)
            - GREATEST(UNIX_TIMESTAMP(usage_start_time), UNIX_TIMESTAMP(usage_hour)),
            CASE WHEN usage_end_time <= usage_start_time THEN 1L ELSE 0L END
          ) AS DECIMAL(29, 14)
        ) / CAST(seconds AS DECIMAL(15, 0)) AS DECIMAL(24, 23)
      ) AS DECIMAL(38, 18)
    )) AS effective_cost
  FROM billed_hours
  GROUP BY workspace_id, endpoint_name, usage_hour
),
shares AS (
  SELECT
    s.*,
    SUM(s.tokens) OVER (
      PARTITION BY s.request_date, s.workspace_id, s.endpoint_name, s.request_hour
    ) AS hour_tokens,
    COUNT(*) OVER (
      PARTITION BY s.request_date, s.workspace_id, s.endpoint_name, s.request_hour
    ) AS hour_requests
  FROM served AS s
)
SELECT
  r.account_id,
  r.workspace_id,
  r.databricks_request_id,
  r.client_request_id,
  r.request_time,
  r.request_date,
  r.endpoint_id,
  r.endpoint_name,
  r.served_entity_id,
  r.entity_type,
  r.entity_name,
  r.entity_version,
  r.requester,
  r.status_code,
  r.status_code >= 400 AS is_error,
  r.input_token_count,
  r.output_token_count,
  CASE
    WHEN r.input_token_count IS NOT NULL OR r.output_token_count IS NOT NULL THEN r.tokens
  END AS total_token_count,
  r.request_streaming,
  r.usage_context,
  r.entity_name AS model_name,
  CAST(NULL AS DOUBLE) AS score,
  CAST(NULL AS STRING) AS predicted_result,
  CAST(NULL AS BOOLEAN) AS is_anomaly,
  CAST(NULL AS STRING) AS anomaly_category,
  CAST(NULL AS STRING) AS risk_level,
  CAST(
    CAST(c.effective_cost AS DECIMAL(30, 18)) * CAST(
      CASE
        WHEN r.hour_tokens > 0
          THEN CAST(r.tokens AS DECIMAL(29, 14)) / CAST(r.hour_tokens AS DECIMAL(15, 0))
        ELSE CAST(1 AS DECIMAL(29, 14)) / CAST(r.hour_requests AS DECIMAL(15, 0))
      END AS DECIMAL(24, 23)
    ) AS DECIMAL(38, 18)
  ) AS attributed_cost
FROM shares AS r
LEFT JOIN costs AS c
  ON c.workspace_id = r.workspace_id
  AND c.endpoint_name = r.endpoint_name
  AND c.usage_hour = r.request_hour
