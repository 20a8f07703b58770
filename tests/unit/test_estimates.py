"""Errors of estimates, against sums that were made by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb

from tools.estimates import ESTIMATED, errors_of, estimate_errors

TRUTH: dict[tuple[str, ...], Decimal] = {
    ("1", "a"): Decimal(10),
    ("1", "b"): Decimal(30),
    ("1", "c"): Decimal(0),
    ("2", "a"): Decimal(5),
}


def test_errors_are_told_by_the_way_the_cost_was_found() -> None:
    ours: list[list[str | None]] = [
        ["1", "a", "estimated", "12"],
        ["1", "b", "estimated", "27"],
        ["1", "c", "estimated", "1"],
        ["2", "a", "attributed", "5.00"],
    ]
    attributed, estimated = errors_of("job runs", ours, TRUTH)
    assert (attributed.method, attributed.count) == ("attributed", 1)
    assert [attributed.absolute, attributed.bias, attributed.spread] == [Decimal(0)] * 3
    # 12 + 27 + 1 against 10 + 30 + 0: no error of the total, 2 + 3 + 1 of the parts.
    assert [estimated.total, estimated.true_total] == [Decimal(40), Decimal(40)]
    assert estimated.absolute == Decimal(6)
    assert [estimated.bias, estimated.spread] == [Decimal(0), Decimal("0.15")]


def test_unknown_costs_are_no_estimates() -> None:
    ours: list[list[str | None]] = [
        ["1", "a", "unpriced", None],
        ["3", "z", "estimated", "12"],
        ["1", "c", "not_billed", "0"],
    ]
    (found,) = errors_of("job runs", ours, TRUTH)
    assert (found.method, found.count) == ("not_billed", 1)
    assert (found.bias, found.spread) == (None, None)


def test_the_truth_is_read_by_the_same_keys(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for folder, columns in {
            "run_costs": "'1' AS workspace_id, 'r' AS run_id, 2.5 AS cost_usd",
            "query_costs": "'1' AS workspace_id, 's' AS statement_id, 4.0 AS cost_usd",
            "idle_costs": "'1' AS workspace_id, 'cluster' AS compute_kind, 'c' AS compute_id, "
            "TIMESTAMPTZ '2026-01-01 05:00:00+00' AS hour, 8.0 AS idle_cost_usd",
        }.items():
            (tmp_path / folder).mkdir()
            connection.execute(f"COPY (SELECT {columns}) TO '{tmp_path / folder / 'a.parquet'}'")
    answers = {
        "job runs": [["1", "r", "attributed", "5"]],
        "statements": [["1", "s", "busy_share", "5"]],
        "idle hours": [["1", "cluster", "c", str(1767243600), "idle", "6"]],
    }

    def rows(statement: str) -> Any:
        assert "DATE'2026-01-01' AND DATE'2026-01-30'" in statement
        return next(
            answers[each.name] for each in ESTIMATED if statement.startswith(each.ours[:60])
        )

    warehouse: Any = SimpleNamespace(rows=rows)
    found = estimate_errors(warehouse, "main", tmp_path, date(2026, 1, 1), date(2026, 1, 30))
    assert [(e.name, e.bias) for e in found] == [
        ("job runs", Decimal(1)),
        ("statements", Decimal("0.25")),
        ("idle hours", Decimal("-0.25")),
    ]
