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
SELECT DISTINCT grantee, securable, name
FROM granted
WHERE REPLACE(privilege_type, '_', ' ') = 'ALL PRIVILEGES'
  AND COALESCE(inherited_from, 'NONE') = 'NONE'
  AND grantee <> :admins
ORDER BY grantee, securable, name
