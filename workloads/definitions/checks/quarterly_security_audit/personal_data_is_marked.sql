SELECT
  p.schema_name,
  p.table_name,
  p.column_name,
  p.class_tag AS why
FROM gold.dim_column_classification AS p
LEFT ANTI JOIN information_schema.column_tags AS t
  ON t.schema_name = p.schema_name
  AND t.table_name = p.table_name
  AND t.column_name = p.column_name
  AND t.tag_name = 'contains_pii'
LEFT ANTI JOIN information_schema.column_masks AS m
  ON m.table_schema = p.schema_name
  AND m.table_name = p.table_name
  AND m.column_name = p.column_name
WHERE p.is_current
  AND p.is_found
  AND p.catalog_name IN (SELECT catalog_name FROM information_schema.information_schema_catalog_name)
ORDER BY p.schema_name, p.table_name, p.column_name, why
