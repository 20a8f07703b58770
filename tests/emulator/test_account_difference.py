"""Digests of rows against plain Python's equality, on random nested rows."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emulator.account.arrow_types import row_type
from emulator.account.difference import are_same, beyond, file_digests, row_digests
from emulator.account.schemas import parse_type

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("at", parse_type("timestamp")),
        ("amount", parse_type("decimal(38,18)")),
        ("flag", pa.bool_()),
        ("ratio", pa.float64()),
        ("tags", parse_type("map<string,string>")),
        ("nested", parse_type("struct<a:string,b:struct<c:bigint,d:map<string,string>>>")),
        ("items", parse_type("array<struct<k:string,n:int>>")),
    ]
)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _random_row(rng: random.Random) -> dict[str, Any]:
    """Few values each, so that equal rows and rows that nearly are come often."""

    def maybe(value: Any) -> Any:
        return None if rng.random() < 0.25 else value

    tags = [("a", maybe("1")), ("b", "2")][: rng.randrange(3)]
    return {
        "id": maybe(rng.choice("xy")),
        "at": maybe(NOON + timedelta(microseconds=rng.randrange(2))),
        "amount": maybe(Decimal(rng.choice(["-1", "1", "1.000000000000000001"]))),
        "flag": maybe(rng.random() < 0.5),
        "ratio": maybe(rng.choice([0.0, 0.5])),
        "tags": maybe(rng.sample(tags, len(tags))),
        "nested": maybe({"a": maybe("x"), "b": maybe({"c": rng.choice([1, None]), "d": tags})}),
        "items": maybe([{"k": k, "n": 1} for k in rng.sample("pq", rng.randrange(3))]),
    }


def _plain(value: Any) -> Any:
    """A value that compares as the digest should: maps as sets, lists in order."""
    if isinstance(value, dict):
        return tuple((key, _plain(inner)) for key, inner in value.items())
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return frozenset(value)
    return tuple(_plain(inner) for inner in value) if isinstance(value, list) else value


def _digests(rows: list[dict[str, Any]]) -> Any:
    return row_digests(pa.RecordBatch.from_pylist(rows, schema=SCHEMA), row_type(SCHEMA))


def test_equal_digests_mean_equal_rows() -> None:
    rng = random.Random(1)  # noqa: S311
    rows = [_random_row(rng) for _ in range(20_000)]
    rows += [{**row, "nested": None, "items": None, "at": None} for row in rows[:500]]
    digests = [tuple(pair) for pair in _digests(rows).tolist()]
    plain = [tuple(_plain(value) for value in row.values()) for row in rows]
    pairs = set(zip(plain, digests, strict=True))
    assert len(set(plain)) > 5000
    assert len(pairs) == len(set(plain)) == len(set(digests))


def test_the_difference_counts_equal_rows() -> None:
    rng = random.Random(2)  # noqa: S311
    narrow = [{**_random_row(rng), "nested": None, "items": None, "at": None} for _ in range(4000)]
    exported, present = narrow[:3000], narrow[2000:]
    marks = beyond(_digests(exported), _digests(present))
    kept = [row for row, mark in zip(exported, marks, strict=True) if mark]

    def counted(rows: list[dict[str, Any]]) -> Counter[Any]:
        return Counter(tuple(_plain(value) for value in row.values()) for row in rows)

    assert counted(kept) == counted(exported) - counted(present)
    assert 0 < len(kept) < len(exported)


def test_a_slice_and_a_shuffle_are_the_same_rows() -> None:
    rng = random.Random(3)  # noqa: S311
    rows = [_random_row(rng) for _ in range(500)]
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    whole = row_digests(batch, row_type(SCHEMA))
    part = row_digests(batch.slice(123, 200), row_type(SCHEMA))
    assert np.array_equal(part, whole[123:323])
    rng.shuffle(rows)
    assert are_same(_digests(rows), whole)
    assert not are_same(_digests([*rows[1:], rows[1]]), whole)
    assert not are_same(_digests(rows[1:]), whole)


def test_a_missing_field_is_a_null(tmp_path: Path) -> None:
    compared = parse_type("struct<id:string,nested:struct<a:string,b:string>>")
    full = pa.table({"id": ["x", "y"], "nested": [{"a": "1", "b": None}, None]})
    lean = pa.table({"nested": [{"a": "1"}, None], "id": ["x", "y"]})
    for name, table in (("full", full), ("lean", lean)):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    digests = [file_digests([tmp_path / f"{name}.parquet"], compared) for name in ("full", "lean")]
    assert np.array_equal(digests[0], digests[1])
    assert not np.array_equal(digests[0][0], digests[0][1])
