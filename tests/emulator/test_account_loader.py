"""Importing into Delta over Spark Connect: what is gained, what is replaced, what stays."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql.connect.session import SparkSession

from emulator.account import loader
from emulator.account.export_files import LoadError
from emulator.account.loader import ImportReport, import_folder
from emulator.account.schemas import system_tables
from emulator.account.simulate import next_day, simulate

FEW = ("billing.usage", "billing.list_prices", "lakeflow.jobs")
pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def session(spark_server: Any) -> Iterator[Any]:
    """One session without system tables, and without them again at the end."""
    spark = SparkSession.builder.remote(spark_server.url).create()
    for name in system_tables():
        spark.sql(f"DROP TABLE IF EXISTS {name}")
    yield spark
    for name in system_tables():
        spark.sql(f"DROP TABLE IF EXISTS {name}")
    spark.stop()


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five days of an account, in a folder whose name Spark would take as a pattern."""
    out = tmp_path_factory.mktemp("account") / "my export [1]"
    simulate(out, days=5, seed=7, workspaces=2, usage_rows=2000, end=date(2026, 11, 20))
    return out


def _import(spark: Any, folder: Path) -> dict[str, ImportReport]:
    reports = import_folder(spark, folder, progress=lambda line: None)
    return {report.table: report for report in reports}


def _version(spark: Any, name: str) -> int:
    return int(spark.sql(f"DESCRIBE HISTORY {name} LIMIT 1").first()["version"])


def _folder(account: Path, name: str) -> pa.Table:
    return pq.read_table(account / "tables" / name)


def _sum(spark: Any) -> tuple[int, Decimal]:
    row = spark.sql("SELECT count(*), sum(usage_quantity) FROM billing.usage").first()
    return int(row[0]), Decimal(row[1])


def _source_sum(account: Path) -> tuple[int, Decimal]:
    quantities = _folder(account, "billing.usage")["usage_quantity"].to_pylist()
    return len(quantities), sum(quantities, Decimal(0))


def test_import_again_and_the_next_day(session: Any, account: Path, tmp_path: Path) -> None:
    """The steps of an account's life, in order, on the same tables."""
    reports = _import(session, account / "tables")
    assert {report.outcome for report in reports.values()} == {"created"}
    assert _sum(session) == _source_sum(account)
    ids = _folder(account, "billing.usage")["record_id"].drop_null()
    assert len(ids) > len(ids.unique()), "the source has exact duplicates"
    properties = session.sql("SHOW TBLPROPERTIES billing.usage").collect()
    assert ("delta.enableChangeDataFeed", "true") in [tuple(row) for row in properties]
    row = session.sql(
        "SELECT custom_tags, usage_metadata, usage_start_time FROM billing.usage "
        "WHERE usage_metadata.job_id IS NOT NULL AND size(custom_tags) > 1 LIMIT 1"
    ).first()
    assert set(row["custom_tags"]) == {"team", "cost_center", "environment"}

    versions = {name: _version(session, name) for name in FEW}
    with pytest.MonkeyPatch.context() as patch:
        # Files that are known are not compared row by row.
        patch.setattr(loader, "file_digests", None)
        again = _import(session, account / "tables")
        assert {report.outcome for report in again.values()} == {"unchanged"}
        assert {name: _version(session, name) for name in FEW} == versions
        one = min((account / "tables" / "billing.usage").iterdir())
        shutil.copy(one, one.with_name("again.parquet"))
        twice = _import(session, account / "tables")["billing.usage"]
    assert twice.rows_after - twice.rows_before == pq.read_metadata(one).num_rows > 0
    assert _sum(session) == _source_sum(account)
    _what_others_wrote_is_compared(session, account)

    _rearrange(account / "tables" / "billing.usage")
    next_day(account)
    for name in set(system_tables()).difference(FEW):
        shutil.rmtree(account / "tables" / name)
    grown = _import(session, account / "tables")
    assert grown["billing.usage"].outcome == "appended"
    assert grown["billing.list_prices"].outcome == "unchanged"
    assert _sum(session) == _source_sum(account)
    new = grown["billing.usage"].rows_after - grown["billing.usage"].rows_before
    last = _version(session, "billing.usage")
    changes = f"SELECT _change_type FROM table_changes('billing.usage', {last}, {last})"
    kinds = [row[0] for row in session.sql(changes).collect()]
    assert kinds == ["insert"] * new
    assert 300 < new < 600

    _wrong_exports_change_nothing(session, account, tmp_path)
    _changed_rows_and_new_columns(session, account, tmp_path)


