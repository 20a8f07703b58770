"""Each rule of silver catches something: one row that breaks it, and nothing else, for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from health_monitor.silver.rows import broken_rules, checked_columns, rules
from health_monitor.spec import Definitions
from health_monitor.spec.kinds import Silver

from tests.tables.conftest import column_types, frame, read_case

RULES = Path(__file__).parent / "silver_rules"


def conditions(definition: Silver) -> dict[str, str]:
    """The rules as the definition has them, all levels together."""
    found = definition.expectations
    return {**found.warn, **found.drop, **found.fail, "fits_its_columns": "rescued_data IS NULL"}


def test_every_table_and_rule_has_its_row(definitions: Definitions) -> None:
    cases = {path.stem: read_case(path)["broken"].keys() for path in RULES.glob("*.yml")}
    assert len(definitions.silver) == 30
    assert cases == {name: conditions(d).keys() for name, d in definitions.silver.items()}
    levels = [level for d in definitions.silver.values() for level in rules(d).values()]
    assert len(levels) >= 100
    assert set(levels) == {"warn", "drop", "fail"}


@pytest.mark.spark
def test_a_row_breaks_the_rule_that_it_is_made_for(spark: Any, definitions: Definitions) -> None:
    wrong = {}
    for name, definition in definitions.silver.items():
        case = read_case(RULES / f"{name}.yml")
        expected = [[], *([rule] for rule in case["broken"])]
        rows = [
            case["valid"],
            *({**case["valid"], **changed} for changed in case["broken"].values()),
        ]
        found = _broken(spark, definitions, definition, rows)
        differs = {
            str(e): f
            for e, f in zip(expected, found, strict=True)
            if (e, _drop(e, definition)) != f
        }
        if differs:
            wrong[name] = differs
    assert wrong == {}


def _drop(broken: list[str], definition: Silver) -> list[str]:
    return [rule for rule in broken if rules(definition)[rule] == "drop"]


def _broken(
    spark: Any, definitions: Definitions, definition: Silver, rows: list[dict[str, Any]]
) -> list[tuple[list[str], list[str]]]:
    """For each row the rules that it breaks, and those of them that would set it aside."""
    from pyspark.sql import functions as F

    types = column_types(definitions, f"bronze.{definition.reads}")
    given = checked_columns(frame(spark, rows, types), definition)
    named = [
        F.when(~F.coalesce(F.expr(f"({condition})"), F.lit(False)), F.lit(rule))
        for rule, condition in conditions(definition).items()
    ]
    found = given.select(F.array_compact(F.array(*named)), broken_rules(definition)).collect()
    return [(list(row[0]), list(row[1])) for row in found]
