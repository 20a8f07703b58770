"""Bronze on Delta tables: what comes in, what is left alone, what is hidden, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from health_monitor.bronze.engine import Ingestor
from health_monitor.bronze.fitting import SourceError
from health_monitor.bronze.lengths import LONGEST_BYTES
from health_monitor.bronze.shape import bronze_shape
from health_monitor.spec import Definitions
from health_monitor.tables import ensure_tables

from tests.tables.bronze_lake import CATALOG, KINDS, NOW, TYPES, Lake, open_lake, row, sha256
from tests.tables.conftest import frame

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def lake(spark_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """One for all tests here, each with tables of its own: making tables takes longest."""
    tables = {**KINDS, **{f"odd_{name}": how for name, how in KINDS.items()}}
    tables |= dict.fromkeys(("shared", "grown", "taken"), KINDS["facts"])
    with open_lake(spark_server, tmp_path_factory.mktemp("bronze"), tables) as opened:
        yield opened


def test_rule_02_rows_come_once_however_late_and_however_odd_their_times(lake: Lake) -> None:
    first = [row("a", "2026-10-01T00:00:00"), row("b", "2026-11-20T00:00:00")]
    lake.add("facts", *first, first[1])
    assert lake.ingest("facts")["facts"].new_rows == 2
    version = lake.version("facts")
    assert lake.ingest("facts")["facts"].new_rows == 0
    assert lake.version("facts") == version

    # The source is written anew: nothing is new, though its version is.
    lake.sql(
        f"CREATE OR REPLACE TABLE {CATALOG}.events.facts AS "
        f"SELECT * FROM {CATALOG}.events.facts VERSION AS OF 0"
    )
    assert lake.ingest("facts")["facts"].new_rows == 0
    assert lake.version("facts") == version

    # Weeks later: all that was missed, without what is there; a copy with a later arrival;
    # times that cannot be neither hide their rows nor those that come after them.
    late = [row(f"late {day}", f"2026-12-{day:02}T00:00:00") for day in range(1, 29)]
    copy = {**row("b", "2026-12-20T00:00:00"), "day": "2026-11-20"}
    odd = [row("old", "1970-01-01T00:00:00"), row("far", "2262-01-01T00:00:00"), row(None, None)]
    lake.add("facts", *late, copy, *odd)
    look = lake.ingest("facts", now=NOW + timedelta(days=40))["facts"]
    assert (look.new_rows, look.status) == (31, "assessed")
    assert look.detail == "caught up: it was 41 days behind"
    lake.add("facts", *odd, row("next", "2026-12-29T00:00:00"))
    assert lake.ingest("facts", now=NOW + timedelta(days=41))["facts"].new_rows == 1
    ids = lake.rows("facts", "row_key")
    assert len(ids) == len(set(ids)) == 2 + 31 + 1
    assert {"a", "b", "old", "far", "next"} <= set(ids)


def test_rule_27_states_follow_their_source_and_the_newest_counts(lake: Lake) -> None:
    lake.add(
        "states",
        row("a", "2026-11-20T02:00:00", "2.00"),
        row("a", "2026-11-20T01:00:00", "1.00"),
        row("b", "2026-11-20T01:00:00", "5.00"),
    )
    assert lake.ingest("states")["states"].new_rows == 2
    lake.sql(
        f"UPDATE {CATALOG}.events.states SET amount = 9, at = TIMESTAMP'2026-11-21' WHERE id = 'b'"
    )
    lake.add("states", row("c", "2026-11-21T01:00:00"))
    assert lake.ingest("states", now=NOW + timedelta(hours=1))["states"].new_rows == 2
    assert [(i, str(a)) for i, a in lake.rows("states", "id", "amount")] == [
        ("a", "2.00"),
        ("b", "9.00"),
        ("c", "1.00"),
    ]
    stamps = dict(lake.rows("states", "id", "ingested_at"))
    assert stamps["a"] < stamps["b"] == stamps["c"]


def test_a_picture_is_taken_each_day_and_replaced_within_it(lake: Lake) -> None:
    lake.add("pictures", row("a", None), row("b", None))
    lake.ingest("pictures")
    lake.sql(f"DELETE FROM {CATALOG}.events.pictures WHERE id = 'b'")
    lake.add("pictures", row("c", None))
    lake.ingest("pictures")
    assert lake.rows("pictures", "id") == ["a", "c"]
    version = lake.version("pictures")
    lake.ingest("pictures")
    assert lake.version("pictures") == version
    look = lake.ingest("pictures", now=NOW + timedelta(days=1))["pictures"]
    assert (look.new_rows, look.row_count) == (2, 4)
    found = [(str(day), id_) for day, id_ in lake.rows("pictures", "snapshot_date", "id")]
    assert found == [(f"2026-11-{d}", i) for d in (21, 22) for i in ("a", "c")]


def test_rule_28_a_source_with_deletion_vectors_and_without_a_feed(lake: Lake) -> None:
    lake.add("shared", *(row(name, "2026-11-20T00:00:00") for name in ("kept", "wrong", "also")))
    source = f"{CATALOG}.events.shared"
    lake.sql(
        f"ALTER TABLE {source} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true', "
        "'delta.enableChangeDataFeed' = 'false')"
    )
    lake.sql(f"DELETE FROM {source} WHERE id = 'wrong'")
    detail = lake.sql(f"DESCRIBE DETAIL {source}").collect()[0]
    assert "deletionVectors" in detail["tableFeatures"]
    assert lake.ingest("shared")["shared"].new_rows == 2
    assert lake.rows("shared", "id") == ["also", "kept"]
    feed = f"SELECT id FROM table_changes('{CATALOG}.bronze.bronze_shared', 1)"
    assert sorted(r[0] for r in lake.sql(feed).collect()) == ["also", "kept"]


def test_rule_32_a_new_column_is_kept_from_its_first_day(lake: Lake) -> None:
    lake.add("grown", row("before", "2026-11-20T00:00:00"))
    lake.ingest("grown")
    types = {**TYPES, "channel": "string"}
    lake.add("grown", row("after", "2026-11-20T01:00:00", channel="web"), types=types)
    assert lake.ingest("grown", now=NOW + timedelta(hours=1))["grown"].new_rows == 1
    assert lake.rows("grown", "id", "channel") == [("after", "web"), ("before", None)]


def test_a_source_column_named_like_one_of_bronzes_own_is_refused_by_name(lake: Lake) -> None:
    types = {**TYPES, "Row_Key": "string", "longest_text_bytes": "int"}
    lake.add("taken", row("a", "2026-11-20T00:00:00", longest_text_bytes=7), types=types)
    message = "events.taken has a column Row_Key, .* protect: {drop: \\[Row_Key\\]}"
    with pytest.raises(SourceError, match=message):
        lake.ingest("taken")
    assert lake.rows("taken", "id") == []
    lake.sql(
        f"CREATE OR REPLACE TABLE {CATALOG}.events.taken AS "
        f"SELECT * EXCEPT (Row_Key) FROM {CATALOG}.events.taken VERSION AS OF 0"
    )
    lake.ingest("taken", now=NOW + timedelta(hours=1))
    assert lake.rows("taken", "id", "longest_text_bytes") == [("a", 7)]

    # The way out that the message names.
    types |= {"rescued_data": "string"}
    lake.add("taken", row("b", "2026-11-20T01:00:00", rescued_data="theirs"), types=types)
    definition = lake.definitions["taken"]
    protect = definition.protect.model_copy(update={"drop": ["Row_Key", "rescued_data"]})
    left_out = definition.model_copy(update={"protect": protect})
    Ingestor(lake.spark, CATALOG, CATALOG, NOW + timedelta(hours=2)).ingest_all([left_out])
    found = lake.rows("taken", "id", "row_key", "rescued_data")
    assert found == [("a", "a", None), ("b", "b", None)]


ODD = ("odd_facts", "odd_states", "odd_pictures")
VALUES = "TIMESTAMP'2026-11-20' AS at, DATE'2026-11-20' AS day, 1.005 AS amount"
MORE = "NAMED_STRUCT('a', 1, 'b', 'x') AS more"


def test_what_does_not_fit_is_set_aside_or_refused_by_name(lake: Lake) -> None:
    lake.add("odd_pictures", row("fine", None))
    lake.add("odd_states", row("fine", "2026-11-20T00:00:00"))
    texts = {**TYPES, "amount": "string", "more": "struct<a:string,b:string,c:string>"}
    lake.add(
        "odd_facts",
        row("fits", "2026-11-20T00:00:00", more={"a": "7", "b": "x", "c": "new"}),
        row("word", "2026-11-20T00:00:00", "many"),
        row("digits", "2026-11-20T00:00:00", more={"a": "seven"}),
        types=texts,
    )
    lake.ingest(*ODD)
    found = {i: (a, r) for i, a, r in lake.rows("odd_facts", "id", "amount", "rescued_data")}
    assert found["fits"][1] is None
    assert found["word"] == (None, '{"amount":"many"}')
    assert found["digits"][1] == '{"more.a":"seven"}'
    table = lake.spark.table(f"{CATALOG}.bronze.bronze_odd_facts")
    assert table.where("more.c = 'new'").count() == 1

    # A value with more digits than bronze keeps is set aside; a struct that became text and a
    # column with another name stop their table, by name, and nothing of it is written.
    lake.replace("odd_facts", f"'fine digits' AS id, {VALUES}, {MORE}")
    lake.replace("odd_states", f"'x' AS id, {VALUES}, 'x' AS more")
    lake.replace("odd_pictures", f"'x' AS identifier, {VALUES}, {MORE}")
    versions = {name: lake.version(name) for name in ODD[1:]}
    with pytest.raises(SourceError) as caught:
        lake.ingest(*ODD, now=NOW + timedelta(hours=1))
    assert "events.odd_states: column more is string, and should be struct<a:int" in str(
        caught.value
    )
    assert "events.odd_pictures has no column id; it has: amount, at," in str(caught.value)
    assert versions == {name: lake.version(name) for name in versions}
    assert ("fine digits", '{"amount":"1.005"}') in lake.rows("odd_facts", "id", "rescued_data")
    assert lake.statuses(NOW + timedelta(hours=1)) == {
        "events.odd_facts": "assessed",
        "events.odd_states": "not_assessed",
        "events.odd_pictures": "not_assessed",
    }


def test_a_file_that_cannot_be_read_stops_its_table_only(lake: Lake) -> None:
    lake.replace("odd_states", f"'mended' AS id, {VALUES}, {MORE}")
    lake.replace("odd_facts", f"'lost' AS id, {VALUES}, {MORE}")
    (file,) = lake.spark.table(f"{CATALOG}.events.odd_facts").inputFiles()
    path = Path(urlsplit(file).path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    path.with_name(f".{path.name}.crc").unlink(missing_ok=True)
    message = r"events\.odd_facts could not be read into bronze\.bronze_odd_facts"
    with pytest.raises(SourceError, match=message):
        lake.ingest(*ODD[:2], now=NOW + timedelta(hours=2))
    assert "lost" not in lake.rows("odd_facts", "id")
    assert "mended" in lake.rows("odd_states", "id")


ADDRESSES = {
    "10.1.2.3": "private",
    "172.31.0.9": "private",
    "172.32.0.9": "public",
    "192.168.1.1": "private",
    "fd12:3456::1": "private",
    "8.8.8.8": "public",
    "8.8.8.8:443": "public",
    "2001:db8::1": "public",
    "127.0.0.1": "loopback",
    "::1": "loopback",
    "unknown": "unknown",
    "": "unknown",
    None: None,
}
SECRET = "SELECT name FROM people WHERE phone = '555-1234' AND age > 42"


def test_what_is_sensitive_does_not_reach_bronze(lake: Lake, definitions: Definitions) -> None:
    names = ("audit", "query_history", "inbound_network", "job_run_timeline")
    chosen = {name: definitions.bronze[name] for name in names}
    for definition in chosen.values():
        types = {c.name: c.type for c in definition.columns.values()}
        types |= dict.fromkeys(definition.protect.drop, "string")
        rows = frame(lake.spark, list(_sensitive(definition.name)), types)
        rows.write.format("delta").saveAsTable(f"{CATALOG}.{definition.source}")
    ensure_tables(lake.spark, [bronze_shape(d) for d in chosen.values()], CATALOG)
    Ingestor(lake.spark, CATALOG, CATALOG, NOW).ingest_all(chosen.values())
    tables = {name: lake.spark.table(f"{CATALOG}.bronze.bronze_{name}") for name in names}
    kept = "\n".join(row[0] for table in tables.values() for row in table.toJSON().collect())
    for hidden in ("555-1234", "people", "hunter2", "8.8.8.8", "192.168", "select name"):
        assert hidden not in kept
    audit = tables["audit"].select("source_ip_address", "source_ip_class").collect()
    expected = {(k if k is None else sha256(k), v) for k, v in ADDRESSES.items()}
    assert {tuple(row) for row in audit} == expected
    params = tables["audit"].where("event_id = 'event 0'").select("request_params").collect()[0][0]
    assert params == {"commandText": "[REDACTED]", "newTOKENvalue": "[REDACTED]", "path": "/a"}
    rescued = [t.where("rescued_data IS NOT NULL").collect() for t in tables.values()]
    (long,) = [row for rows in rescued for row in rows]
    assert long["event_id"] == "long" and "commandText -> [REDACTED]" in long["rescued_data"]
    queries = tables["query_history"].select(
        "statement_id", "statement_text_hash", "query_fingerprint", "error_message"
    )
    found = {r[0]: tuple(r)[1:] for r in queries.collect()}
    assert found["one"][0] == sha256(SECRET)
    assert (
        found["one"][1]
        == found["two"][1]
        == sha256("select name from people where phone = ? and age > ?")
    )
    assert found["one"][2] == "[CAST_INVALID_INPUT] The value ? is malformed. "
    assert found["none"] == (None, None, None)


def _sensitive(name: str) -> Iterator[dict[str, Any]]:
    """Rows full of what must not be kept."""
    at = "2026-11-20T00:00:00"
    if name == "audit":
        params = {"commandText": SECRET, "newTOKENvalue": "hunter2", "path": "/a"}
        message = f"[PARSE] '{SECRET}' == SQL (line 1) == {SECRET}"
        for number, address in enumerate(ADDRESSES):
            yield {
                "event_id": f"event {number}",
                "event_time": at,
                "source_ip_address": address,
                "request_params": params,
                "response": {"status_code": 400, "error_message": message},
            }
        long = {**params, "path": "a" * LONGEST_BYTES}
        yield {"event_id": "long", "event_time": at, "request_params": long}
    elif name == "query_history":
        ids = {"workspace_id": "1", "update_time": at, "start_time": at}
        error = "[CAST_INVALID_INPUT] The value '555-1234' is malformed. == SQL (line 1) ==\n"
        other = "select  name\n from people where phone = 'x' and age > 7.5"
        yield {
            **ids,
            "statement_id": "one",
            "statement_text": SECRET,
            "error_message": error + SECRET * (LONGEST_BYTES // len(SECRET) + 1),
        }
        yield {**ids, "statement_id": "two", "statement_text": other, "query_parameters": SECRET}
        yield {**ids, "statement_id": "none"}
    elif name == "inbound_network":
        yield {"event_id": "1", "event_time": at, "source": {"ip": "8.8.8.8"}}
    else:
        run = {"workspace_id": "1", "run_id": "1", "period_start_time": at}
        yield {**run, "job_parameters": "hunter2"}
