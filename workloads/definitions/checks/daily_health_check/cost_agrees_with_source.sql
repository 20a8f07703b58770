SELECT
  usage_date,
  source_records,
  gold_records,
  quarantined_records,
  gold_cost,
  summary_cost
FROM platform.reconciliation
WHERE NOT is_reconciled
ORDER BY usage_date DESC