def _what_others_wrote_is_compared(spark: Any, account: Path) -> None:
    """A note of files is worth nothing once the table has changed without it."""
    name = "lakeflow.pipelines"
    rows = spark.table(name).count()
    spark.sql(f"INSERT OVERWRITE {name} SELECT * FROM {name} LIMIT 1")
    report = _import(spark, account / "tables")[name]
    assert (report.outcome, report.rows_before, report.rows_after) == ("appended", 1, rows)


def _rearrange(folder: Path) -> None:
    """The same rows as another exporter might write them: one file, other order, maps reversed."""
    table = pa.concat_tables([pq.read_table(file) for file in sorted(folder.iterdir())])
    table = table.take(pa.array(range(len(table) - 1, -1, -1)))
    tags = [None if t is None else t[::-1] for t in table["custom_tags"].to_pylist()]
    place = table.schema.get_field_index("custom_tags")
    table = table.set_column(place, "custom_tags", pa.array(tags, table.schema.field(place).type))
    for file in folder.iterdir():
        file.unlink()
    pq.write_table(table, folder / "0.parquet")


def _wrong_exports_change_nothing(spark: Any, account: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(account / "tables", broken)
    jobs = pq.read_table(broken / "lakeflow.jobs")
    shutil.rmtree(broken / "lakeflow.jobs")
    (broken / "lakeflow.jobs").mkdir()
    pq.write_table(jobs.drop_columns("job_id"), broken / "lakeflow.jobs" / "jobs.parquet")
    (broken / "billing.usage" / "cut.parquet").write_bytes(b"PAR1 and no more")
    prices = pq.read_table(broken / "billing.list_prices")
    pq.write_table(prices.slice(1), broken / "billing.list_prices" / "current.parquet")
    versions = {name: _version(spark, name) for name in FEW}
    with pytest.raises(LoadError) as caught:
        import_folder(spark, broken, progress=lambda line: None)
    assert "lakeflow.jobs: " in str(caught.value)
    assert "column job_id is missing; expected string" in str(caught.value)
    assert "cut.parquet: not a readable Parquet file" in str(caught.value)
    assert {name: _version(spark, name) for name in FEW} == versions


def _changed_rows_and_new_columns(spark: Any, account: Path, tmp_path: Path) -> None:
    """Prices end as exported; a new column does not make old rows new; absent stays untouched."""
    export = tmp_path / "export"
    for name in ("billing.usage", "billing.list_prices"):
        (export / name).mkdir(parents=True)
    (export / "access.clean_room_events").mkdir()
    prices = _folder(account, "billing.list_prices").slice(1)
    pq.write_table(prices, export / "billing.list_prices" / "all.parquet")
    usage = _folder(account, "billing.usage")
    usage = pa.concat_tables([usage, usage.slice(0, 1)])
    usage = usage.append_column("usage_channel", pa.array(["web"] * len(usage)))
    pq.write_table(usage, export / "billing.usage" / "all.parquet")
    versions = {name: _version(spark, name) for name in FEW}

    reports = _import(spark, export)
    assert reports["access.clean_room_events"].outcome == "ignored"
    assert reports["lakeflow.jobs"].outcome == "absent"
    assert _version(spark, "lakeflow.jobs") == versions["lakeflow.jobs"]
    assert reports["billing.list_prices"].outcome == "replaced"
    found = spark.table("billing.list_prices").toArrow().cast(prices.schema)
    assert sorted(map(str, found.to_pylist())) == sorted(map(str, prices.to_pylist()))

    assert reports["billing.usage"].new_columns == ("usage_channel",)
    before, after = reports["billing.usage"].rows_before, reports["billing.usage"].rows_after
    assert (after - before, after) == (1, len(usage))
    filled = spark.sql("SELECT count(usage_channel) FROM billing.usage").first()[0]
    assert filled == 1
    assert {r.outcome for r in _import(spark, export).values()} == {
        "unchanged", "absent", "ignored",
    }  # fmt: skip
