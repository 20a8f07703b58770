# Databricks notebook source
# MAGIC %md
# MAGIC # Health summary
# MAGIC What the last refresh left: cost, what has no price, what was set aside, what was not
# MAGIC assessed, and whether gold agrees with its source.

# COMMAND ----------

dbutils.widgets.text("catalog", "health_monitor", "Catalog")
dbutils.widgets.text("days", "30", "Days")

# COMMAND ----------

import json
import re

catalog = dbutils.widgets.get("catalog")
days = int(dbutils.widgets.get("days"))
if not re.fullmatch(r"[A-Za-z0-9_-]+", catalog):
    raise ValueError(f"{catalog!r} is no name of a catalog")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Cost per day, and whether it agrees with the source

# COMMAND ----------

reconciliation = spark.sql(
    f"""
    SELECT
      usage_date,
      gold_cost,
      attributed_cost,
      shared_cost,
      idle_cost,
      unpriced_records,
      quarantined_records,
      is_reconciled
    FROM `{catalog}`.platform.reconciliation
    WHERE usage_date > (
      SELECT DATE_SUB(MAX(usage_date), :days) FROM `{catalog}`.platform.reconciliation
    )
    ORDER BY usage_date DESC
    """,
    args={"days": days},
)
display(reconciliation)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Sources, as the last ingestion found them

# COMMAND ----------

sources = spark.sql(
    f"""
    SELECT source, status, detail, new_rows, row_count, checked_at
    FROM (
      SELECT *, ROW_NUMBER() OVER (PARTITION BY source ORDER BY checked_at DESC) AS age
      FROM `{catalog}`.platform.source_status
    )
    WHERE age = 1
    ORDER BY source
    """
)
display(sources)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Unusual cost of the last days

# COMMAND ----------

anomalies = spark.sql(
    f"""
    SELECT usage_date, workspace_id, sku_name, effective_cost, expected_cost, anomaly_score
    FROM `{catalog}`.gold.cost_anomaly_scores
    WHERE is_anomaly AND usage_date > (
      SELECT DATE_SUB(MAX(usage_date), :days) FROM `{catalog}`.gold.cost_anomaly_scores
    )
    ORDER BY usage_date DESC, anomaly_score DESC
    """,
    args={"days": days},
)
display(anomalies)

# COMMAND ----------

figures = spark.sql(
    f"""
    SELECT
      MAX(usage_date) AS last_day,
      SUM(gold_cost) AS cost,
      SUM(unpriced_records) AS unpriced_records,
      SUM(quarantined_records) AS quarantined_records,
      COUNT_IF(NOT is_reconciled) AS days_that_do_not_agree
    FROM `{catalog}`.platform.reconciliation
    WHERE usage_date > (
      SELECT DATE_SUB(MAX(usage_date), :days) FROM `{catalog}`.platform.reconciliation
    )
    """,
    args={"days": days},
).collect()[0]
states = {row["source"]: row["status"] for row in sources.collect()}
wrong = int(figures["days_that_do_not_agree"])
if wrong:
    raise RuntimeError(f"{wrong} of the last {days} days do not agree with the source")
dbutils.notebook.exit(
    json.dumps(
        {
            "days": days,
            "last_day": str(figures["last_day"]),
            "effective_cost": str(figures["cost"]),
            "unpriced_records": int(figures["unpriced_records"] or 0),
            "quarantined_records": int(figures["quarantined_records"] or 0),
            "anomalies": anomalies.count(),
            "sources": states,
        },
        sort_keys=True,
    )
)
