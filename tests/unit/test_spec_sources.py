"""What a bronze or silver definition says of its source is checked before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.test_spec_loading import BRONZE, COMMENT, SILVER, base, problems, write

HISTORY = SILVER.replace("keeps: rows", "keeps: history\nsequence_by: day\nuntracked: [size]")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BRONZE + "protect: {hash: [ip]}\n", "8: column ip does not exist; there are: day, id"),
        (BRONZE + "protect: {drop: [day]}\n", "7: column day is dropped: do not declare it"),
        (
            BRONZE + "protect:\n  rewrite: {id: LOWER(name)}\n",
            "9: column name does not exist; there are: day, id",
        ),
        (
            BRONZE
            + f"derived:\n  x: {{type: int, expression: LENGTH(text), comment: {COMMENT}}}\n",
            "9: column text does not exist; there are: day, id",
        ),
        (
            BRONZE.replace("mode: append", "mode: incremental_merge"),
            "1: 'incremental_merge' needs a 'watermark'",
        ),
        (
            BRONZE + "watermark: {column: day, overlap_days: 1, prune_by: hour}\n",
            "8: column hour does not exist; there are: day, id",
        ),
    ],
)
def test_what_a_source_is_said_to_have(tmp_path: Path, text: str, expected: str) -> None:
    told = problems(write(tmp_path, base(**{"bronze/billing/usage.yml": text})))
    place = "bronze/billing/usage.yml:"
    assert any(problem.startswith(place + expected) for problem in told), told


def test_a_dropped_column_can_be_derived_from(tmp_path: Path) -> None:
    hidden = f"protect: {{drop: [text, _raw]}}\nderived:\n  x: {{type: string, comment: {COMMENT}, "
    text = BRONZE + hidden + "expression: 'SHA2(text, 256)'}\n"
    silver = SILVER.replace("id IS NOT NULL", "text IS NOT NULL")
    files = {"bronze/billing/usage.yml": text, "silver/billing/usage.yml": silver}
    told = problems(write(tmp_path, base(**files)))
    assert len(told) == 1
    assert told[0].startswith("silver/billing/usage.yml:6: column text does not exist")
    assert ", row_key, x" in told[0]


def test_untracked_columns_exist_and_only_in_a_history(tmp_path: Path) -> None:
    place = "silver/billing/usage.yml"
    told = problems(write(tmp_path, base(**{place: HISTORY})))
    assert told[0].startswith(f"{place}:5: column size does not exist; there are: day, id")
    rows = SILVER.replace("keeps: rows", "keeps: rows\nuntracked: [day]")
    told = problems(write(tmp_path, base(**{place: rows})))
    assert any("only a history has versions" in problem for problem in told)
