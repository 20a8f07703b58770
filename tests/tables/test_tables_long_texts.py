"""Texts of megabytes: neither bronze nor silver carries them, and no other row is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from health_monitor.bronze.lengths import LONGEST_BYTES
from health_monitor.silver.rows import FITS
from health_monitor.spec import load_definitions

from tests.tables.bronze_lake import CATALOG, COMMENT, KINDS, NOW, Lake, open_lake, sha256
from tests.tables.silver_update import update_silver

pytestmark = pytest.mark.spark
HUGE = 10 * 2**20
LONG_TEXTS = f"""
SELECT IF(long = 'id', CONCAT(REPEAT('x', {HUGE}), name), name) AS id,
  TIMESTAMP'2026-11-20' AS at, DATE'2026-11-20' AS day,
  IF(long = 'amount', REPEAT('x', {HUGE}), '1') AS amount, NAMED_STRUCT('a', 1, 'b', 'x') AS more,
  IF(long = 'note', REPEAT('\u00fc', {LONGEST_BYTES} DIV 2 + over), 'x') AS note,
  MAP('a', 'x', 'b', IF(long = 'labels', REPEAT('x', {HUGE}), 'x')) AS labels,
  IF(long = 'channel', REPEAT('x', {HUGE}), 'x') AS channel
FROM VALUES ('fine', '', 0), ('limit', 'note', 0), ('over', 'note', 1), ('map', 'labels', 0),
  ('new', 'channel', 0), ('number', 'amount', 0), ('1', 'id', 0), ('2', 'id', 0)
  AS given(name, long, over)
"""
SILVER = f"""{COMMENT}
reads: bronze_NAME
key: [id]
keeps: KEEPS
expectations:
  drop: {{has_a_time: at IS NOT NULL}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("long_texts")


@pytest.fixture(scope="module")
def lake(spark_server: Any, folder: Path) -> Iterator[Lake]:
    tables = {"long_facts": KINDS["facts"], "long_states": KINDS["states"]}
    with open_lake(spark_server, folder, tables) as opened:
        yield opened


@pytest.mark.parametrize("name", ["long_facts", "long_states"])
def test_a_text_of_megabytes_is_set_aside_and_not_carried(lake: Lake, name: str) -> None:
    source = f"{CATALOG}.events.{name}"
    lake.sql(f"CREATE TABLE {source} AS {LONG_TEXTS}")
    assert lake.ingest(name)[name].new_rows == 8
    table = lake.spark.table(f"{CATALOG}.bronze.bronze_{name}")
    rows = {row["row_key"]: row.asDict() for row in table.collect()}
    assert len(rows) == 8
    found = {key: json.loads(row["rescued_data"] or "{}") for key, row in rows.items()}
    assert rows["limit"]["note"] == "\u00fc" * (LONGEST_BYTES // 2)
    assert found["fine"] == found["limit"] == {}
    for key, column in {"map": "labels", "new": "channel", "number": "amount"}.items():
        assert found[key].keys() == {column} and rows[key][column] is None
    text = "\u00fc" * (LONGEST_BYTES // 2 + 1)
    account = f"{LONGEST_BYTES + 2} bytes, SHA-256 {sha256(text)}: {text[:100]}"
    assert found["over"] == {"note": account}
    assert found["map"]["labels"].endswith(": {a -> x, b -> " + "x" * 86)
    assert sorted(f["id"] for f in found.values() if "id" in f) == sorted(
        f"{HUGE + 1} bytes, SHA-256 {sha256('x' * HUGE + last)}: {'x' * 100}" for last in "12"
    )

    set_aside = table.where(f"NOT ({FITS['fits_its_columns']})").toJSON().collect()
    assert len(set_aside) == 6 and max(len(row[0]) for row in set_aside) < 1000
    version = lake.version(name)
    lake.sql(f"CREATE OR REPLACE TABLE {source} AS {LONG_TEXTS}")
    assert lake.ingest(name, now=NOW + timedelta(hours=1))[name].new_rows == 0
    assert lake.version(name) == version


def test_silver_sets_aside_rows_with_texts_of_megabytes(lake: Lake, folder: Path) -> None:
    definitions = folder / "definitions"
    (definitions / "silver" / "test").mkdir(parents=True)
    for name, keeps in (("long_facts", "rows"), ("long_states", "latest\nsequence_by: at")):
        lake.sql(f"CREATE OR REPLACE TABLE {CATALOG}.events.{name} AS {LONG_TEXTS}")
        body = SILVER.replace("NAME", name).replace("KEEPS", keeps)
        (definitions / "silver" / "test" / f"{name}.yml").write_text(body)
    lake.ingest()
    update_silver(lake.spark, definitions, folder / "state")
    for name in load_definitions(definitions).silver:
        silver = lake.spark.table(f"{CATALOG}.silver.silver_{name}")
        assert sorted(row["id"] for row in silver.collect()) == ["fine", "limit"]
        quarantine = lake.spark.table(f"{CATALOG}.silver.silver_{name}__expectations")
        rows = [json.dumps(row.asDict(), default=str) for row in quarantine.collect()]
        assert len(rows) == 6 and max(map(len, rows)) < 3000
        assert all("fits_its_columns" in row for row in rows)
