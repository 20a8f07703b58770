"""Tasks that use Spark: one session however asked for, wheels in its workers, and its death."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import threading
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from pyspark.errors import AnalysisException

from emulator.compute.pipeline_updates import PipelineRunner, event_stream
from emulator.compute.spark_server import SparkStartError
from emulator.compute.spec import TaskSpec
from emulator.settings import CATALOG
from emulator.sql.catalog_store import CatalogStore
from emulator.sql.records import Schema
from emulator.sql.session import create_missing_schemas
from emulator.workspace.compute import WorkspaceCompute
from tests.emulator.compute_tools import VOLUME, Bench

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("spark_tasks"))
    yield bench
    bench.compute.stop()


def test_queries_give_plain_values_and_say_when_there_is_more(bench):
    statement = (
        "SELECT TIMESTAMP'2026-01-02 03:00:00' AS t, map('k', 1) AS m,"
        " named_struct('x', 1.50) AS s, parse_json('{\"a\": 1}') AS v, :text AS text"
        " UNION ALL SELECT NULL, NULL, NULL, NULL, 'b'"
    )
    result = bench.compute.query(statement, {"text": "it's"}, row_limit=1)
    row = result.rows[0]
    assert (row[0].isoformat(), row[1]) == ("2026-01-02T03:00:00+00:00", {"k": 1})
    assert (str(row[2]["x"]), row[3], row[4]) == ("1.50", '{"a":1}', "it's")
    assert [c.type_text for c in result.columns] == [
        "TIMESTAMP",
        "MAP<STRING, INT>",
        "STRUCT<x: DECIMAL(3,2)>",
        "VARIANT",
        "STRING",
    ]
    assert (len(result.rows), result.truncated) == (1, True)
    assert bench.compute.query(statement, {"text": ""}).rows[1] == [None] * 4 + ["b"]
    bench.compute.query("CREATE SCHEMA other")
    assert bench.compute.query("CREATE TABLE t AS SELECT 1 AS a", schema="other").rows == []
    assert bench.compute.query("SELECT a FROM other.t").rows == [[1]]
    mode = stat.S_IMODE(bench.settings.compute_file.stat().st_mode)
    assert mode == 0o600


def test_a_notebook_and_a_wheel_share_spark_as_on_databricks(bench):
    wheel = bench.wheel({"product/__init__.py": "def triple(n):\n    return 3 * n"})
    result, log = bench.run_notebook(
        f"# MAGIC %pip install {wheel}",
        "dbutils.widgets.text('n', '2')",
        "# MAGIC %sql\n# MAGIC SELECT :n AS n, 7 AS seven",
        "from pyspark.sql import SparkSession, functions as F\n"
        "from pyspark.dbutils import DBUtils\n"
        "assert SparkSession.builder.getOrCreate() is spark is SparkSession.getActiveSession()\n"
        "assert DBUtils(spark).widgets.get('n') == '5'\n"
        "import product\n"
        "frame = spark.range(1, 3).select(F.udf(product.triple, 'long')('id').alias('x'))\n"
        f"frame.write.mode('overwrite').json('{VOLUME}/out')\n"
        f"rows = spark.read.json('{VOLUME}/out').orderBy('x').collect()\n"
        "dbutils.notebook.exit([row.x for row in rows] + [_sqldf.first().n])",
        n="5",
    )
    assert result.error_trace is None
    assert result.value == "[3, 6, '5']"
    assert "|5|    7|" in log.replace("|5  |7    |", "|5|    7|")
    result, _ = bench.run_notebook("def load():\n    spark.table('nope').collect()\nload()")
    assert "TABLE_OR_VIEW_NOT_FOUND" in str(result.error)
    trace = str(result.error_trace)
    assert "line 4, in <module>" in trace and "line 3, in load" in trace
    assert "JVM stacktrace" not in trace and "org.apache" not in trace and "grpc" not in trace


def test_a_pipeline_update_writes_its_tables_and_event_log(bench):
    bench.compute.query("CREATE SCHEMA IF NOT EXISTS silver")
    wheel = bench.wheel({"rules.py": "SOUND = 'id > 0'"}, name="rules")
    bench.notebook(
        "from pyspark import pipelines as dp\nimport rules",
        "@dp.expect_or_drop('positive', rules.SOUND)\n@dp.materialized_view\n"
        "def numbers():\n    return spark.range(int(spark.conf.get('count')))",
        path="/Shared/pipeline",
    )
    spec = {
        "name": "silver",
        "schema": "silver",
        "libraries": [{"notebook": {"path": "/Shared/pipeline"}}],
        "configuration": {"count": "4"},
        "environment": {"dependencies": [wheel]},
    }
    document = {"pipeline_id": "p", "name": "silver", "spec": spec}
    bench.store.put("pipeline", "p", document)
    runner = PipelineRunner(bench.compute, bench.store)
    update_id = runner.start_update("p")
    assert runner.wait("p", update_id, 300)
    state = runner.get_update("p", update_id)["state"]
    assert (state, runner.failure("p", update_id)) == ("COMPLETED", "")
    assert bench.compute.query("SELECT count(*) FROM silver.numbers").rows == [[3]]
    flows = [
        event["details"]["flow_progress"]
        for event in bench.store.events(event_stream("p"))
        if event["event_type"] == "flow_progress"
    ]
    (counted,) = flows[-1]["data_quality"]["expectations"]
    assert (counted["passed_records"], counted["failed_records"]) == (3, 1)
    assert "COMPLETED" in runner.log("p", update_id).read_text()


def test_spark_that_dies_fails_its_task_and_the_next_task_gets_a_new_one(bench):
    java = bench.compute.ensure_started().java
    assert java is not None
    bench.compute.query("CREATE TABLE default.survives AS SELECT 1 AS a")
    path = bench.notebook(
        "print(spark.range(1).count(), flush=True)\n"
        "import time\ntime.sleep(1)\n"
        "for _ in range(100):\n    spark.range(1).count()\n    time.sleep(0.2)"
    )
    began = threading.Event()

    def kill() -> None:
        assert began.wait(120)
        os.kill(java.pid, signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()
    spec = TaskSpec("notebook", {"notebook_path": path}, "dying")
    result = bench.compute.run_task(spec, on_output=lambda _: began.set())
    assert (result.status, result.spark_died) == ("FAILED", True)
    assert "Spark ended while the task ran: its process was killed" in str(result.error)
    result, log = bench.run("sql", {"text": "SELECT count(*) AS c FROM default.survives"})
    assert result.error is None and "|1" in log
    new = bench.compute.ensure_started().java
    assert new is not None and new.pid != java.pid
    bench.compute.stop()
    assert not psutil.pid_exists(new.pid)
    with pytest.raises(SparkStartError, match="stopping"):
        bench.compute.query("SELECT 1")


def workspace_compute(bench: Bench) -> WorkspaceCompute:
    """A Compute over the bench's folders that has a schema made by the API."""
    catalog = CatalogStore(bench.settings.catalog_db, bench.settings.volumes)
    catalog.put(Schema(catalog_name=CATALOG, name="bronze"))
    return WorkspaceCompute(
        bench.settings, bench.store, catalog, lambda: "http://127.0.0.1:9", "token", memory="2g"
    )


