"""How gold runs: in which order, with which parameters, and what a failure stops."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from health_monitor.gold.order import run_in_order
from health_monitor.gold.query import FIRST_DAY, LAST_DAY, parameters, query_of, with_relation
from health_monitor.spec import Gold, load_definitions

TYPES = {"date": "date", "text": "string"}


def gold(name: str, sql: str, rows: list[dict[str, object]] | None = None) -> Gold:
    columns = {n: {"type": t, "comment": "A column. Technical: none."} for n, t in TYPES.items()}
    return Gold.model_validate(
        {
            "kind": "gold",
            "domain": "cost",
            "name": name,
            "path": f"gold/cost/{name}.yml",
            "comment": "A table. Technical: none.",
            "grain": "row",
            "key": ["date"],
            "columns": columns,
            "sql": sql,
            "rows": rows or [],
        }
    )


def test_a_failure_stops_its_readers_and_nobody_else() -> None:
    definitions = [
        gold("reader_of_reader", "SELECT * FROM gold.reader"),
        gold("reader", "SELECT * FROM gold.broken"),
        gold("broken", "SELECT * FROM silver.silver_usage"),
        gold("other", "SELECT * FROM silver.silver_usage"),
        gold("reader_of_other", "SELECT * FROM gold.other"),
    ]
    ran: list[str] = []

    def run(definition: Gold) -> None:
        ran.append(definition.name)
        if definition.name == "broken":
            raise ValueError("no such column")

    with ThreadPoolExecutor(2) as pool:
        failed = run_in_order(definitions, run, pool)
    assert sorted(ran) == ["broken", "other", "reader_of_other"]
    assert failed == {
        "gold.broken": "ValueError: no such column",
        "gold.reader": "not computed, because of gold.broken",
        "gold.reader_of_reader": "not computed, because of gold.reader",
    }


def test_each_runs_after_what_it_reads() -> None:
    definitions = [
        gold("c", "SELECT * FROM gold.a JOIN gold.b"),
        gold("b", "SELECT * FROM gold.a"),
        gold("a", "SELECT * FROM silver.silver_usage JOIN gold.elsewhere"),
    ]
    ran: list[str] = []
    with ThreadPoolExecutor(3) as pool:
        assert run_in_order(definitions, lambda d: ran.append(d.name), pool) == {}
    assert ran == ["a", "b", "c"]


def test_days_enclose_what_is_computed_again() -> None:
    query = "SELECT * FROM t WHERE day BETWEEN :first_day AND :last_day AND c = :currency"
    days = [date(2026, 1, 9), date(2026, 1, 3)]
    assert parameters(query, "EUR", days) == {
        "currency": "EUR",
        "first_day": date(2026, 1, 3),
        "last_day": date(2026, 1, 9),
    }
    everything = parameters(query, "USD", None)
    assert (everything["first_day"], everything["last_day"]) == (FIRST_DAY, LAST_DAY)
    assert parameters("SELECT 1", "USD", days) == {}


def test_a_relation_is_replaced_and_text_is_not() -> None:
    sql = "SELECT 'changes' AS x FROM changes AS c -- changes\nJOIN t ON c.changes_made = t.x"
    expected = "SELECT 'changes' AS x FROM v AS c -- changes\nJOIN t ON c.changes_made = t.x"
    assert with_relation(sql, "changes", "v") == expected


def test_listed_rows_stand_in_the_query_with_their_types() -> None:
    rows: list[dict[str, object]] = [{"date": date(2026, 1, 1), "text": "it's"}]
    query = query_of(gold("listed_ones", "SELECT date, text FROM listed", rows))
    assert query.startswith("SELECT date, text FROM (SELECT INLINE(FROM_JSON('[{")
    assert '"date": "2026-01-01", "text": "it\\\'s"' in query
    assert query.endswith("'array<struct<date: date, text: string>>')))")


def test_a_feed_has_one_way_to_say_what_it_touches(tmp_path: Path) -> None:
    folder = tmp_path / "gold" / "cost"
    folder.mkdir(parents=True)
    (folder / "t.sql").write_text("SELECT date FROM gold.u")
    (folder / "t.yml").write_text(
        "comment: 'A table. Technical: none.'\ngrain: row\nkey: [date]\n"
        "refresh:\n  by: date\n  feeds:\n    - table: gold.u\n      touches: SELECT 1\n"
        "      versions: {key: {date: date}, at: date}\n"
        "columns:\n  date: {type: date, comment: 'A day. Technical: UTC.'}\n"
    )
    with pytest.raises(Exception, match="either 'touches' or 'versions'"):
        load_definitions(tmp_path)
