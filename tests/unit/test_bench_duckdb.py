"""The yardstick computes what it claims to: all tables, from the files of a small account."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest
from health_monitor.spec import load_definitions

from emulator.account.simulate import simulate
from tools.bench_duckdb import DuckTables, _spark
from tools.paths import ROOT

DEFINITIONS = load_definitions(ROOT / "workloads" / "definitions")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("account")
    simulate(out, days=8, seed=3, workspaces=2, usage_rows=500, end=date(2026, 11, 20))
    return out / "tables"


def test_every_table_is_computed_from_the_files(tables: Path) -> None:
    computed = DuckTables(DEFINITIONS, tables, "USD").compute()
    assert computed.failed == {}
    wanted = [d.table for d in DEFINITIONS.silver.values()]
    wanted += [d.table for d in DEFINITIONS.gold.values() if not d.filled_by]
    assert sorted(computed.rows) == sorted(wanted)
    assert len(wanted) >= 71
    records = duckdb.execute(
        "SELECT COUNT(DISTINCT record_id) FROM read_parquet($files, union_by_name = true)",
        {"files": str(tables / "billing.usage" / "*.parquet")},
    ).fetchall()[0][0]
    assert computed.rows["silver.silver_usage"] == records
    assert computed.rows["gold.fact_usage"] == records
    assert [table for table, rows in computed.rows.items() if rows == 0] == []
    assert computed.total > 0


def test_what_duckdb_cannot_compute_is_named_and_the_rest_goes_on(tables: Path) -> None:
    broken = DEFINITIONS.gold["dim_sku"].model_copy(update={"sql": "SELECT NO_SUCH_THING(1) AS a"})
    gold = {**DEFINITIONS.gold, "dim_sku": broken}
    definitions = replace(DEFINITIONS, gold=gold)
    computed = DuckTables(definitions, tables, "USD").compute()
    assert list(computed.failed) == ["gold.dim_sku"]
    assert "no_such_thing" in computed.failed["gold.dim_sku"].lower()
    assert "gold.fact_usage" in computed.rows


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("DAYOFWEEK(DATE'2026-10-31')", 7),
        ("DAYOFWEEK(DATE'2026-11-01')", 1),
        ("DAYOFWEEK(DATE'2026-11-02')", 2),
        ("CAST(136.5 AS DECIMAL(30, 18)) * (SELECT CAST(2 AS DECIMAL(38, 18)))", 273),
    ],
)
def test_what_duckdb_has_otherwise_is_translated(expression: str, value: int) -> None:
    assert duckdb.execute(f"SELECT {_spark(expression)}").fetchall() == [(value,)]