def test_spark_that_dies_before_it_is_given_to_a_task_fails_the_task(tmp_path, monkeypatch):
    bench = Bench(tmp_path)
    compute = workspace_compute(bench)

    def killed(session: Any, catalog: Any) -> None:
        os.kill(json.loads(bench.settings.compute_file.read_text())["pid"], signal.SIGKILL)
        create_missing_schemas(session, catalog)

    path = bench.notebook("spark.range(1).count()")
    try:
        with monkeypatch.context() as patched:
            patched.setattr("emulator.workspace.compute.create_missing_schemas", killed)
            result = compute.run_task(TaskSpec("notebook", {"notebook_path": path}, "early"))
        assert result.status == "FAILED"
        assert "Spark ended while it was given its schemas: its process was killed" in str(
            result.error
        )
        result = compute.run_task(TaskSpec("notebook", {"notebook_path": path}, "later"))
        assert result.error is None
    finally:
        compute.stop()


def test_a_table_whose_making_was_cut_short_can_be_made_again(tmp_path):
    bench = Bench(tmp_path)
    compute, folder = workspace_compute(bench), bench.settings.warehouse / "bronze.db"
    try:
        compute.query("CREATE TABLE bronze.made (a INT) USING DELTA")
        compute.query("CREATE TABLE bronze.filled AS SELECT 1 AS a")
        compute.query("INSERT INTO bronze.filled VALUES (2)")
        # What a kill leaves between the first commit and the metastore, or before the commit.
        shutil.copytree(folder / "made", folder / "cut_short")
        shutil.copytree(folder / "filled", folder / "lost")
        (folder / "no_commit" / "_delta_log").mkdir(parents=True)
        with pytest.raises(AnalysisException, match="NON_EMPTY_LOCATION"):
            compute.query("CREATE TABLE bronze.cut_short (a INT) USING DELTA")
        java = compute.ensure_started().java
        assert java is not None
        java.kill()
        java.wait()
        compute.query("CREATE TABLE bronze.cut_short (a INT) USING DELTA")
        compute.query("CREATE TABLE bronze.no_commit (a INT) USING DELTA")
        assert compute.query("SELECT COUNT(*) FROM bronze.filled").rows == [[2]]
        assert compute.query("SELECT COUNT(*) FROM bronze.made").rows == [[0]]
        assert len([*(folder / "lost").glob("_delta_log/*.json")]) == 2
    finally:
        compute.stop()
