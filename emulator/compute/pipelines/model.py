"""What a pipeline consists of, what an update is asked to do, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

Action = Literal["warn", "drop", "fail"]
DatasetKind = Literal["STREAMING_TABLE", "MATERIALIZED_VIEW", "TEMPORARY_VIEW"]
FlowStatus = Literal["COMPLETED", "FAILED", "SKIPPED", "IDLE", "EXCLUDED"]


class PipelineError(RuntimeError):
    """The pipeline, or its source code, asks for what cannot be done; the message says what."""


class ExpectationFailure(PipelineError):
    """Rows broke an expectation whose action is to fail the update."""


class UpstreamFailure(PipelineError):
    """A dataset that this flow reads could not be updated."""


class EventSink(Protocol):
    """Takes the events of an update, in the shape of a row of the pipeline event log."""

    def emit(self, event: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class Source:
    """One file of the pipeline; ``path`` is for messages."""

    path: str
    text: str
    kind: Literal["notebook", "file"]


@dataclass(frozen=True)
class PipelineRequest:
    """One update of one pipeline. ``state_folder`` must be readable by Spark too."""

    pipeline_id: str
    update_id: str
    name: str
    catalog: str
    schema: str
    configuration: Mapping[str, str]
    sources: Sequence[Source]
    full_refresh: bool
    state_folder: Path
    refresh_selection: Sequence[str] = ()
    full_refresh_selection: Sequence[str] = ()
    namespace: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Expectation:
    """A condition on each row, in SQL; a NULL counts as violated."""

    name: str
    condition: str
    action: Action


@dataclass(frozen=True)
class TableName:
    """The three parts of a table's name, without quotes."""

    catalog: str
    schema: str
    table: str

    def __str__(self) -> str:
        return f"{self.catalog}.{self.schema}.{self.table}"

    @property
    def sql(self) -> str:
        """The name as an SQL identifier."""
        return ".".join(quote(part) for part in (self.catalog, self.schema, self.table))

    @property
    def key(self) -> str:
        return str(self).lower()


@dataclass
class Dataset:
    """A table or view that the pipeline defines."""

    name: str
    kind: DatasetKind
    comment: str | None = None
    schema: Any = None
    table_properties: Mapping[str, str] = field(default_factory=dict)
    partition_cols: Sequence[str] = ()
    cluster_by: Sequence[str] = ()
    cluster_by_auto: bool = False
    expectations: list[Expectation] = field(default_factory=list)


@dataclass(frozen=True)
class AutoCdc:
    """How change events become the rows of a table."""

    source: str
    keys: tuple[str, ...]
    sequence_by: Any
    scd_type: Literal[1, 2]
    apply_as_deletes: Any = None
    apply_as_truncates: Any = None
    ignore_null_updates: bool = False
    column_list: tuple[str, ...] | None = None
    except_column_list: tuple[str, ...] = ()
    track_history_columns: tuple[str, ...] | None = None
    track_history_except: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flow:
    """What fills a dataset: a query function, or change events."""

    name: str
    target: str
    function: Callable[[], Any] | None = None
    auto_cdc: AutoCdc | None = None
    spark_conf: Mapping[str, str] = field(default_factory=dict)
    once: bool = False


@dataclass(frozen=True)
class ExpectationCount:
    name: str
    dataset: str
    passed_records: int
    failed_records: int


@dataclass
class FlowResult:
    """What a flow did in this update; an IDLE flow found nothing new."""

    status: FlowStatus
    output_rows: int = 0
    upserted_rows: int | None = None
    deleted_rows: int | None = None
    dropped_rows: int = 0
    expectations: list[ExpectationCount] = field(default_factory=list)
    error: str | None = None
    seconds: float = 0.0


@dataclass
class UpdateResult:
    """The end of an update: its state, each flow's result, and all errors in one text."""

    state: Literal["COMPLETED", "FAILED"]
    flows: dict[str, FlowResult]
    error: str | None = None


def quote(identifier: str) -> str:
    return "`" + identifier.replace("`", "``") + "`"
