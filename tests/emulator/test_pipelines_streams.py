"""What a stream over a table passes on: appended rows, changes, and nothing twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.compute.pipelines.api import PipelinesApi
from emulator.compute.pipelines.delta_log import DeltaTable, find_table
from emulator.compute.pipelines.model import PipelineError
from emulator.compute.pipelines.registry import Registry
from emulator.compute.pipelines.streams import StreamOptions
from tests.emulator.pipeline_support import Pipeline

STREAMS = """
    @dp.table
    def appended():
        return spark.readStream.option("skipChangeCommits", True).table("raw")

    @dp.table
    def changed():
        feed = spark.readStream.option("readChangeFeed", "true").table("raw")
        return feed.select("id", "v", "_change_type")

    @dp.table
    def strict():
        return spark.readStream.table("raw")
"""


@pytest.mark.spark
def test_streams_over_a_table_that_changes(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_CONNECT_MODE_ENABLED", "1")
    pipeline = Pipeline(spark, tmp_path)
    raw = f"{pipeline.schema}.raw"
    pipeline.write("raw", "SELECT id, 'a' AS v FROM range(3)")
    assert pipeline.update(STREAMS).error is None
    spark.sql(f"UPDATE {raw} SET v = 'b' WHERE id = 1")
    pipeline.write("raw", "SELECT 7 AS id, 'a' AS v")
    spark.sql(f"OPTIMIZE {raw}")
    pipeline.write("raw", "SELECT 8 AS id, 'a' AS v")
    result = pipeline.update(STREAMS)
    assert list(result.flows) == ["appended", "changed", "strict"]
    assert [flow.status for flow in result.flows.values()] == ["COMPLETED", "COMPLETED", "FAILED"]
    assert "version 1 updates or deletes rows" in (result.flows["strict"].error or "")
    assert pipeline.rows("appended") == [(i, "a") for i in (0, 1, 2, 7, 8)]
    assert pipeline.rows("changed")[3:] == [
        (1, "b", "update_postimage"),
        (2, "a", "insert"),
        (7, "a", "insert"),
        (8, "a", "insert"),
    ]
    spark.sql(f"OPTIMIZE {raw}")
    idle = pipeline.update(STREAMS)
    assert idle.flows["appended"].status == idle.flows["changed"].status == "IDLE"
    spark.sql(f"DROP TABLE {raw}")
    pipeline.write("raw", "SELECT id, 'n' AS v FROM range(9)")
    replaced = pipeline.update(STREAMS, refresh_selection=["appended"])
    assert "run a full refresh" in (replaced.flows["appended"].error or "")
    assert replaced.flows["changed"].status == "EXCLUDED"
    assert find_table(spark, f"{pipeline.schema}.nothing") is None


def test_the_log_tells_appends_from_changes_and_from_rewrites(tmp_path: Path) -> None:
    log = tmp_path / "_delta_log"
    log.mkdir()
    added = '{"add": {"path": "p=1/a%20b.parquet", "dataChange": true}}'
    rewritten = '{"add": {"path": "c.parquet", "dataChange": false}}'
    removed = '{"remove": {"path": "a.parquet", "dataChange": true}}'
    (log / f"{3:020d}.json").write_text(f'{{"commitInfo": {{}}}}\n{added}\n')
    (log / f"{4:020d}.json").write_text(rewritten)
    (log / f"{5:020d}.json").write_text(f"{added}\n{removed}")
    table = DeltaTable("t", "id", tmp_path, {}, None)
    assert table.latest_version() == 5
    append, rewrite, change = table.commits(2, 5)
    assert (append.added, append.removes_data, append.rewrites) == (("a b.parquet",), False, False)
    assert not rewrite.changes_data and rewrite.rewrites
    assert change.removes_data
    with pytest.raises(PipelineError, match="version 2 is no longer"):
        list(table.commits(1, 5))


def test_unknown_stream_options_are_refused() -> None:
    assert StreamOptions.parse({"SkipChangeCommits": "TRUE"}).skip_change_commits
    with pytest.raises(PipelineError, match="witheventtimeorder"):
        StreamOptions.parse({"withEventTimeOrder": "true"})
    with pytest.raises(PipelineError, match="neither true nor false"):
        StreamOptions.parse({"readChangeFeed": "yes"})


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"stored_as_scd_type": 3}, "must be 1 or 2"),
        ({"column_list": ["a"], "except_column_list": ["b"]}, "not both"),
        ({"ignore_null_updates": True}, "no ignore_null_updates"),
        ({"keys": []}, "has no keys"),
    ],
)
def test_wrong_auto_cdc_flows_are_refused(options: dict[str, Any], problem: str) -> None:
    api = PipelinesApi(Registry("spark_catalog", "silver"))
    settings = {"target": "t", "source": "s", "keys": ["id"], "sequence_by": "at", **options}
    with pytest.raises(PipelineError, match=problem):
        api.create_auto_cdc_flow(**settings)
