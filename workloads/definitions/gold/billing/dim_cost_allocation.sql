SELECT
  allocation_rule_id,
  valid_from,
  LEAD(valid_from) OVER (PARTITION BY allocation_rule_id ORDER BY valid_from) AS valid_to,
  LEAD(valid_from) OVER (PARTITION BY allocation_rule_id ORDER BY valid_from) IS NULL AS is_current,
  rule_name,
  priority,
  is_tagged,
  workspace_id,
  billing_origin_products,
  allocation_method,
  cost_center
FROM listed
