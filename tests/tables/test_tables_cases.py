"""The SQL of gold and the rules of silver, on few rows that show what must not go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from health_monitor.silver.rows import broken_rules, checked_columns, quarantined
from health_monitor.spec import Definitions
from health_monitor.spec.sql import tables_of
from sqlglot.dialects.databricks import Databricks

from tests.tables.conftest import cases, column_types, expected_rows, frame, read_case, shown


@pytest.mark.spark
@pytest.mark.parametrize("path", cases("gold"))
def test_gold(databricks: Any, definitions: Definitions, path: Path) -> None:
    check_gold(databricks, definitions, path)


@pytest.mark.spark
@pytest.mark.parametrize("path", cases("silver"))
def test_silver(spark: Any, definitions: Definitions, path: Path) -> None:
    check_silver(spark, definitions, path)


def check_gold(databricks: Any, definitions: Definitions, path: Path) -> None:
    case = read_case(path)
    sql = definitions.gold[path.parent.name].sql
    views = {table: f"case_{table.replace('.', '_')}" for table in tables_of(sql)}
    assert case["given"].keys() <= views.keys()
    for table, view in views.items():
        rows = case["given"].get(table, [])
        frame(databricks, rows, column_types(definitions, table)).createOrReplaceTempView(view)
    arguments = {"currency": "USD"} if ":currency" in sql else {}
    result = databricks.sql(with_views(sql, views), args=arguments).collect()
    expected = expected_rows(case["expected"])
    assert shown(result, list(case["expected"][0])) == expected


def check_silver(spark: Any, definitions: Definitions, path: Path) -> None:
    from pyspark.sql import functions as F

    case = read_case(path)
    definition = definitions.silver[path.parent.name.removeprefix("silver_")]
    given = frame(spark, case["given"], column_types(definitions, f"bronze.{definition.reads}"))
    rows = checked_columns(given, definition)
    valid = rows.where(F.size(broken_rules(definition)) == 0).collect()
    broken = quarantined(rows, definition).collect()
    assert shown(valid, list(case["valid"][0])) == expected_rows(case["valid"])
    assert shown(broken, ["broken_rules"]) == expected_rows(case["quarantined"])
    assert len(valid) + len(broken) == len(case["given"])


def with_views(sql: str, views: dict[str, str]) -> str:
    """A query with views in place of its two-part table names."""
    sequence = Databricks().tokenize(sql)
    pieces, end = [], 0
    for first, dot, last in zip(sequence, sequence[1:], sequence[2:], strict=False):
        name = f"{first.text}.{last.text}".lower()
        if dot.text == "." and name in views:
            pieces += [sql[end : first.start], views[name]]
            end = last.end + 1
    return "".join([*pieces, sql[end:]])
