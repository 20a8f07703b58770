SELECT
  served_entity_id,
  __START_AT AS valid_from,
  __END_AT AS valid_to,
  __END_AT IS NULL AS is_current,
  account_id,
  workspace_id,
  endpoint_id,
  endpoint_name,
  served_entity_name,
  entity_type,
  entity_name,
  entity_version,
  endpoint_config_version,
  task,
  created_by,
  external_model_config.provider AS external_provider,
  COALESCE(custom_model_config.compute_type, feature_spec_config.compute_type) AS compute_type,
  COALESCE(custom_model_config.min_concurrency, feature_spec_config.min_concurrency)
    AS min_concurrency,
  COALESCE(custom_model_config.max_concurrency, feature_spec_config.max_concurrency)
    AS max_concurrency,
  foundation_model_config.min_provisioned_throughput AS min_provisioned_throughput,
  foundation_model_config.max_provisioned_throughput AS max_provisioned_throughput,
  endpoint_delete_time
FROM silver.silver_served_entities
