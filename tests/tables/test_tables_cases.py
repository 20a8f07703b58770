"""The SQL of gold and the rules of silver, on few rows that show what must not go wrong.

A case named ``rule_NN_<what>.yml`` shows the rule of that number in the list of traps of Databricks
system tables; gold tables that a case does not give are computed from what it gives; ``where``
leaves rows out that a case is not about.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from health_monitor.gold.query import parameters, query_of
from health_monitor.silver.rows import broken_rules, checked_columns, quarantined
from health_monitor.spec import Definitions, Gold
from health_monitor.spec.sql import tables_of
from sqlglot.dialects.databricks import Databricks

from tests.tables.conftest import (
    Rows,
    cases,
    column_types,
    expected_rows,
    frame,
    gold_folders,
    read_case,
    shown,
    silver_folders,
)

WITH_GAPS = ("dim_pricing",)


@pytest.mark.spark
@pytest.mark.parametrize("path", cases(*gold_folders()))
def test_gold(databricks: Any, definitions: Definitions, path: Path) -> None:
    check_gold(databricks, definitions, path)


def check_gold(databricks: Any, definitions: Definitions, path: Path) -> None:
    """The rows that a table's query makes of a case's are the expected ones."""
    case = read_case(path)
    definition = definitions.gold[path.parent.name]
    views: dict[str, str] = {}
    result = computed(databricks, definitions, definition.table, case["given"], views)
    assert case["given"].keys() <= views.keys()
    expected = case["expected"]
    found = databricks.table(result).where(case.get("where", "true")).collect()
    assert len(found) == len(expected)
    assert shown(found, list(expected[0]) if expected else []) == expected_rows(expected)
    keeps_its_key(definition, found)
    keeps_its_versions(definition, found)


@pytest.mark.spark
def test_gold_queries_give_the_declared_types(databricks: Any, definitions: Definitions) -> None:
    wrong: list[str] = []
    for definition in definitions.gold.values():
        if definition.sql:
            empty: dict[str, Rows] = {table: [] for table in tables_of(definition.sql)}
            view = computed(databricks, definitions, definition.table, empty, {})
            given = dict(databricks.table(view).dtypes)
            for column in definition.columns.values():
                declared = column.type.replace(" ", "").lower()
                if given[column.name].lower() != declared:
                    wrong.append(f"{definition.name}.{column.name}: {given[column.name]}")
    assert wrong == []


@pytest.mark.spark
@pytest.mark.parametrize("path", cases(*silver_folders()))
def test_silver(spark: Any, definitions: Definitions, path: Path) -> None:
    check_silver(spark, definitions, path)


def check_silver(spark: Any, definitions: Definitions, path: Path) -> None:
    """A case's rows pass silver's rules, or are set aside by those that they break."""
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


def computed(
    spark: Any, definitions: Definitions, table: str, given: dict[str, Rows], views: dict[str, str]
) -> str:
    """A view with the rows of a table: given, or computed by gold's queries from what is given."""
    if table in views:
        return views[table]
    definition = definitions.gold.get(table.removeprefix("gold."))
    if table in given or definition is None or not definition.sql:
        result = frame(spark, given.get(table, []), column_types(definitions, table))
    else:
        inner = {
            read: computed(spark, definitions, read, given, views)
            for read in sorted(tables_of(definition.sql))
        }
        query = with_views(query_of(definition), inner)
        computed_rows = spark.sql(query, args=parameters(query, "USD", None))
        # plans of views on views grow without bounds
        result = spark.createDataFrame(computed_rows.collect(), computed_rows.schema)
    views[table] = f"case_{table.replace('.', '_')}"
    result.createOrReplaceTempView(views[table])
    return views[table]


def keeps_its_key(definition: Gold, rows: list[Any]) -> None:
    """What is declared as primary key is one: unique, and nowhere NULL."""
    if not definition.key:
        return
    keys = [tuple(row[name] for name in definition.key) for row in rows]
    assert all(part is not None for key in keys for part in key), "a key has a NULL"
    assert len(keys) == len(set(keys)), "a key stands twice"


def keeps_its_versions(definition: Gold, rows: list[Any]) -> None:
    """Versions follow each other without overlap, and the last is open; only prices have gaps."""
    if not {"valid_from", "valid_to", "is_current"} <= definition.columns.keys():
        return
    of_one: dict[Any, list[Any]] = {}
    for row in sorted(rows, key=lambda row: row["valid_from"]):
        natural = tuple(row[name] for name in definition.key if name != "valid_from")
        of_one.setdefault(natural, []).append(row)
    for versions in of_one.values():
        for version, following in pairwise(versions):
            end, start = version["valid_to"], following["valid_from"]
            assert end is not None and end <= start, "versions overlap"
            assert end == start or definition.name in WITH_GAPS, "a gap between versions"
        assert versions[-1]["valid_to"] is None or definition.name in WITH_GAPS, "none is open"
        assert all(row["is_current"] == (row["valid_to"] is None) for row in versions)


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
