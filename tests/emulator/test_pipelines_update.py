"""An update of a pipeline: order, expectations, increments, failures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.emulator.pipeline_support import Pipeline

pytestmark = pytest.mark.spark


@pytest.fixture
def pipeline(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    monkeypatch.setenv("SPARK_CONNECT_MODE_ENABLED", "1")
    return Pipeline(spark, tmp_path)


CLEANING = """
    @dp.materialized_view(comment="per kind")
    def totals():
        return spark.sql("SELECT kind, sum(amount) AS amount FROM clean GROUP BY kind")

    @dp.temporary_view
    def doubled():
        raw = spark.readStream.option("skipChangeCommits", "true").table("raw")
        return raw.withColumn("twice", F.col("amount") * 2)

    @dp.table(name="clean", comment="it's clean", table_properties={"quality": "silver"})
    @dp.expect_all_or_drop({"amount positive": "amount > 0", "has kind": "kind IS NOT NULL"})
    @dp.expect("small", "amount < 5")
    def clean():
        return spark.readStream.table("doubled")

    @dp.table
    def clean__expectations():
        raw = spark.readStream.table(spark.conf.get("source_schema") + ".raw")
        return raw.where("NOT coalesce(amount > 0 AND kind IS NOT NULL, false)")
"""


def test_rows_are_counted_split_and_taken_once(pipeline: Pipeline) -> None:
    pipeline.write(
        "raw",
        "SELECT * FROM VALUES (1,'a'), (9,'a'), (-1,'b'), (NULL,'b'), (2,NULL) AS t(amount, kind)",
    )
    first = pipeline.update(CLEANING)
    assert first.error is None
    assert pipeline.rows("clean") == [(1, "a", 2), (9, "a", 18)]
    assert pipeline.rows("clean__expectations", "amount") == [(-1,), (2,), (None,)]
    assert pipeline.rows("totals") == [("a", 10)]
    counts = {
        c.name: (c.passed_records, c.failed_records) for c in first.flows["clean"].expectations
    }
    # NULL amounts break both rules on amount: 3 of 5 rows are > 0, and 3 of 5 are < 5.
    assert counts == {"amount positive": (3, 2), "has kind": (4, 1), "small": (3, 2)}
    assert (first.flows["clean"].output_rows, first.flows["clean"].dropped_rows) == (2, 3)
    ended = [e for e in pipeline.events.of("flow_progress") if e["status"] == "COMPLETED"]
    quality = next(e["data_quality"] for e in ended if e["data_quality"]["expectations"])
    assert quality["dropped_records"] == 3
    assert quality["expectations"][0].keys() == {
        "name",
        "dataset",
        "passed_records",
        "failed_records",
    }
    states = [e["state"] for e in pipeline.events.of("update_progress")]
    assert states == ["INITIALIZING", "RUNNING", "COMPLETED"]
    detail = pipeline.spark.sql(f"DESCRIBE DETAIL {pipeline.schema}.clean").collect()[0]
    assert detail["description"] == "it's clean"
    assert detail["properties"]["quality"] == "silver"

    pipeline.write("raw", "SELECT 4 AS amount, 'c' AS kind, 'x' AS added")
    second = pipeline.update(CLEANING)
    assert second.flows["clean"].output_rows == 1
    assert pipeline.rows("clean", "amount", "added") == [(1, None), (4, "x"), (9, None)]
    assert pipeline.rows("totals") == [("a", 10), ("c", 4)]

    third = pipeline.update(CLEANING)
    assert third.flows["clean"].status == third.flows["clean__expectations"].status == "IDLE"
    assert pipeline.table("clean").count() == 3

    full = pipeline.update(CLEANING, full_refresh=True)
    assert full.flows["clean"].output_rows == 3
    assert pipeline.table("clean").count() == 3


FAILING = """
    @dp.table
    @dp.expect_or_fail("amount known", "amount IS NOT NULL")
    def strict():
        return spark.readStream.table("raw")

    @dp.table
    def after():
        return spark.readStream.table("strict")

    @dp.table
    def apart():
        return spark.readStream.table("raw")
"""


def test_a_failed_flow_writes_nothing_and_stops_only_its_dependents(pipeline: Pipeline) -> None:
    pipeline.write("raw", "SELECT * FROM VALUES (1), (NULL), (NULL) AS t(amount)")
    result = pipeline.update(FAILING)
    assert result.state == "FAILED"
    statuses = {name: flow.status for name, flow in result.flows.items()}
    assert statuses == {"strict": "FAILED", "after": "SKIPPED", "apart": "COMPLETED"}
    error = result.flows["strict"].error or ""
    assert "'strict'" in error and "'amount known'" in error and "2 of 3 rows" in error
    assert pipeline.table("strict").count() == 0
    assert pipeline.table("apart").count() == 3
    failed = [e for e in pipeline.events.all if e["level"] == "ERROR"]
    assert "amount known" in failed[0]["error"]["exceptions"][0]["message"]

    lenient = pipeline.update(FAILING.replace("expect_or_fail", "expect_or_drop"))
    assert lenient.error is None
    assert pipeline.rows("after") == [(1,)]
    assert pipeline.table("apart").count() == 3


COPY = """
    @dp.table
    def copy():
        return spark.readStream.table("raw")
"""


@pytest.mark.parametrize("moment", ["before the write", "after the write"])
def test_a_kill_neither_loses_nor_repeats_rows(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    from emulator.compute.pipelines import writers
    from emulator.compute.pipelines.checkpoint import Checkpoint

    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    pipeline.write("raw", "SELECT id FROM range(3)")
    assert pipeline.update(COPY).error is None
    pipeline.write("raw", "SELECT id FROM range(3, 5)")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        if moment == "before the write":
            patch.setattr(writers, "append", die)
        else:
            patch.setattr(Checkpoint, "commit", die)
        pipeline.update(COPY)
    assert pipeline.table("copy").count() == (3 if moment == "before the write" else 5)
    pipeline.write("raw", "SELECT id FROM range(5, 9)")
    assert pipeline.update(COPY).error is None
    assert pipeline.rows("copy") == [(number,) for number in range(9)]


def test_tables_of_others_and_wrong_pipelines_are_refused(pipeline: Pipeline) -> None:
    pipeline.write("raw", "SELECT 1 AS id")
    pipeline.write("copy", "SELECT 1 AS id")
    taken = pipeline.update(COPY)
    assert "already exists and is managed outside of pipelines" in (taken.error or "")
    circle = pipeline.update("""
        @dp.table
        def one():
            return spark.readStream.table("two")
        @dp.table
        def two():
            return spark.readStream.table("one")
        @dp.table
        def counted():
            return spark.readStream.table("raw").groupBy("id").count()
        @dp.table
        def still():
            return spark.read.table("raw")
        @dp.table
        def absent():
            return spark.readStream.table("nowhere")
    """)
    errors = {name: flow.error or "" for name, flow in circle.flows.items()}
    # Which of the two finds the circle depends on whose thread asks last.
    found, other = sorted(("one", "two"), key=lambda name: "in a circle" not in errors[name])
    assert "in a circle" in errors[found]
    assert "could not be updated" in errors[other]
    assert "needs state between batches" in errors["counted"]
    assert "reads no stream" in errors["still"]
    assert "nowhere does not exist" in errors["absent"]
    assert "/Workspace/silver.py:6" in (pipeline.update("\n1/0").error or "")
