"""The simulated account, checked with DuckDB on the Parquet files that it writes."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import duckdb
import pytest

from emulator.account.__main__ import main
from emulator.account.schemas import parse_type, spark_type, system_tables
from emulator.account.simulate import simulate
from tests.emulator.account_files import END, simulated, value

PRICE_OF_USAGE = """
    SELECT u.*, usage_quantity::DECIMAL(38, 9) * p.price AS cost
    FROM (SELECT DISTINCT * FROM usage WHERE record_id IS NOT NULL
          AND usage_start_time < usage_end_time) u LEFT JOIN (
        SELECT sku_name, cloud, usage_unit, price_start_time AS starts,
               least(price_end_time, lead(price_start_time) OVER (
                   PARTITION BY sku_name, cloud, usage_unit ORDER BY price_start_time)) AS ends,
               pricing.effective_list.default::DECIMAL(38, 12) AS price
        FROM list_prices WHERE currency_code = 'USD'
    ) p ON u.sku_name = p.sku_name AND u.cloud = p.cloud AND u.usage_unit = p.usage_unit
       AND usage_end_time >= starts AND (ends IS NULL OR usage_end_time < ends)
"""


def _open(account: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET timezone = 'UTC'")
    for name in system_tables():
        view = name.split(".")[1]
        connection.execute(f"CREATE VIEW {view} AS {_rows(account / 'tables' / name)}")
    for name in ("incidents", "incident_days"):
        connection.execute(f"CREATE VIEW {name} AS FROM '{account / 'truth' / name}.parquet'")
    connection.execute(f"CREATE VIEW priced AS {PRICE_OF_USAGE}")
    return connection


# Rows of a table to a row of usage.
_VOLUMES = {"usage": 1.0, "history": 0.3, "node_timeline": 0.4}


@pytest.fixture(scope="module")
def account(sixty_days: Path) -> duckdb.DuckDBPyConnection:
    return _open(sixty_days)


def _rows(folder: Path) -> str:
    """The rows of a folder or file; a column that came late is NULL in the files before."""
    files = folder if folder.suffix == ".parquet" else folder / "*.parquet"
    return f"FROM read_parquet('{files}', union_by_name = true)"


def _other_rows(left: Path, right: Path, name: str) -> int:
    sides = [_rows(side / name) for side in (left, right)]
    query = "SELECT count(*) FROM (({}) EXCEPT ALL ({}))"
    one = value(duckdb.connect(), query.format(*sides))
    return int(one + value(duckdb.connect(), query.format(*reversed(sides))))


@pytest.mark.parametrize(("days", "rows"), [(4, 200), (19, 400)])
def test_a_day_more_is_the_day_after(tmp_path: Path, days: int, rows: int) -> None:
    """N days and next-day give the rows of N+1 days, and the same seed gives the same rows."""
    grown = simulated(tmp_path / "grown", days=days, rows=rows * days, end=END)
    more = simulated(
        tmp_path / "more", days=days + 1, rows=rows * (days + 1), end=date(2026, 11, 21)
    )
    names = [f"tables/{name}" for name in system_tables()]
    names += [f"truth/{truth.name}" for truth in (more / "truth").iterdir()]
    assert _other_rows(grown, more, "tables/billing.usage") > 100
    assert main(["next-day", "--out", str(grown)]) == 0
    differences = {name: _other_rows(grown, more, name) for name in names}
    assert differences == dict.fromkeys(names, 0)


def test_another_seed_gives_another_account(tmp_path: Path) -> None:
    first = simulated(tmp_path / "first", days=2, rows=400, seed=1)
    second = simulated(tmp_path / "second", days=2, rows=400, seed=2)
    assert _other_rows(first, second, "tables/billing.usage") > 400


def test_all_products_and_the_rhythm_of_the_week(account: duckdb.DuckDBPyConnection) -> None:
    origins = value(account, "SELECT count(DISTINCT billing_origin_product) FROM usage")
    units = account.execute("SELECT DISTINCT usage_unit FROM usage ORDER BY 1").fetchall()
    assert origins >= 12
    assert units == [("DBU",), ("DSU",), ("GB",), ("TOKEN",)]
    ratio = """
        SELECT (sum(cost) FILTER (weekday(usage_date) IN (0, 6)) / 2)
             / (sum(cost) FILTER (weekday(usage_date) NOT IN (0, 6)) / 5)
        FROM priced WHERE sku_name LIKE '%ALL_PURPOSE_COMPUTE'
    """
    assert 0.1 < value(account, ratio) < 0.6


@pytest.mark.parametrize(
    ("what", "least", "condition"),
    [
        ("account-level", 50, "workspace_id IS NULL"),
        ("serverless without ids", 50, "product_features.is_serverless AND billing_origin_product"
         " = 'JOBS' AND usage_metadata.job_id IS NULL"),
        ("neither serverless nor not", 50, "product_features.is_serverless IS NULL"),
        ("run ids", 500, "usage_metadata.job_run_id IS NOT NULL"),
        ("zero", 10, "usage_quantity = 0"),
        ("only a tag of the platform", 50, "map_keys(custom_tags) = ['Vendor']"),
        ("no tags", 50, "cardinality(custom_tags) = 0"),
        ("no map", 50, "custom_tags IS NULL"),
        ("tagged", 500, "custom_tags['team'] IS NOT NULL"),
        ("next day", 200, "ingestion_date = usage_date + 1 AND record_type = 'ORIGINAL'"),
        ("late", 20, "ingestion_date > usage_date + 1 AND record_type = 'ORIGINAL'"),
        ("no id", 10, "record_id IS NULL"),
        ("ends before it starts", 10, "usage_end_time < usage_start_time"),
    ],
)  # fmt: skip
def test_awkward_usage(
    account: duckdb.DuckDBPyConnection, what: str, least: int, condition: str
) -> None:
    found = value(account, f"SELECT count(*) FROM usage WHERE {condition}")
    assert found >= least, what


def test_corrections_arrive_days_later(account: duckdb.DuckDBPyConnection) -> None:
    """A retraction is an original with the other sign; most are restated the same day."""
    account.execute("""
        CREATE OR REPLACE TEMP VIEW pairs AS
        SELECT r.*, o.ingestion_date AS original_date FROM usage r LEFT JOIN usage o
          ON o.record_type = 'ORIGINAL' AND o.usage_quantity = -r.usage_quantity
         AND o.usage_start_time = r.usage_start_time AND o.sku_name = r.sku_name
         AND o.usage_metadata = r.usage_metadata
        WHERE r.record_type = 'RETRACTION' AND r.usage_quantity <> 0
    """)
    retractions = value(account, "SELECT count(*) FROM pairs")
    assert retractions >= 50
    assert value(account, "SELECT min(ingestion_date - original_date) FROM pairs") >= 1
    assert value(account, "SELECT max(ingestion_date - usage_date) FROM pairs") >= 6
    restated = value(account, "SELECT count(*) FROM usage WHERE record_type = 'RESTATEMENT'")
    assert 0.6 * retractions < restated < retractions


def test_repeats_are_exact(account: duckdb.DuckDBPyConnection) -> None:
    ids = "SELECT record_id FROM usage WHERE record_id IS NOT NULL GROUP BY 1 HAVING count(*) > 1"
    repeated = value(account, f"SELECT count(*) FROM ({ids})")
    different = f"SELECT count(*) FROM (SELECT DISTINCT * FROM usage WHERE record_id IN ({ids}))"
    assert repeated >= 10
    assert value(account, different) == repeated


def test_prices(account: duckdb.DuckDBPyConnection) -> None:
    """A change, an overlap, promotions, other currencies and clouds, none for one SKU."""
    overlaps = """
        SELECT count(*) FROM (
            SELECT price_end_time AS ends, lead(price_start_time) OVER (
                PARTITION BY sku_name, cloud, currency_code ORDER BY price_start_time) AS next
            FROM {}) WHERE ends > next
    """
    assert value(account, overlaps.format("list_prices")) >= 2
    assert value(account, overlaps.format("account_prices")) >= 1
    promoted = "pricing.effective_list.default < pricing.default"
    assert value(account, f"SELECT count(*) FROM list_prices WHERE {promoted}") >= 2
    other = "SELECT count(DISTINCT cloud) * count(DISTINCT currency_code) FROM list_prices"
    assert value(account, other) == 4
    unpriced = "SELECT list(DISTINCT sku_name) FROM priced WHERE cost IS NULL"
    assert value(account, unpriced) == ["PREMIUM_AGENT_PREVIEW_US_EAST_N_VIRGINIA"]
    contracts = "SELECT count(DISTINCT sku_name) FROM {}"
    with_contract = value(account, contracts.format("account_prices"))
    assert 3 < with_contract < value(account, contracts.format("list_prices"))
    dates = "SELECT count(*) FROM list_prices WHERE price_start_time > TIMESTAMPTZ '2026-10-01'"
    assert value(account, dates) >= 2


def test_a_price_can_be_published_after_its_usage(tmp_path: Path) -> None:
    early = _open(simulated(tmp_path / "early", days=6, rows=1200))
    late = _open(simulated(tmp_path / "late", days=10, rows=2000))
    count = "SELECT count(*) FROM list_prices WHERE sku_name LIKE '%VECTOR_SEARCH%'"
    used = "SELECT count(*) FROM usage WHERE sku_name LIKE '%VECTOR_SEARCH%'"
    assert value(early, used) > 0
    assert (value(early, count), value(late, count)) == (0, 2)


def test_versions_of_what_exists(account: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    for table, key in (
        ("jobs", "job_id"),
        ("clusters", "cluster_id"),
        ("warehouses", "warehouse_id"),
    ):
        keys = value(
            account, f"SELECT count(DISTINCT (workspace_id, {key}, change_time)) FROM {table}"
        )
        assert value(account, f"SELECT count(*) FROM {table}") == keys
        versions = f"SELECT count(*) AS n FROM {table} GROUP BY workspace_id, {key}"
        assert value(account, f"SELECT max(n) FROM ({versions})") >= 2
        assert value(account, f"SELECT count(delete_time) FROM {table}") >= 1
    shared = "SELECT max(n) FROM (SELECT count(DISTINCT workspace_id) n FROM jobs GROUP BY job_id)"
    assert value(account, shared) == 3
    early = _open(simulated(tmp_path / "early", days=2, rows=400))
    names = "SELECT list(workspace_name ORDER BY workspace_id) FROM workspaces_latest"
    assert value(early, names) == ["production", "analytics", "development"]
    assert value(account, names) == ["production", "analytics", "development-eu"]


def test_usage_belongs_to_what_exists(account: duckdb.DuckDBPyConnection) -> None:
    account.execute("""
        CREATE OR REPLACE TEMP VIEW jobs_and_submits AS
        SELECT workspace_id, job_id FROM jobs UNION
        SELECT workspace_id, job_id FROM job_run_timeline WHERE run_type = 'SUBMIT_RUN'
    """)
    orphans = """
        SELECT count(*) FROM usage u ANTI JOIN {0} x
        ON u.workspace_id = x.workspace_id AND u.usage_metadata.{1} = x.{1}
        WHERE u.usage_metadata.{1} IS NOT NULL
    """
    for table, key in (
        ("jobs_and_submits", "job_id"),
        ("clusters", "cluster_id"),
        ("warehouses", "warehouse_id"),
    ):
        assert value(account, orphans.format(table, key)) == 0, table


def test_incidents_are_in_the_bill(account: duckdb.DuckDBPyConnection) -> None:
    """The day's cost in a workspace and SKU exceeds its like by what the label says."""
    days = account.execute("""
        WITH daily AS (SELECT workspace_id, sku_name, usage_date, sum(cost)::DOUBLE AS cost
                       FROM priced GROUP BY ALL),
        labelled AS (SELECT i.*, d.usage_date, d.expected_extra_cost_usd::DOUBLE AS extra
                     FROM incidents i JOIN incident_days d USING (incident_id)
                     WHERE is_cost_spike),
        normal AS (
            SELECT l.incident_id, l.usage_date, median(d.cost) AS cost
            FROM labelled l JOIN daily d USING (workspace_id, sku_name)
            WHERE (weekday(d.usage_date) IN (0, 6)) = (weekday(l.usage_date) IN (0, 6))
              AND d.usage_date BETWEEN l.first_date - 9 AND l.last_date + 9
              AND d.usage_date NOT BETWEEN l.first_date AND l.last_date
            GROUP BY ALL)
        SELECT incident_id, factor, (d.cost - n.cost) / l.extra
        FROM labelled l JOIN normal n USING (incident_id, usage_date)
        JOIN daily d USING (workspace_id, sku_name, usage_date)
    """).fetchall()
    assert len({incident for incident, _, _ in days}) >= 6
    assert len({factor for _, factor, _ in days}) >= 5
    for incident, factor, share in days:
        assert share == pytest.approx(1, abs=0.25 if factor > 2 else 0.8), incident
    first = value(account, "SELECT min(first_date) FROM incidents WHERE is_cost_spike")
    assert first >= date(2026, 10, 6)
    kinds = value(account, "SELECT count(DISTINCT kind) FROM incidents WHERE category = 'cost'")
    assert kinds == 7


