"""What the size of all tables decides; Spark gives the same rows either way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.compute.sizing import COMPILED_FROM, CUT_FROM, adapt, settings_for

FACTORY = "spark.sql.codegen.factoryMode"


def test_the_parquet_of_all_tables_decides(tmp_path: Path) -> None:
    assert settings_for(tmp_path / "nothing")[FACTORY] == "NO_CODEGEN"
    for table in ("a.db/x", "b.db/y"):
        (tmp_path / table / "day=1").mkdir(parents=True)
        (tmp_path / table / "day=1" / "part.parquet").write_bytes(b"0" * (COMPILED_FROM // 2 - 1))
    (tmp_path / "a.db" / "x" / "log.json").write_bytes(b"0" * 100)
    assert settings_for(tmp_path)[FACTORY] == "NO_CODEGEN"
    (tmp_path / "b.db" / "small.parquet").write_bytes(b"00")
    assert settings_for(tmp_path)[FACTORY] == "FALLBACK"


def test_a_task_that_ran_before_is_interpreted_on_larger_tables_too(tmp_path: Path) -> None:
    file = tmp_path / "part.parquet"
    for size, factory in ((COMPILED_FROM, "NO_CODEGEN"), (CUT_FROM, "FALLBACK")):
        with file.open("wb") as sparse:
            sparse.truncate(size)
        assert settings_for(tmp_path, repeats=True)[FACTORY] == factory


def test_only_large_tables_are_cut_in_two(tmp_path: Path) -> None:
    parts = ("spark.sql.shuffle.partitions", "spark.sql.files.minPartitionNum")
    file = tmp_path / "part.parquet"
    for size, expected in ((CUT_FROM - 1, "1"), (CUT_FROM, "2")):
        with file.open("wb") as sparse:
            sparse.truncate(size)
        assert [settings_for(tmp_path)[part] for part in parts] == [expected, expected]


@pytest.mark.spark
def test_a_session_is_changed_while_it_lives(spark: Any, tmp_path: Path) -> None:
    query = (
        "SELECT id % 3 AS k, SUM(CAST(id AS DECIMAL(38, 18)) / 7) AS s FROM range(100) GROUP BY 1"
    )
    answers = []
    for size in (0, COMPILED_FROM):
        (tmp_path / "part.parquet").write_bytes(b"0" * size)
        adapt(spark, tmp_path)
        plan = spark.sql(f"EXPLAIN CODEGEN {query}").collect()[0][0]
        assert ("Found 0 WholeStageCodegen" in plan) == (size == 0)
        answers.append(sorted(map(tuple, spark.sql(query).collect())))
    assert answers[0] == answers[1] and len(answers[0]) == 3
