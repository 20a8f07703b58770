"""In which order a table's files hold its rows, seen by DuckDB."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlparse

import duckdb


def ordered_rows(spark: Any, table: str, column: str) -> tuple[int, int]:
    """Rows that come before a smaller one of their file, and all rows that have a value."""
    found = duckdb.execute(
        "SELECT COUNT_IF(value > next), COUNT(*) FROM ("
        f'SELECT "{column}" AS value, LEAD("{column}") OVER '
        "(PARTITION BY filename ORDER BY file_row_number) AS next "
        "FROM read_parquet($files, filename = true, file_row_number = true) "
        f'WHERE "{column}" IS NOT NULL)',
        {"files": _files(spark, table)},
    ).fetchone()
    if found is None:
        raise AssertionError(f"DuckDB counted no rows of {table}")
    return int(found[0]), int(found[1])


def has_bounds(spark: Any, table: str, column: str) -> bool:
    """Whether every file says what a column's smallest and largest value are."""
    found = duckdb.execute(
        "SELECT BOOL_AND(stats_min_value IS NOT NULL) FROM parquet_metadata($files) "
        "WHERE path_in_schema = $column",
        {"files": _files(spark, table), "column": column},
    ).fetchone()
    return bool(found and found[0])


def _files(spark: Any, table: str) -> list[str]:
    return [unquote(urlparse(uri).path) for uri in spark.table(table).inputFiles()]
