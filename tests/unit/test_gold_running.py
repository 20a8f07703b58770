"""How gold runs: in which order, with which parameters, and what a failure stops."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from health_monitor import entry_points
from health_monitor.gold.engine import GoldRefresh
from health_monitor.gold.order import of_domain, run_in_order
from health_monitor.gold.query import FIRST_DAY, LAST_DAY, parameters, query_of, with_relation
from health_monitor.operations import reconciliation
from health_monitor.spec import Gold, load_definitions

DEFINITIONS = Path(__file__).parents[2] / "workloads" / "definitions"
TYPES = {"date": "date", "text": "string"}


def gold(
    name: str, sql: str, rows: list[dict[str, object]] | None = None, domain: str = "cost"
) -> Gold:
    columns = {n: {"type": t, "comment": "A column. Technical: none."} for n, t in TYPES.items()}
    return Gold.model_validate(
        {
            "kind": "gold",
            "domain": domain,
            "name": name,
            "path": f"gold/{domain}/{name}.yml",
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


def test_a_domain_is_its_tables_and_what_they_are_computed_from() -> None:
    definitions = {
        d.name: d
        for d in (
            gold("own", "SELECT * FROM gold.near"),
            gold("near", "SELECT * FROM gold.far", domain="access"),
            gold("far", "SELECT * FROM silver.silver_usage", domain="compute"),
            gold("beside", "SELECT * FROM gold.far", domain="compute"),
            gold("reader", "SELECT * FROM gold.own", domain="access"),
        )
    }
    assert of_domain(definitions, "cost").keys() == {"own", "near", "far"}
    assert of_domain(definitions, "compute").keys() == {"far", "beside"}
    assert of_domain(definitions, "no_gold_yet") == {}


def refresh_of(domain: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the entry point does for a domain, without Spark."""
    done: list[str] = []

    def refreshed(_: GoldRefresh, definitions: dict[str, Gold]) -> dict[str, str]:
        done.extend(sorted({d.domain for d in definitions.values()}))
        return {"gold.x": "first time"}

    def compared(*_: object) -> int:
        done.append("compared")
        return 0

    given = ["--catalog", "c", "--definitions", str(DEFINITIONS), "--currency", "USD"]
    monkeypatch.setattr(sys, "argv", ["gold_refresh", *given, "--domain", domain])
    monkeypatch.setattr(entry_points, "session", lambda: None)
    monkeypatch.setattr(GoldRefresh, "refresh_all", refreshed)
    monkeypatch.setattr(reconciliation, "reconcile", lambda *_: done.append("reconciled"))
    monkeypatch.setattr(reconciliation, "days_that_differ", compared)
    entry_points.gold_refresh()
    return done


def test_a_domain_is_reconciled_when_all_that_is_compared_was_brought_up_to_date(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert refresh_of("billing", monkeypatch) == ["billing", "compute", "reconciled", "compared"]
    # It brings fact_usage up to date, but not summary_cost.
    assert refresh_of("compute", monkeypatch) == ["billing", "compute"]
    assert refresh_of("access", monkeypatch) == ["access"]


def test_an_unknown_domain_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    told = r"no domain 'bill'; there are: access, billing, compute, governance, lakeflow, "
    with pytest.raises(SystemExit, match=told):
        refresh_of("bill", monkeypatch)


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
