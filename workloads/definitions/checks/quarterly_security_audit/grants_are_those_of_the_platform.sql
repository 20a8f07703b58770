WITH granted AS (
  SELECT 'catalog' AS securable, catalog_name AS name, grantee, privilege_type, inherited_from
  FROM information_schema.catalog_privileges
  UNION ALL
  SELECT 'schema', CONCAT(catalog_name, '.', schema_name), grantee, privilege_type, inherited_from
  FROM information_schema.schema_privileges
  UNION ALL
  SELECT 'table', CONCAT(table_schema, '.', table_name), grantee, privilege_type, inherited_from
  FROM information_schema.table_privileges
)
SELECT
  grantee,
  securable,
  name,
  CONCAT_WS(', ', SORT_ARRAY(COLLECT_SET(REPLACE(privilege_type, '_', ' ')))) AS privileges
FROM granted
WHERE COALESCE(inherited_from, 'NONE') = 'NONE'
  AND NOT ARRAY_CONTAINS(SPLIT(:principals, ','), grantee)
GROUP BY grantee, securable, name
ORDER BY grantee, securable, name
