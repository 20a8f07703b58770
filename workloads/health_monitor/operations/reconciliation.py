"""Compares gold with its source, day by day, and says whether every identity holds."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from health_monitor.runtime import full_name, said, temporary_view
from health_monitor.spec import qualify
from health_monitor.spec.sql import tables_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

COMPARED = """
WITH source AS (
  SELECT usage_date, COUNT(*) AS records, SUM(usage_quantity) AS quantity
  FROM bronze.bronze_usage
  GROUP BY usage_date
),
quarantined AS (
  -- Those that still wait: a row that was sent back is in bronze with a later batch.
  SELECT b.usage_date, COUNT(*) AS records, SUM(b.usage_quantity) AS quantity
  FROM bronze.bronze_usage AS b
  WHERE EXISTS (
    SELECT 1
    FROM silver.silver_usage__expectations AS q
    WHERE GET_JSON_OBJECT(q.record, '$.row_key') = b.row_key
      AND q.batch = DATE_FORMAT(b.ingested_at, "yyyy-MM-dd'T'HH:mm:ss.SSSSSS")
  )
  GROUP BY b.usage_date
),
facts AS (
  SELECT
    usage_date,
    COUNT(*) AS records,
    SUM(usage_quantity) AS quantity,
    SUM(effective_cost) AS cost,
    SUM(attributed_cost) AS attributed,
    SUM(CASE WHEN attribution_class = 'shared' THEN effective_cost END) AS shared,
    SUM(idle_cost) AS idle,
    COUNT_IF(price_status = 'unpriced') AS unpriced
  FROM gold.fact_usage
  GROUP BY usage_date
),
summary AS (
  SELECT usage_date, SUM(effective_cost) AS cost, SUM(record_count) AS records
  FROM gold.summary_cost
  GROUP BY usage_date
)
SELECT
  s.usage_date,
  s.records AS source_records,
  COALESCE(f.records, 0) AS gold_records,
  COALESCE(q.records, 0) AS quarantined_records,
  s.quantity AS source_quantity,
  f.quantity AS gold_quantity,
  q.quantity AS quarantined_quantity,
  f.cost AS gold_cost,
  f.attributed AS attributed_cost,
  f.shared AS shared_cost,
  f.idle AS idle_cost,
  m.cost AS summary_cost,
  COALESCE(f.unpriced, 0) AS unpriced_records,
  s.records = COALESCE(f.records, 0) + COALESCE(q.records, 0)
    AND COALESCE(s.quantity, 0) = COALESCE(f.quantity, 0) + COALESCE(q.quantity, 0)
    AND f.cost <=> m.cost
    AND f.records <=> m.records
    AND COALESCE(f.cost, 0) = CAST(COALESCE(f.attributed, 0) AS DECIMAL(36, 18))
      + CAST(COALESCE(f.shared, 0) AS DECIMAL(36, 18))
      + CAST(COALESCE(f.idle, 0) AS DECIMAL(36, 18))
    AS is_reconciled
FROM source AS s
LEFT JOIN facts AS f ON f.usage_date <=> s.usage_date
LEFT JOIN quarantined AS q ON q.usage_date <=> s.usage_date
LEFT JOIN summary AS m ON m.usage_date <=> s.usage_date
"""
FIGURES = [
    "source_records",
    "gold_records",
    "quarantined_records",
    "source_quantity",
    "gold_quantity",
    "quarantined_quantity",
    "gold_cost",
    "attributed_cost",
    "shared_cost",
    "idle_cost",
    "summary_cost",
    "unpriced_records",
    "is_reconciled",
]


def compares(tables: Iterable[str]) -> bool:
    """Whether all gold that is compared is among some tables."""
    return {t for t in tables_of(COMPARED) if t.startswith("gold.")} <= {*tables}


def reconcile(spark: SparkSession, catalog: str) -> None:
    """Compare all days, and keep what differs from the last comparison."""
    started = time.monotonic()
    frame = spark.sql(qualify(COMPARED, catalog))
    compared = frame.collect()
    table = full_name(catalog, "platform.reconciliation")
    now = datetime.now(UTC)
    columns = ", ".join(f"{name} {type_}" for name, type_ in frame.dtypes)
    rows = spark.createDataFrame(
        [(*row, now) for row in compared], f"{columns}, checked_at timestamp"
    )
    differs = " OR ".join(f"NOT (t.{name} <=> s.{name})" for name in FIGURES)
    with temporary_view(spark, rows) as view:
        spark.sql(
            f"MERGE INTO {table} AS t USING {view} AS s ON t.usage_date <=> s.usage_date "
            f"WHEN MATCHED AND ({differs}) THEN UPDATE SET * "
            "WHEN NOT MATCHED THEN INSERT * WHEN NOT MATCHED BY SOURCE THEN DELETE"
        )
    said("reconciliation", started, days=len(compared))


def days_that_differ(spark: SparkSession, catalog: str) -> int:
    """How many days did not agree when they were last compared."""
    query = "SELECT COUNT(*) FROM platform.reconciliation WHERE NOT is_reconciled"
    return int(spark.sql(qualify(query, catalog)).collect()[0][0])
