CREATE OR REPLACE FUNCTION gold.get_top_cost_drivers(
  start_date DATE DEFAULT NULL
    COMMENT 'First day. Technical: inclusive; 29 days before the last day when NULL',
  end_date DATE DEFAULT NULL
    COMMENT 'Last day. Technical: inclusive; the last day with usage when NULL',
  top_n INT DEFAULT 10
    COMMENT 'How many rows. Technical: the largest by effective_cost'
)
RETURNS TABLE (
  position INT COMMENT 'Place in the order. Technical: 1 is the largest cost',
  workspace_id STRING
    COMMENT 'The workspace. Technical: id as text; 0 for usage of the account itself',
  workspace_name STRING
    COMMENT 'Its name. Technical: last version in dim_workspace; NULL if unknown',
  sku_name STRING COMMENT 'The product. Technical: SKU',
  dbus DECIMAL(38, 18)
    COMMENT 'Databricks Units used. Technical: sum where the unit is DBU',
  effective_cost DECIMAL(38, 18) COMMENT 'Cost. Technical: sum of effective_cost',
  share_percent DOUBLE
    COMMENT 'Share of all cost of the period. Technical: percent'
)
COMMENT 'Which workspaces and products cost most. Technical: summary_cost added up per workspace and SKU; the default period ends on the last day with usage, not today.'
RETURN
  WITH bounds AS (
    SELECT MAX(s.usage_date) AS last_day
    FROM gold.summary_cost AS s
  ),
  costs AS (
    SELECT
      s.workspace_id,
      s.sku_name,
      SUM(s.dbus) AS dbus,
      SUM(s.effective_cost) AS effective_cost
    FROM gold.summary_cost AS s
    CROSS JOIN bounds AS b
    WHERE s.usage_date
      BETWEEN COALESCE(start_date, DATE_SUB(COALESCE(end_date, b.last_day), 29))
      AND COALESCE(end_date, b.last_day)
    GROUP BY s.workspace_id, s.sku_name
  ),
  ranked AS (
    SELECT
      *,
      ROW_NUMBER() OVER (ORDER BY effective_cost DESC, workspace_id, sku_name) AS position,
      SUM(effective_cost) OVER () AS total_cost
    FROM costs
    WHERE effective_cost IS NOT NULL
  )
  SELECT
    CAST(r.position AS INT) AS position,
    r.workspace_id,
    w.workspace_name,
    r.sku_name,
    r.dbus,
    r.effective_cost,
    CAST(100 * TRY_DIVIDE(r.effective_cost, r.total_cost) AS DOUBLE) AS share_percent
  FROM ranked AS r
  LEFT JOIN gold.dim_workspace AS w
    ON w.workspace_id = r.workspace_id AND w.is_current
  WHERE r.position <= top_n
