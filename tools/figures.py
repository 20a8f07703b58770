"""The figures of the report: asked of the workspace, compared with the source files."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import TableInfo

from emulator.sql.delta_log import DeltaLog
from tools.independent_cost import daily_cost
from tools.querying import Warehouse

CENT = Decimal("0.01")
WINDOW_DAYS = 30
REQUESTS = 60


@dataclass(frozen=True)
class LayerRows:
    layer: str
    tables: int
    rows: int


@dataclass(frozen=True)
class Reconciliation:
    """The last 30 days' cost, twice: by the platform and by DuckDB over the source files."""

    first_day: date
    last_day: date
    platform_cost: Decimal
    source_cost: Decimal
    groups: int
    differing_groups: int
    unpriced_records: int

    @property
    def holds(self) -> bool:
        return self.differing_groups == 0


@dataclass(frozen=True)
class Detection:
    """Simulated cost spikes against what the anomaly alert's rule flags."""

    incidents: int
    found: int
    flagged: int
    flagged_rightly: int
    by_incident: list[tuple[str, str, str, bool]]

    @property
    def precision(self) -> float | None:
        return self.flagged_rightly / self.flagged if self.flagged else None

    @property
    def recall(self) -> float | None:
        return self.found / self.incidents if self.incidents else None


def rows_by_layer(warehouse: Warehouse, catalog: str) -> list[LayerRows]:
    """Rows of every table of each layer; quarantined rows are a layer of their own."""
    layers: dict[str, list[TableInfo]] = {
        name: [] for name in ("bronze", "silver", "quarantine", "gold")
    }
    for schema in ("bronze", "silver", "gold"):
        for table in warehouse.client.tables.list(catalog, schema):
            if table.table_type is None or table.table_type.value in {"VIEW", "METRIC_VIEW"}:
                continue
            layer = "quarantine" if str(table.name).endswith("__expectations") else schema
            layers[layer].append(table)
    return [
        LayerRows(layer, len(tables), sum(_count(warehouse, table) for table in tables))
        for layer, tables in layers.items()
    ]


def _count(warehouse: Warehouse, table: TableInfo) -> int:
    """The rows of a table: from its log, for 130 statements would take a minute."""
    known = DeltaLog(str(table.storage_location)).rows()
    if known is not None:
        return known
    schema, name = table.schema_name, table.name
    return int(warehouse.row(f"SELECT COUNT(*) FROM {table.catalog_name}.{schema}.`{name}`")[0])


def reconcile(warehouse: Warehouse, catalog: str, source: Path, currency: str) -> Reconciliation:
    """Compare the last 30 days by day, workspace and SKU, to the cent."""
    last_day = date.fromisoformat(
        str(warehouse.row(f"SELECT MAX(usage_date) FROM {catalog}.gold.fact_usage")[0])
    )
    first_day = last_day - timedelta(days=WINDOW_DAYS - 1)
    ours = {
        (date.fromisoformat(str(day)), workspace, str(sku)): None if cost is None else Decimal(cost)
        for day, workspace, sku, cost in warehouse.rows(
            "SELECT usage_date, workspace_id, sku_name, SUM(effective_cost) "
            f"FROM {catalog}.gold.fact_usage WHERE usage_date >= DATE'{first_day}' GROUP BY ALL"
        )
    }
    theirs = {
        key: cost
        for key, cost in daily_cost(source, currency).items()
        if first_day <= key[0] <= last_day
    }
    unpriced = warehouse.row(
        f"SELECT COUNT(*) FROM {catalog}.gold.fact_usage "
        f"WHERE price_status = 'unpriced' AND usage_date >= DATE'{first_day}'"
    )[0]
    keys = ours.keys() | theirs.keys()
    differing = [k for k in keys if not _same_cents(ours.get(k), theirs.get(k))]
    return Reconciliation(
        first_day,
        last_day,
        sum((c for c in ours.values() if c is not None), Decimal(0)),
        sum((c for c in theirs.values() if c is not None), Decimal(0)),
        len(keys),
        len(differing),
        int(unpriced),
    )


def detection(warehouse: Warehouse, catalog: str, truth: Path) -> Detection:
    """Precision in flagged workspace-SKU-days, recall in incidents; scored days only."""
    with duckdb.connect() as connection:
        spikes = connection.execute(
            "SELECT incident_id, kind, workspace_id, sku_name, first_date, last_date "
            "FROM read_parquet($file) WHERE is_cost_spike",
            {"file": str(truth / "incidents.parquet")},
        ).fetchall()
    flagged: dict[tuple[str, str], set[date]] = defaultdict(set)
    for workspace, sku, day in warehouse.rows(
        "SELECT workspace_id, sku_name, usage_date "
        f"FROM {catalog}.gold.cost_anomaly_scores WHERE is_anomaly"
    ):
        flagged[str(workspace), str(sku)].add(date.fromisoformat(str(day)))
    right: set[tuple[str, str, date]] = set()
    listed = []
    for _incident, kind, workspace, sku, start, end in spikes:
        hits = {day for day in flagged.get((workspace, sku), set()) if start <= day <= end}
        right |= {(workspace, sku, day) for day in hits}
        listed.append((kind, f"{workspace} {sku}", f"{start} to {end}", bool(hits)))
    return Detection(
        len(spikes),
        sum(1 for row in listed if row[3]),
        sum(len(days) for days in flagged.values()),
        len(right),
        listed,
    )


def serving_latency(
    client: WorkspaceClient, endpoint: str, record: dict[str, float]
) -> tuple[float, float]:
    """Milliseconds of a one-row request to an endpoint: median and p95 of some dozens."""
    timings = []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        client.serving_endpoints.query(name=endpoint, dataframe_records=[record])
        timings.append((time.perf_counter() - started) * 1000)
    timings.sort()
    return timings[len(timings) // 2], timings[int(len(timings) * 0.95)]


def _same_cents(ours: Decimal | None, theirs: Decimal | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return abs(ours - theirs) < CENT / 2
