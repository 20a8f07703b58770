CREATE OR REPLACE FUNCTION gold.get_daily_cost_summary(
  start_date DATE DEFAULT NULL
    COMMENT 'First day. Technical: inclusive; 29 days before the last day when NULL',
  end_date DATE DEFAULT NULL
    COMMENT 'Last day. Technical: inclusive; the last day with usage when NULL',
  workspace STRING DEFAULT NULL
    COMMENT 'One workspace. Technical: workspace_id; all when NULL'
)
RETURNS TABLE (
  usage_date DATE COMMENT 'The day that is billed. Technical: UTC date',
  dbus DECIMAL(38, 18)
    COMMENT 'Databricks Units used. Technical: sum where the unit is DBU',
  list_cost DECIMAL(38, 18)
    COMMENT 'Cost without promotions. Technical: sum of list_cost',
  effective_cost DECIMAL(38, 18)
    COMMENT 'Cost. Technical: sum of effective_cost; NULL when nothing has a price',
  previous_cost DECIMAL(38, 18)
    COMMENT 'Cost seven days before. Technical: effective_cost of usage_date - 7, NULL if none',
  change_percent DOUBLE
    COMMENT 'Change against seven days before. Technical: percent of previous_cost',
  record_count BIGINT COMMENT 'Billing records. Technical: all record types',
  correction_count BIGINT COMMENT 'Corrections among them. Technical: count',
  unpriced_count BIGINT
    COMMENT 'Records without a price. Technical: count; their cost is in no sum'
)
COMMENT 'What each day cost, and how that compares with a week before. Technical: summary_cost added up per day; the default period ends on the last day with usage, not today.'
RETURN
  WITH bounds AS (
    SELECT MAX(s.usage_date) AS last_day
    FROM gold.summary_cost AS s
  ),
  days AS (
    SELECT
      s.usage_date,
      SUM(s.dbus) AS dbus,
      SUM(s.list_cost) AS list_cost,
      SUM(s.effective_cost) AS effective_cost,
      SUM(s.record_count) AS record_count,
      SUM(s.correction_count) AS correction_count,
      SUM(s.unpriced_count) AS unpriced_count
    FROM gold.summary_cost AS s
    WHERE workspace IS NULL
      OR s.workspace_id = workspace
    GROUP BY s.usage_date
  )
  SELECT
    d.usage_date,
    d.dbus,
    d.list_cost,
    d.effective_cost,
    p.effective_cost AS previous_cost,
    CAST(100 * TRY_DIVIDE(d.effective_cost - p.effective_cost, p.effective_cost) AS DOUBLE)
      AS change_percent,
    d.record_count,
    d.correction_count,
    d.unpriced_count
  FROM days AS d
  CROSS JOIN bounds AS b
  LEFT JOIN days AS p ON p.usage_date = DATE_SUB(d.usage_date, 7)
  WHERE d.usage_date
    BETWEEN COALESCE(start_date, DATE_SUB(COALESCE(end_date, b.last_day), 29))
      AND COALESCE(end_date, b.last_day)
