"""What the rows of a check mean, what is said of them, and what fails a run; no Spark."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from health_monitor.ml import train
from health_monitor.ml.comparison import objections
from health_monitor.operations.checks import Outcome, ask_all, found, report, verdict
from health_monitor.operations.recovery_drill import (
    Content,
    Drill,
    DrillError,
    earlier_version,
    scratch_of,
)
from health_monitor.spec import Check, load_definitions
from pyspark.errors import AnalysisException

DEFINITIONS = Path(__file__).parents[1] / "infra" / "definitions"


def check(name: str = "late", *, fails: bool = True, most: int = 2) -> Check:
    return Check(
        kind="checks",
        domain="daily",
        name=name,
        path=f"checks/daily/{name}.yml",
        comment="Whether it is late. Technical: how.",
        says="{table} ends with {day}",
        fails=fails,
        most=most,
        sql="SELECT table, day FROM gold.fact_usage WHERE owner = :admins",
    )


ROWS = [{"table": name, "day": date(2026, 1, 2)} for name in ("a", "b", "c")]


def test_rows_are_findings_and_only_some_fail() -> None:
    assert found(check(), []) == Outcome("late", "ok", 0, [])
    assert found(check(fails=False), ROWS[:1]).status == "reported"
    many = found(check(), ROWS)
    assert (many.status, many.findings) == ("failed", 3)
    assert many.lines == ["a ends with 2026-01-02", "b ends with 2026-01-02"]
    assert found(check(), [{"table": "a", "day": None}]).lines == ["a ends with unknown"]


def test_the_report_counts_what_it_does_not_show() -> None:
    assert report([found(check(), ROWS), Outcome("lost", "not_checked", None, ["no table"])]) == (
        "[failed] late: 3 found\n"
        "    a ends with 2026-01-02\n"
        "    b ends with 2026-01-02\n"
        "    and 1 more\n"
        "[not_checked] lost: unknown\n"
        "    no table"
    )


def test_a_run_fails_for_what_is_wrong_or_unknown_only() -> None:
    harmless = [found(check(), []), found(check(fails=False), ROWS)]
    assert verdict("daily", harmless) is None
    lost = Outcome("lost", "not_checked", None, [])
    assert verdict("daily", [*harmless, found(check(), ROWS), lost]) == (
        "daily: 2 of 4 checks are wrong: late (failed), lost (not_checked)"
    )


class Spark:
    """Takes statements; knows no table of the first one."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []

    def sql(self, text: str, args: dict[str, str]) -> Any:
        self.asked.append((text, args))
        if len(self.asked) == 1:
            raise AnalysisException("no such table\nand much more")
        return self

    def collect(self) -> list[Any]:
        return []


def test_one_check_that_cannot_be_asked_leaves_the_others() -> None:
    spark: Any = Spark()
    values = {"admins": "a", "principals": "b"}
    outcomes = ask_all(spark, [check("first"), check("second")], "main", values)
    assert [(o.check, o.status, list(o.lines)) for o in outcomes] == [
        ("first", "not_checked", ["no such table"]),
        ("second", "ok", []),
    ]
    sql = "SELECT table, day FROM main.gold.fact_usage WHERE owner = :admins"
    assert spark.asked == [(sql, {"admins": "a"})] * 2


def test_a_drill_writes_beside_gold_tables_only() -> None:
    assert scratch_of("gold.fact_usage") == "platform.recovery_drill_fact_usage"
    for table in ("silver.silver_usage", "fact_usage", "gold.a.b", "gold.", "gold.a; DROP"):
        with pytest.raises(DrillError, match="is no gold table"):
            scratch_of(table)


def test_a_drill_goes_back_one_version() -> None:
    history = [{"version": number} for number in (3, 5, 4)]
    assert earlier_version(history, "gold.a") == (4, 5)
    with pytest.raises(DrillError, match=r"gold\.a has 1 version in its history"):
        earlier_version(history[:1], "gold.a")


def test_a_drill_fails_where_other_rows_come_back() -> None:
    before = Content(2, "17")
    same = Drill("gold.a", 4, 5, before, Content(2, "17"), 1.25, 2)
    assert same.outcome.status == "ok"
    assert same.outcome.lines == [
        "gold.a: version 4 of 5, 2 rows, copied in 1.2 s, restored in 2.0 s: the same"
    ]
    for after in (Content(2, "18"), Content(1, "17"), Content(0, None)):
        other = Drill("gold.a", 4, 5, before, after, 1, 2).outcome
        assert other.is_wrong and "NOT the same" in other.lines[0]
    empty = Drill("gold.a", 4, 5, Content(0, None), Content(0, None), 1, 2).outcome
    assert (empty.status, empty.findings) == ("not_checked", None)


def flags(flagged: set[int], rows: int = 1000) -> pd.Series:
    return pd.Series([row in flagged for row in range(rows)])


@pytest.mark.parametrize(
    ("new", "champion", "expected"),
    [
        ({1, 2}, {1, 2}, ""),
        ({1}, {1, 2}, ""),
        ({3}, set(), ""),
        ({1}, {1, 2, 3}, "it finds 1 of the 3 anomalies that the champion finds, less than 50%"),
        (set(), {1}, "it finds 0 of the 1 anomalies"),
        (set(range(31)), {1}, r"it flags 3\.1% of all days, more than 3 times the 1\.0%"),
        (set(range(31)), set(range(40)), ""),
    ],
)
def test_a_worse_version_does_not_become_champion(
    new: set[int], champion: set[int], expected: str
) -> None:
    told = objections(flags(new), flags(champion), contamination=0.01)
    assert len(told) == bool(expected)
    assert re.match(expected, "".join(told))


def test_nothing_to_compare_is_no_objection() -> None:
    assert objections(flags(set(), 0), flags(set(), 0), contamination=0.01) == []


def test_training_keeps_the_champion_where_a_version_is_worse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = load_definitions(DEFINITIONS).models["cost_anomaly_detector"]
    given: dict[str, set[int]] = {"3": {1, 2, 3}, "4": {1, 2}, "5": {1}}
    monkeypatch.setattr(train, "_flags", lambda name, version, features: flags(given[version]))
    monkeypatch.setattr(train, "_champion", lambda name: None)
    train._compare("c.ml.m", "5", pd.DataFrame(), model)
    monkeypatch.setattr(train, "_champion", lambda name: "3")
    train._compare("c.ml.m", "4", pd.DataFrame(), model)
    assert capsys.readouterr().out.splitlines() == [
        "c.ml.m: version 5 is the first",
        "c.ml.m: version 4 is no worse than version 3",
    ]
    with pytest.raises(
        train.TrainingError,
        match=r"c\.ml\.m: version 5 is worse than version 3, which stays champion: it finds 1 of",
    ):
        train._compare("c.ml.m", "5", pd.DataFrame(), model)
