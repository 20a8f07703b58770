-- The most precise row of the definition that fits an action says what it is: one for its service
-- before one for any, the exact name before a pattern, the longer pattern before the shorter.
WITH actions AS (
  SELECT service_name, action_name
  FROM silver.silver_audit
  WHERE service_name IS NOT NULL AND action_name IS NOT NULL
  UNION
  SELECT service_name, action_name
  FROM listed
  WHERE NOT CONTAINS(CONCAT(service_name, action_name), '%')
),
classed AS (
  SELECT
    a.service_name,
    a.action_name,
    r.action_class,
    r.risk_class,
    r.target_parameter,
    ROW_NUMBER() OVER (
      PARTITION BY a.service_name, a.action_name
      ORDER BY r.service_name = a.service_name DESC, r.action_name = a.action_name DESC,
        LENGTH(r.action_name) DESC, r.action_name
    ) AS place
  FROM actions AS a
  LEFT JOIN listed AS r
    ON (r.service_name = a.service_name OR r.service_name = '%') AND a.action_name LIKE r.action_name
)
SELECT
  service_name,
  action_name,
  action_class IS NOT NULL AS is_classified,
  COALESCE(action_class, 'unclassified') AS action_class,
  COALESCE(risk_class, 'unknown') AS risk_class,
  CASE risk_class WHEN 'low' THEN 0 WHEN 'medium' THEN 1 WHEN 'high' THEN 2 WHEN 'critical' THEN 3 END
    AS risk_rank,
  ARRAY_CONTAINS(SPLIT(action_class, ' '), 'authentication') AS is_authentication,
  ARRAY_CONTAINS(SPLIT(action_class, ' '), 'denial') AS is_denial,
  ARRAY_CONTAINS(SPLIT(action_class, ' '), 'permission_change') AS is_permission_change,
  ARRAY_CONTAINS(SPLIT(action_class, ' '), 'admin') AS is_admin_action,
  ARRAY_CONTAINS(SPLIT(action_class, ' '), 'data_access') AS is_data_access,
  ARRAY_CONTAINS(SPLIT(action_class, ' '), 'destructive') AS is_destructive,
  ARRAY_CONTAINS(SPLIT(action_class, ' '), 'export') AS is_export,
  target_parameter
FROM classed
WHERE place = 1
