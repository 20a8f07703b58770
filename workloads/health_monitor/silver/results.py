"""What the rules of silver found, from the event log of the pipeline into tables."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from health_monitor.runtime import first_row, full_name, said, temporary_view
from health_monitor.silver.rows import rules
from health_monitor.spec.kinds import Silver

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

RESULTS = "platform.expectation_results"
BATCHES = "platform.silver_batches"
KEYS = {
    RESULTS: ("table_full_name", "rule", "update_id", "checked_at"),
    BATCHES: ("table_full_name", "update_id"),
}
PAGE = 250
Event = Mapping[str, Any]


def events_since(pipeline_id: str, since: datetime | None) -> list[Event]:
    """The events of a pipeline that are not older than that, the newest first."""
    from databricks.sdk import WorkspaceClient

    api = WorkspaceClient().api_client
    query: dict[str, Any] = {"max_results": PAGE}
    found: list[Event] = []
    while True:
        page = api.do("GET", f"/api/2.0/pipelines/{pipeline_id}/events", query=query)
        if not isinstance(page, dict):
            raise TypeError(f"the events of pipeline {pipeline_id} are no object: {page!r}")
        for event in page.get("events", []):
            if since is not None and _time(event) < since:
                return found
            found.append(event)
        if not page.get("next_page_token"):
            return found
        query = {"max_results": PAGE, "page_token": page["next_page_token"]}


@dataclass(frozen=True)
class Results:
    """Brings the tables of results up to date."""

    spark: SparkSession
    catalog: str
    definitions: Iterable[Silver]

    def last_seen(self) -> datetime | None:
        """The time of the last event that is known."""
        table = self.spark.table(full_name(self.catalog, RESULTS))
        last = first_row(table.selectExpr("MAX(checked_at) AS last"))["last"]
        return last.astimezone(UTC) if last else None

    def write(self, events: Sequence[Event]) -> int:
        """Add what the events say and the tables do not; gives how many results they hold."""
        started = time.monotonic()
        results = list(expectation_results(events, self.catalog, self.definitions))
        self._add(RESULTS, results)
        self._add(BATCHES, list(batches(events, self.catalog, self.definitions)))
        said(RESULTS, started, events=len(events), results=len(results))
        return len(results)

    def _add(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        if not rows:
            return
        name = full_name(self.catalog, table)
        same = " AND ".join(f"t.{column} = s.{column}" for column in KEYS[table])
        frame = self.spark.createDataFrame(rows, self.spark.table(name).schema)
        with temporary_view(self.spark, frame) as view:
            self.spark.sql(
                f"MERGE INTO {name} AS t USING {view} AS s ON {same} WHEN NOT MATCHED THEN INSERT *"
            )


def expectation_results(
    events: Iterable[Event], catalog: str, definitions: Iterable[Silver]
) -> Iterator[tuple[Any, ...]]:
    """One row for each rule of each event that counted rows."""
    levels = {d.table.split(".")[1]: rules(d) for d in definitions}
    for event, quality in _counted(events):
        for found in quality.get("expectations", []):
            table = _short(found["dataset"])
            level = levels.get(table, {}).get(found["name"])
            if level is None:
                continue
            failed = int(found["failed_records"])
            yield (
                f"{catalog}.silver.{table}",
                found["name"],
                level,
                event["origin"]["update_id"],
                _time(event),
                int(found["passed_records"]) + failed,
                failed,
            )


def batches(
    events: Iterable[Event], catalog: str, definitions: Iterable[Silver]
) -> Iterator[tuple[Any, ...]]:
    """One row for each table and update: rows in, valid, dropped, and those in quarantine."""
    tables = {d.table.split(".")[1]: d.quarantine.split(".")[1] for d in definitions}
    checked: dict[tuple[str, str], list[Any]] = {}
    written: dict[tuple[str, str], int] = {}
    for event, quality in _counted(events):
        update, dataset = event["origin"]["update_id"], _short(event["origin"]["dataset_name"])
        metrics = event["details"]["flow_progress"].get("metrics") or {}
        rows = int(metrics.get("num_output_rows") or 0)
        written[update, dataset] = written.get((update, dataset), 0) + rows
        found = [e for e in quality.get("expectations", []) if _short(e["dataset"]) == dataset]
        if dataset in tables and found:
            sums = checked.setdefault((update, dataset), [_time(event), 0, 0])
            sums[1] += int(found[0]["passed_records"]) + int(found[0]["failed_records"])
            sums[2] += int(quality.get("dropped_records") or 0)
    for (update, table), (at, rows_in, dropped) in checked.items():
        aside = written.get((update, tables[table]), 0)
        name, valid = f"{catalog}.silver.{table}", rows_in - dropped
        yield name, update, at, rows_in, valid, aside, rows_in == valid + aside


def _counted(events: Iterable[Event]) -> Iterator[tuple[Event, Mapping[str, Any]]]:
    """The events that tell how many rows a flow checked or wrote."""
    for event in events:
        progress = (event.get("details") or {}).get("flow_progress") or {}
        if progress.get("status") in ("RUNNING", "COMPLETED", "FAILED") and progress.get("metrics"):
            yield event, progress.get("data_quality") or {}


def _short(dataset: str) -> str:
    return dataset.replace("`", "").split(".")[-1]


def _time(event: Event) -> datetime:
    return datetime.fromisoformat(str(event["timestamp"]).replace("Z", "+00:00"))
