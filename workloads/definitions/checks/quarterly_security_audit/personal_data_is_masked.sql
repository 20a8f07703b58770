WITH personal AS (
  SELECT schema_name, table_name, column_name, class_tag AS why
  FROM gold.dim_column_classification
  WHERE is_current
    AND is_found
    AND catalog_name IN (SELECT catalog_name FROM information_schema.information_schema_catalog_name)
  UNION
  SELECT schema_name, table_name, column_name, CONCAT('tag ', tag_name)
  FROM information_schema.column_tags
  WHERE LOWER(tag_name) LIKE '%pii%' AND LOWER(COALESCE(tag_value, 'true')) <> 'false'
)
SELECT p.schema_name, p.table_name, p.column_name, p.why
FROM personal AS p
LEFT ANTI JOIN information_schema.column_masks AS m
  ON m.table_schema = p.schema_name
  AND m.table_name = p.table_name
  AND m.column_name = p.column_name
ORDER BY p.schema_name, p.table_name, p.column_name, p.why
