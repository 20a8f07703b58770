"""How far the platform's costs are from what the simulator knows: each kind of estimate apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from tools.querying import Warehouse

TRUTH_CURRENCY = "USD"
Key = tuple[str, ...]
Costs = Mapping[Key, Decimal]


@dataclass(frozen=True)
class Estimated:
    """Where a cost stands: in gold by key with the way it was found, and in the truth by key."""

    name: str
    ours: str
    truth_folder: str
    truth: str


ESTIMATED = (
    Estimated(
        "job runs",
        "SELECT workspace_id, run_id, cost_attribution_class, effective_cost "
        "FROM {catalog}.gold.fact_job_run_timeline WHERE run_date BETWEEN {first} AND {last}",
        "run_costs",
        "SELECT workspace_id, run_id, cost_usd",
    ),
    Estimated(
        "statements",
        "SELECT workspace_id, statement_id, attribution_method, attributed_cost "
        "FROM {catalog}.gold.fact_query_history WHERE query_date BETWEEN {first} AND {last}",
        "query_costs",
        "SELECT workspace_id, statement_id, cost_usd",
    ),
    Estimated(
        "idle hours",
        "SELECT workspace_id, compute_kind, compute_id, UNIX_SECONDS(hour_start), 'idle', "
        "idle_cost FROM {catalog}.gold.compute_costs WHERE usage_date BETWEEN {first} AND {last}",
        "idle_costs",
        "SELECT workspace_id, compute_kind, compute_id, EPOCH(hour)::BIGINT, idle_cost_usd",
    ),
)


@dataclass(frozen=True)
class EstimateError:
    """Costs found in one way, against the truth, in the truth's currency (USD)."""

    name: str
    method: str
    count: int
    total: Decimal
    true_total: Decimal
    absolute: Decimal
    """The sum of the errors of each, without their signs."""

    @property
    def bias(self) -> Decimal | None:
        """Error of the total, as a share of the true total; None when nothing was spent."""
        return (self.total - self.true_total) / self.true_total if self.true_total else None

    @property
    def spread(self) -> Decimal | None:
        """Weighted absolute percentage error: sum |estimate - truth| / sum truth."""
        return self.absolute / self.true_total if self.true_total else None


def estimate_errors(
    warehouse: Warehouse, catalog: str, truth: Path, first: date, last: date
) -> list[EstimateError]:
    """The errors of all costs between two days that both sides know."""
    found = []
    for each in ESTIMATED:
        statement = each.ours.format(catalog=catalog, first=f"DATE'{first}'", last=f"DATE'{last}'")
        found += errors_of(each.name, warehouse.rows(statement), _truth(each, truth))
    return found


def errors_of(name: str, ours: Iterable[list[str | None]], truth: Costs) -> list[EstimateError]:
    """Rows are a key, the way the cost was found, and the cost; unknown costs are no estimates."""
    pairs: dict[str, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    for *key, method, cost in ours:
        known = truth.get(tuple(str(part) for part in key))
        if cost is not None and known is not None:
            pairs[str(method)].append((Decimal(cost), known))
    return [
        EstimateError(
            name,
            method,
            len(costs),
            sum((ours for ours, _ in costs), Decimal(0)),
            sum((true for _, true in costs), Decimal(0)),
            sum((abs(ours - true) for ours, true in costs), Decimal(0)),
        )
        for method, costs in sorted(pairs.items())
    ]


def _truth(each: Estimated, folder: Path) -> Costs:
    files = str(folder / each.truth_folder / "*.parquet")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.execute(f"{each.truth} FROM read_parquet($files)", {"files": files})
        return {
            tuple(str(part) for part in key): cost
            for *key, cost in rows.fetchall()
            if cost is not None
        }
