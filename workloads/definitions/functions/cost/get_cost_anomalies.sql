CREATE OR REPLACE FUNCTION gold.get_cost_anomalies(
  start_date DATE DEFAULT NULL
    COMMENT 'First day. Technical: inclusive; 29 days before the last day when NULL',
  end_date DATE DEFAULT NULL
    COMMENT 'Last day. Technical: inclusive; the last scored day when NULL',
  min_excess_cost DOUBLE DEFAULT 0
    COMMENT 'Leave out what is cheaper. Technical: least effective_cost above expected_cost'
)
RETURNS TABLE (
  usage_date DATE COMMENT 'The day that is billed. Technical: UTC date',
  workspace_id STRING
    COMMENT 'The workspace. Technical: id as text; 0 for usage of the account itself',
  workspace_name STRING
    COMMENT 'Its name. Technical: last version in dim_workspace; NULL if unknown',
  sku_name STRING COMMENT 'The product. Technical: SKU',
  effective_cost DECIMAL(38, 18) COMMENT 'What it cost. Technical: sum of effective_cost',
  expected_cost DOUBLE
    COMMENT 'What a usual day costs. Technical: median of the days before, by weekday',
  excess_cost DOUBLE
    COMMENT 'What it cost too much. Technical: effective_cost - expected_cost',
  anomaly_score DOUBLE COMMENT 'How unusual it is. Technical: larger is stranger',
  score_threshold DOUBLE
    COMMENT 'From where on it counts as an anomaly. Technical: fixed when the model was trained',
  model_version STRING COMMENT 'The model version that says so. Technical: registered version'
)
COMMENT 'On which days a workspace spent far more on a product than is usual, dearest first. Technical: rows of cost_anomaly_scores that the model cost_anomaly_detector calls anomalies; the default period ends on the last scored day, not today.'
RETURN
  WITH bounds AS (
    SELECT MAX(s.usage_date) AS last_day
    FROM gold.cost_anomaly_scores AS s
  )
  SELECT
    s.usage_date,
    s.workspace_id,
    w.workspace_name,
    s.sku_name,
    s.effective_cost,
    s.expected_cost,
    CAST(s.effective_cost AS DOUBLE) - s.expected_cost AS excess_cost,
    s.anomaly_score,
    s.score_threshold,
    s.model_version
  FROM gold.cost_anomaly_scores AS s
  CROSS JOIN bounds AS b
  LEFT JOIN gold.dim_workspace AS w
    ON w.workspace_id = s.workspace_id AND w.is_current
  WHERE s.is_anomaly
    AND s.usage_date
      BETWEEN COALESCE(start_date, DATE_SUB(COALESCE(end_date, b.last_day), 29))
      AND COALESCE(end_date, b.last_day)
    AND CAST(s.effective_cost AS DOUBLE) - s.expected_cost >= min_excess_cost
  ORDER BY excess_cost DESC
