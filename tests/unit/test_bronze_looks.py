"""When a source counts as stale, as caught up, or as read too late to have everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from health_monitor.bronze.looks import Look, definition_hash, freshness, warned_after
from health_monitor.spec.base import BronzeColumn
from health_monitor.spec.kinds import Bronze

NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)


def definition(**changed: Any) -> Bronze:
    column = BronzeColumn(name="at", type="timestamp", comment="When. Technical: UTC.")
    body: dict[str, Any] = {
        "kind": "bronze",
        "domain": "test",
        "name": "facts",
        "path": "bronze/test/facts.yml",
        "comment": "What. Technical: how.",
        "source": "events.facts",
        "mode": "append",
        "key": ["at"],
        "watermark": {"column": "at", "overlap_days": 2},
        "retention_days": 30,
        "columns": {"at": column},
    }
    return Bronze(**{**body, **changed})


def look(days_ago: float, high_water_days_ago: float) -> Look:
    checked, mark = NOW - timedelta(days=days_ago), NOW - timedelta(days=high_water_days_ago)
    return Look(
        "events.facts", "bronze.bronze_facts", "assessed", None, 1, 1, checked, high_water=mark
    )


@pytest.mark.parametrize(
    ("high_water", "before", "expected"),
    [
        (0, None, ("assessed", None)),
        (3, None, ("assessed", None)),
        (4, None, ("stale", "nothing after 2026-11-17")),
        (0, look(1, 1), ("assessed", None)),
        (0, look(9, 9), ("assessed", "caught up: it was 9 days behind")),
        (0, look(31, 31), ("stale", "not read for 31 days, the source keeps 30 days: rows may")),
    ],
)
def test_rule_25_what_is_behind_is_said(
    high_water: int, before: Look | None, expected: tuple[str, str | None]
) -> None:
    mark = NOW - timedelta(days=high_water)
    status, detail = freshness(definition(), mark, before, NOW)
    assert status == expected[0]
    assert (detail or "").startswith(expected[1] or "")
    assert (detail is None) == (expected[1] is None)


def test_a_source_that_may_be_quiet_is_not_stale_without_news() -> None:
    quiet = definition(may_be_quiet=True)
    assert freshness(quiet, NOW - timedelta(days=20), look(1, 20), NOW) == ("assessed", None)
    assert freshness(quiet, None, None, NOW) == ("assessed", None)
    assert freshness(definition(), None, None, NOW) == ("stale", "the source has no rows")
    assert freshness(quiet, NOW, look(31, 31), NOW)[0] == "stale"


def test_a_warning_comes_at_half_of_what_the_source_keeps() -> None:
    assert warned_after(definition(retention_days=2)) == timedelta(days=1)
    assert warned_after(definition(retention_days=365)) == timedelta(days=3, hours=12)
    assert warned_after(definition(retention_days=None)) == timedelta(days=3, hours=12)


def test_another_definition_is_read_anew() -> None:
    assert definition_hash(definition()) == definition_hash(definition())
    assert definition_hash(definition()) != definition_hash(definition(may_be_quiet=True))
