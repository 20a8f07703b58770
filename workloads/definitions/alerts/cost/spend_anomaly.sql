SELECT
  s.usage_date,
  s.workspace_id,
  s.sku_name,
  CAST(s.effective_cost AS DOUBLE) AS effective_cost,
  s.expected_cost,
  s.anomaly_score,
  s.score_threshold
FROM gold.cost_anomaly_scores AS s
WHERE s.usage_date > (SELECT DATE_SUB(MAX(usage_date), 7) FROM gold.cost_anomaly_scores)
ORDER BY s.anomaly_score - s.score_threshold DESC, s.usage_date DESC, s.workspace_id, s.sku_name
LIMIT 20
