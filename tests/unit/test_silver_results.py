"""The event log of the silver pipeline, as rows of results and of batches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from health_monitor.silver.results import batches, events_since, expectation_results
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


def test_the_log_is_read_back_to_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [f"2026-11-21T0{hour}:00:00.000Z" for hour in (9, 8, 7, 6, 5)]
    pages = {None: moments[:2], "1": moments[2:4], "2": moments[4:]}
    asked: list[Any] = []

    class Client:
        """A workspace whose log comes in pages, the newest first."""

        @property
        def api_client(self) -> Client:
            return self

        def do(self, method: str, path: str, query: dict[str, Any]) -> dict[str, Any]:
            assert (method, path) == ("GET", "/api/2.0/pipelines/p/events")
            token = query.get("page_token")
            asked.append(token)
            page: dict[str, Any] = {"events": [{"timestamp": moment} for moment in pages[token]]}
            following = {None: "1", "1": "2"}.get(token)
            return {**page, "next_page_token": following} if following else page

    monkeypatch.setattr("databricks.sdk.WorkspaceClient", Client)
    since = datetime(2026, 11, 21, 7, tzinfo=UTC)
    assert [event["timestamp"] for event in events_since("p", since)] == moments[:3]
    assert asked == [None, "1"]
    assert [event["timestamp"] for event in events_since("p", None)] == moments
