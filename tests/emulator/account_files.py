"""Simulated accounts as files, and DuckDB over them: views named ``<schema>_<table>``."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from emulator.account.simulate import simulate

END = date(2026, 11, 20)


def simulated(out: Path, *, days: int, rows: int, seed: int = 7, end: date = END) -> Path:
    """An account of three workspaces with about ``rows`` usage rows in all."""
    simulate(out, days=days, seed=seed, workspaces=3, usage_rows=rows, end=end)
    return out


def opened(account: Path) -> duckdb.DuckDBPyConnection:
    """Every table as a view, with the day on which each row was exported; truths as ``truth_*``."""
    connection = duckdb.connect()
    connection.execute("SET timezone = 'UTC'")
    for folder in sorted((account / "tables").iterdir()):
        name = folder.name.replace(".", "_")
        connection.execute(
            f"CREATE VIEW {name} AS SELECT * EXCLUDE (filename),"
            " try_cast(parse_filename(filename, true) AS DATE) AS exported_on"
            f" FROM read_parquet('{folder}/*.parquet', union_by_name = true, filename = true)"
        )
    for truth in sorted((account / "truth").iterdir()):
        files = truth / "*.parquet" if truth.is_dir() else truth
        connection.execute(f"CREATE VIEW truth_{truth.stem} AS FROM '{files}'")
    return connection


def value(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    """The first column of the first row."""
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def nothing(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """The query must find no row; what it finds is shown."""
    assert connection.execute(f"{query} LIMIT 5").fetchall() == []
