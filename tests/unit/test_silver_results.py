"""The event log of the silver pipeline, as rows of results and of batches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from health_monitor.silver.results import batches, expectation_results
from health_monitor.spec.kinds import Expectations, Silver

SILVER = Silver(
    kind="silver",
    domain="test",
    name="facts",
    path="silver/test/facts.yml",
    comment="What. Technical: how.",
    reads="bronze_facts",
    keeps="rows",
    key=["id"],
    expectations=Expectations(warn={"known": "a = 1"}, drop={"has_id": "id IS NOT NULL"}),
)
AT = "2026-11-21T06:00:00.000+00:00"


def event(dataset: str, update: str, rows: int, *counts: tuple[str, int, int]) -> dict[str, Any]:
    """A flow that has ended; counts are (rule, passed, failed)."""
    expectations = [
        {"name": name, "dataset": dataset, "passed_records": passed, "failed_records": failed}
        for name, passed, failed in counts
    ]
    dropped = sum(failed for name, _, failed in counts if name == "has_id")
    return {
        "timestamp": AT,
        "origin": {"update_id": update, "dataset_name": f"main.silver.{dataset}"},
        "details": {
            "flow_progress": {
                "status": "COMPLETED",
                "metrics": {"num_output_rows": rows},
                "data_quality": {"dropped_records": dropped, "expectations": expectations},
            }
        },
    }


def test_each_rule_gets_its_counts_and_its_level() -> None:
    events = [
        {"timestamp": AT, "event_type": "create_update", "origin": {}, "details": {}},
        event("silver_facts", "u1", 8, ("known", 9, 1), ("has_id", 8, 2), ("of yesterday", 1, 0)),
    ]
    moment = datetime(2026, 11, 21, 6, tzinfo=UTC)
    assert list(expectation_results(events, "main", [SILVER])) == [
        ("main.silver.silver_facts", "known", "warn", "u1", moment, 10, 1),
        ("main.silver.silver_facts", "has_id", "drop", "u1", moment, 10, 2),
    ]


def test_a_batch_is_complete_when_all_that_was_dropped_was_set_aside() -> None:
    counts = (("known", 9, 1), ("has_id", 8, 2))
    events = [
        event("silver_facts", "u1", 8, *counts),
        event("silver_facts__expectations", "u1", 2),
        event("silver_facts", "u2", 8, *counts),
        event("silver_facts__expectations", "u2", 1),
    ]
    found = {row[1]: row[3:] for row in batches(events, "main", [SILVER])}
    assert found == {"u1": (10, 8, 2, True), "u2": (10, 8, 1, False)}
