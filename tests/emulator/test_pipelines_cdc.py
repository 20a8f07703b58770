"""AUTO CDC: versions and latest rows from change events in any order."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.pipeline_support import Pipeline
from tests.parquet_order import ordered_rows

pytestmark = pytest.mark.spark

FLOWS = """
    dp.create_streaming_table("history", comment="versions", expect_all={"named": "name <> ''"})
    dp.create_auto_cdc_flow(
        target="history", source="changes", keys=["id"], sequence_by="at",
        apply_as_deletes=F.expr("op = 'D'"), except_column_list=["op", "at"],
        stored_as_scd_type=2, track_history_except_column_list=["note"],
    )
    dp.create_streaming_table("latest")
    dp.create_auto_cdc_flow(
        target="latest", source="changes", keys=["id"], sequence_by=F.col("at"),
        apply_as_deletes="op = 'D'", column_list=["id", "name"], stored_as_scd_type="1",
    )
"""
VALUES = "SELECT * FROM VALUES {} AS t(id, name, note, tags, op, at)"


def test_versions_and_latest_rows_whatever_the_order(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_CONNECT_MODE_ENABLED", "1")
    pipeline = Pipeline(spark, tmp_path)
    tags = "map('k', 'v')"
    pipeline.write(
        "changes",
        VALUES.format(
            f"(1,'a','n1',{tags},'U',10), (1,'a','n2',{tags},'U',20), (1,'b','n3',{tags},'U',30),"
            f"(2,'x','n',{tags},'U',10), (2,'x','n',{tags},'D',40), (3,'',NULL,{tags},'U',5)"
        ),
    )
    first = pipeline.update(FLOWS)
    assert first.error is None
    history = ("id", "name", "note", "__START_AT", "__END_AT")
    assert pipeline.table("history").columns == ["id", "name", "note", "tags", *history[3:]]
    assert pipeline.rows("history", *history) == [
        (1, "a", "n2", 10, 30),
        (1, "b", "n3", 30, None),
        (2, "x", "n", 10, 40),
        (3, "", None, 5, None),
    ]
    assert [c.failed_records for c in first.flows["history"].expectations] == [1]
    assert pipeline.rows("latest") == [(1, "b"), (3, "")]

    # Late: id 1 was 'c' at 15, id 2 comes back at 50, and an old event of id 3 arrives.
    pipeline.write(
        "changes",
        VALUES.format(
            f"(1,'c','n4',{tags},'U',15), (2,'y','n',{tags},'U',50), (3,'old',NULL,{tags},'U',1),"
            f"(3,'old',NULL,{tags},'U',1)"
        ),
    )
    second = pipeline.update(FLOWS)
    assert second.error is None
    assert pipeline.rows("history", *history) == [
        (1, "a", "n1", 10, 15),
        (1, "a", "n2", 20, 30),
        (1, "b", "n3", 30, None),
        (1, "c", "n4", 15, 20),
        (2, "x", "n", 10, 40),
        (2, "y", "n", 50, None),
        (3, "", None, 5, None),
        (3, "old", None, 1, 5),
    ]
    assert pipeline.rows("latest") == [(1, "b"), (2, "y"), (3, "")]

    # A batch that is run again, as after a kill, leaves every row as it was.
    checkpoint = next((tmp_path / "flows").glob("history-*.json"))
    before = checkpoint.read_text()
    pipeline.write("changes", VALUES.format(f"(2,'y','n',{tags},'D',60)"))
    assert pipeline.update(FLOWS).error is None
    done = pipeline.rows("history", *history)
    checkpoint.write_text(before)
    again = pipeline.update(FLOWS)
    assert (again.flows["history"].upserted_rows, again.flows["history"].deleted_rows) == (0, 0)
    assert pipeline.rows("history", *history) == done
    assert pipeline.rows("latest") == [(1, "b"), (3, "")]


KEPT_SEQUENCE = """
    dp.create_streaming_table("newest")
    dp.create_auto_cdc_flow(
        target="newest", source="changes", keys=["id"], sequence_by="at", stored_as_scd_type=1,
        column_list=["id", "name", "at"],
    )
"""


def test_latest_rows_that_show_their_sequence_are_what_all_events_say(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a fold over all events in Python: the newest, of one moment the last that came."""
    monkeypatch.setenv("SPARK_CONNECT_MODE_ENABLED", "1")
    pipeline, chance = Pipeline(spark, tmp_path), random.Random(4)  # noqa: S311 - rows, no secret
    newest: dict[int, tuple[int, int, str]] = {}
    for batch in range(4):
        events = [
            (chance.randrange(12), chance.choice("abc"), chance.randrange(6)) for _ in "x" * 15
        ]
        rows = ", ".join(
            f"({i}, '{name}', 'n', map('k', 'v'), 'U', {at})" for i, name, at in events
        )
        pipeline.write("changes", VALUES.format(rows))
        for key, name, at in events:
            newest[key] = max(newest.get(key, (0, -1, "")), (at, batch, name))
        checkpoints = {p: p.read_text() for p in (tmp_path / "flows").glob("newest-*.json")}
        assert pipeline.update(KEPT_SEQUENCE).error is None
        expected = sorted(((k, name, at) for k, (at, _, name) in newest.items()), key=repr)
        assert pipeline.rows("newest") == expected
        if batch == 0:
            newest_table = f"{pipeline.schema}.newest"
            assert ordered_rows(spark, newest_table, "at") == (0, len(expected))
        for path, text in checkpoints.items():
            path.write_text(text)
            again = pipeline.update(KEPT_SEQUENCE)
            assert (again.error, again.flows["newest"].upserted_rows) == (None, 0)
            assert pipeline.rows("newest") == expected