def test_commands_say_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "a")
    small = ["simulate", "--out", out, "--days", "1", "--usage-rows", "10", "--end", "2026-11-20"]
    assert main(["next-day", "--out", out]) == 1
    assert "simulate first" in capsys.readouterr().err
    assert main(small) == 0
    assert main(small) == 1
    assert "holds an account already" in capsys.readouterr().err
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("keep")
    assert main(["simulate", "--out", str(tmp_path / "other")]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert main(["simulate", "--out", str(tmp_path / "b"), "--days", "0"]) == 1
    assert "days must be at least 1, found 0" in capsys.readouterr().err


def test_an_interrupted_simulation_can_be_repeated(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    account = tmp_path / "a"
    with pytest.raises(KeyboardInterrupt):
        simulate(account, days=2, seed=7, workspaces=1, usage_rows=50, end=END, progress=stop)
    assert main(["next-day", "--out", str(account)]) == 1
    again = simulated(account, days=2, rows=400)
    clean = simulated(tmp_path / "clean", days=2, rows=400)
    assert sum(_other_rows(again, clean, f"tables/{name}") for name in system_tables()) == 0


def test_three_hundred_thousand_rows_in_seconds(tmp_path: Path) -> None:
    """Of the processor, so that what else runs on the machine does not matter much."""
    started = time.process_time()
    account = _open(simulated(tmp_path / "a", days=60, rows=300_000))
    assert time.process_time() - started < 60
    rows = {table: value(account, f"SELECT count(*) FROM {table}") for table in _VOLUMES}
    assert 285_000 < rows["usage"] < 315_000
    shares = {table: rows[table] / rows["usage"] for table in _VOLUMES}
    assert [t for t, share in shares.items() if abs(share / _VOLUMES[t] - 1) > 0.25] == []


def test_types_of_spark_and_arrow_agree() -> None:
    for table in system_tables().values():
        for field in table.arrow:
            assert parse_type(spark_type(field.type).replace("`", "")) == field.type
        assert table.arrow.field(table.key[0]).type == parse_type("string")
