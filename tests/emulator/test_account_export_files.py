"""What is wrong with an export is said before anything is written: file, table and column."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emulator.account.export_files import LoadError, find_tables, inspect
from emulator.account.schemas import system_tables

PRICES = system_tables()["billing.list_prices"]
ROW = {
    "account_id": "a",
    "price_start_time": datetime(2026, 1, 1, tzinfo=UTC),
    "sku_name": "SKU",
    "cloud": "AWS",
    "currency_code": "USD",
    "usage_unit": "DBU",
    "pricing": {"default": Decimal("0.5")},
}


def _export(folder: Path, table: pa.Table, name: str = "part.parquet") -> Path:
    path = folder / PRICES.name / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return path


def _prices() -> pa.Table:
    return pa.Table.from_pylist([ROW, ROW], schema=PRICES.arrow)


def _problems(folder: Path) -> list[str]:
    staging = Path(tempfile.mkdtemp(dir=folder))
    export, problems = inspect(folder, PRICES, PRICES.arrow, staging)
    assert (export is None) == bool(problems)
    return problems


def _replaced(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop_columns("sku_name"), ["column sku_name is missing", "expected string"]),
        (lambda t: t.drop_columns("pricing"), ["column pricing is missing"]),
        (
            lambda t: _replaced(t, "price_start_time", pa.array(["2026", "2026"])),
            ["column price_start_time is string, expected timestamp"],
        ),
        (
            lambda t: _replaced(t, "pricing", pa.array([{"default": 0.5}] * 2)),
            ["column pricing.default is double, expected decimal128(38, 18)"],
        ),
        (
            lambda t: t.append_column("took", pa.array([1, 2], pa.duration("s"))),
            ["column took", "no counterpart in Spark"],
        ),
        (
            lambda t: t.append_column("a b", pa.array([1, 2])),
            ["column 'a b'", "character"],
        ),
    ],
)  # fmt: skip
def test_a_wrong_column(
    tmp_path: Path, change: Callable[[pa.Table], pa.Table], words: list[str]
) -> None:
    file = _export(tmp_path, change(_prices()))
    (problem,) = _problems(tmp_path)
    for word in ["billing.list_prices", str(file), *words]:
        assert word in problem


def test_a_truncated_and_a_damaged_file(tmp_path: Path) -> None:
    """A footer that can be read is not enough: the pages are read too."""
    good = _export(tmp_path, _prices(), "good.parquet")
    whole = good.read_bytes()
    (good.parent / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    (good.parent / "damaged.parquet").write_bytes(whole[:4] + b"\xff" * 200 + whole[204:])
    (good.parent / "empty.parquet").write_bytes(b"")
    problems = _problems(tmp_path)
    assert len(problems) >= 2
    assert any("cut.parquet" in problem for problem in problems)
    for name in ("cut", "empty"):
        (good.parent / f"{name}.parquet").unlink()
    (problem,) = _problems(tmp_path)
    assert "damaged.parquet" in problem
    assert "export it again" in problem


def test_folders_that_hold_nothing_known(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="no such folder"):
        find_tables(tmp_path / "nowhere")
    (tmp_path / "access.clean_room_events").mkdir()
    with pytest.raises(LoadError, match=r"holds no known system table; .*billing\.usage/"):
        find_tables(tmp_path)
    (tmp_path / PRICES.name).mkdir()
    assert find_tables(tmp_path) == (["billing.list_prices"], ["access.clean_room_events"])
    (problem,) = _problems(tmp_path)
    assert "holds no *.parquet file" in problem


def test_other_writers_types_are_converted_without_loss(tmp_path: Path) -> None:
    """Nanoseconds without zone, large strings, dictionaries, narrow decimals, other field order."""
    start = pa.array([datetime(2026, 1, 1)] * 2, pa.timestamp("ns"))  # noqa: DTZ001
    table = _prices().drop_columns(["price_start_time", "price_end_time", "sku_name", "pricing"])
    narrow = pa.struct([("promotional", pa.null()), ("default", pa.decimal128(10, 4))])
    table = table.append_column("price_start_time", start)
    table = table.append_column("price_end_time", pa.nulls(2))
    table = table.append_column("sku_name", pa.array(["SKU"] * 2).dictionary_encode())
    table = table.append_column("pricing", pa.array([{"default": Decimal("0.5")}] * 2, narrow))
    _export(tmp_path, table)
    export, problems = inspect(tmp_path, PRICES, PRICES.arrow, tmp_path / "staging")
    assert problems == []
    assert export is not None
    assert (export.rows, export.schema) == (2, PRICES.arrow)
    (converted,) = [pq.read_table(file).select(PRICES.arrow.names) for file in export.files]
    assert converted.to_pylist() == _prices().to_pylist()


def test_files_of_an_export_may_differ_in_age(tmp_path: Path) -> None:
    """A newer file has a column and a nested field more; two that contradict are refused."""
    _export(tmp_path, _prices(), "1.parquet")
    extra = pa.array([{"default": Decimal(1), "discount": 1}] * 2)
    typed = extra.cast(pa.struct([("default", pa.decimal128(38, 18)), ("discount", pa.int32())]))
    newer = _replaced(_prices(), "pricing", typed).append_column("note", pa.array(["x", "y"]))
    _export(tmp_path, newer, "2.parquet")
    export, _ = inspect(tmp_path, PRICES, PRICES.arrow, tmp_path / "staging")
    assert export is not None
    assert export.schema.field("note").type == pa.string()
    assert export.schema.field("pricing").type.field("discount").type == pa.int32()
    _export(tmp_path, _prices().append_column("note", pa.array([1, 2])), "3.parquet")
    (problem,) = _problems(tmp_path)
    assert "3.parquet" in problem
    assert "column note is int64, expected string" in problem
