"""What usage cost, calculated by DuckDB from the source files alone: the figure to compare with.

Shares nothing with the platform: files in, money out. Rules 1, 3, 4, 5 and 6 of the correctness
table: every record once, all record types, half-open price windows cut at the next start,
``effective_list.default``, one currency, unpriced usage counted and never priced.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

_GROUPS = """
WITH usage AS (
  SELECT DISTINCT ON (record_id) * FROM read_parquet($usage, union_by_name = true)
  WHERE record_id IS NOT NULL
), starts AS (
  SELECT sku_name, cloud, usage_unit, price_start_time, price_end_time,
         pricing.effective_list."default" AS price,
         LEAD(price_start_time) OVER (
           PARTITION BY sku_name, cloud, usage_unit ORDER BY price_start_time) AS next_start
  FROM read_parquet($prices, union_by_name = true) WHERE currency_code = $currency
), windows AS (
  SELECT *, CASE WHEN price_end_time IS NULL THEN next_start
                 WHEN next_start IS NULL THEN price_end_time
                 ELSE LEAST(price_end_time, next_start) END AS window_end
  FROM starts
)
SELECT u.usage_date, u.workspace_id, u.sku_name, w.price,
       SUM(u.usage_quantity) AS quantity, COUNT(*) AS records
FROM usage u LEFT JOIN windows w
  ON u.sku_name = w.sku_name AND u.cloud = w.cloud AND u.usage_unit = w.usage_unit
 AND u.usage_end_time >= w.price_start_time
 AND (w.window_end IS NULL OR u.usage_end_time < w.window_end)
GROUP BY ALL
"""


@dataclass(frozen=True)
class PricedGroup:
    """Usage of one day, workspace and SKU at one price; price None means unpriced."""

    usage_date: date
    workspace_id: str | None
    sku_name: str
    price: Decimal | None
    quantity: Decimal
    records: int

    @property
    def cost(self) -> Decimal | None:
        return None if self.price is None else self.quantity * self.price


def priced_groups(folder: Path, currency: str = "USD") -> Iterator[PricedGroup]:
    """All usage below ``folder/billing.usage``, grouped by day, workspace, SKU and price."""
    parameters = {
        "usage": str(folder / "billing.usage" / "*.parquet"),
        "prices": str(folder / "billing.list_prices" / "*.parquet"),
        "currency": currency,
    }
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for row in connection.execute(_GROUPS, parameters).fetchall():
            yield PricedGroup(*row)


def daily_cost(
    folder: Path, currency: str = "USD"
) -> dict[tuple[date, str | None, str], Decimal | None]:
    """Effective cost by (day, workspace, SKU); None where nothing of it has a price."""
    totals: dict[tuple[date, str | None, str], Decimal | None] = defaultdict(lambda: None)
    for group in priced_groups(folder, currency):
        key = (group.usage_date, group.workspace_id, group.sku_name)
        if group.cost is not None:
            totals[key] = (totals[key] or Decimal(0)) + group.cost
        else:
            totals.setdefault(key, None)
    return dict(totals)
