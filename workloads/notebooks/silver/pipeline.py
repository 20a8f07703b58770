# Databricks notebook source
# MAGIC %md
# MAGIC # Silver
# MAGIC Streaming tables, expectations and quarantine tables, made from `definitions/silver`.

# COMMAND ----------

from health_monitor.silver.pipeline import define
from health_monitor.spec import load_definitions

definitions = load_definitions(spark.conf.get("definitions"), references=False)
define(spark, definitions, spark.conf.get("catalog"))
