"""Writes one flow's rows to its table: appended, applied as changes, or in place of the old."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from emulator.compute.pipelines import auto_cdc, tables
from emulator.compute.pipelines.checkpoint import Checkpoint, CheckpointStore
from emulator.compute.pipelines.delta_log import read_raw
from emulator.compute.pipelines.expectations import Checked, check
from emulator.compute.pipelines.model import (
    AutoCdc,
    Dataset,
    Flow,
    FlowResult,
    PipelineRequest,
    TableName,
    quote,
)


@dataclass(frozen=True)
class Target:
    """The table that a flow writes to, and the batch that it writes."""

    spark: Any
    request: PipelineRequest
    name: TableName
    dataset: Dataset
    flow: Flow
    checkpoint: Checkpoint
    exists: bool

    @property
    def transaction(self) -> dict[str, str]:
        """Delta's mark of this batch: an append that carries it twice is done once."""
        application = f"{self.request.pipeline_id}/{self.flow.name}/{self.checkpoint.generation}"
        return {"txnAppId": application, "txnVersion": str(self.checkpoint.batch)}

    def ensure_exists(self, schema: Any) -> None:
        if not self.exists:
            tables.create(self.spark, self.name, self.dataset, schema, self.request.pipeline_id)


def append(target: Target, frame: Any, rules: Checked, result: FlowResult) -> None:
    """Add the batch's rows; new columns join the table unless its schema is declared."""
    if not target.exists:
        target.ensure_exists(frame.schema)
    writer = frame.write.format("delta").mode("append").options(**target.transaction)
    if target.dataset.schema is None:
        writer = writer.option("mergeSchema", "true")
    writer.saveAsTable(target.name.sql)
    rows, dropped, _ = rules.counts()
    result.output_rows += rows - dropped


def replace(target: Target, frame: Any, rules: Checked, result: FlowResult) -> None:
    """Let the table hold these rows and no others."""
    if not target.exists:
        target.ensure_exists(frame.schema)
    writer = frame.write.format("delta").mode("overwrite")
    if target.exists and target.dataset.schema is None and _differs(target, frame):
        writer = writer.option("overwriteSchema", "true")
    writer.saveAsTable(target.name.sql)
    rows, dropped, _ = rules.counts()
    result.output_rows += rows - dropped


def apply_changes(
    target: Target, frame: Any, checkpoints: CheckpointStore, result: FlowResult
) -> None:
    """Keep the change events, and bring the rows of every key in them up to date."""
    change = target.flow.auto_cdc
    if change is None:
        raise ValueError(f"flow {target.flow.name!r} is no AUTO CDC flow")
    folder = checkpoints.events_folder(target.flow.name, target.checkpoint.generation)
    events = auto_cdc.ChangeEvents(target.spark, change, folder.resolve())
    events.append(frame, target.checkpoint.batch, target.transaction)
    batch, spark, name = target.checkpoint.batch, target.spark, target.name
    touched = events.touched_keys(batch) if batch else None
    if not target.exists:
        # Nothing to merge with. After a kill the table is there, and the rerun merges.
        written = _fill(target, change, events.history(batch))
    elif batch and auto_cdc.needs_no_history(change, events.columns(frame.columns)):
        rows, since = events.newest(batch), change.sequence_by
        written = auto_cdc.merge(spark, change, name, rows, touched, not_before=since)
    else:
        written = auto_cdc.merge(spark, change, name, events.history(batch), touched)
    result.upserted_rows = (result.upserted_rows or 0) + written.upserted
    result.deleted_rows = (result.deleted_rows or 0) + written.deleted
    result.output_rows += written.upserted


def _fill(target: Target, change: AutoCdc, rows: Any) -> auto_cdc.Written:
    target.ensure_exists(rows.schema)
    counted = check(rows, target.dataset.name, ())
    placed = counted.after
    if by := auto_cdc.shown_sequence(change, rows.columns):
        # Mostly a time: rows of a day lie together (docs/decisions/0025-a-day-lies-together.md).
        placed = placed.sortWithinPartitions(quote(by))
    placed.write.format("delta").mode("append").saveAsTable(target.name.sql)
    return auto_cdc.Written(counted.counts()[0], 0)


def _differs(target: Target, frame: Any) -> bool:
    have = read_raw(target.spark.read, target.name.sql).schema
    return [(f.name, f.dataType) for f in have] != [(f.name, f.dataType) for f in frame.schema]
