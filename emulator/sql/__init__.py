"""The Databricks dialect on open-source Spark, and the emulated Unity Catalog behind it."""
