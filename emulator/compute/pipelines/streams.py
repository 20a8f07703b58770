"""Streaming reads as batches: the rows that came to a table since a flow last read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.compute.pipelines.checkpoint import Checkpoint, Position
from emulator.compute.pipelines.delta_log import Commit, DeltaTable, read_raw
from emulator.compute.pipelines.expectations import Checked
from emulator.compute.pipelines.model import PipelineError

# All that is new is read in one batch, so limits on a batch's size change nothing; Delta Sharing's
# response format has no meaning for a local table.
_NEUTRAL = {"maxfilespertrigger", "maxbytespertrigger", "responseformat"}
_FLAGS = {"skipchangecommits", "readchangefeed", "readchangedata", "ignoredeletes"}
_KNOWN = _NEUTRAL | _FLAGS | {"startingversion"}


@dataclass(frozen=True)
class StreamOptions:
    skip_change_commits: bool = False
    ignore_deletes: bool = False
    change_feed: bool = False
    starting_version: int | None = None

    @classmethod
    def parse(cls, options: Mapping[str, str]) -> StreamOptions:
        lower = {key.lower(): value for key, value in options.items()}
        unknown = sorted(set(lower) - _KNOWN)
        if unknown:
            raise PipelineError(f"the emulator's streams have no option {', '.join(unknown)}")
        start = lower.get("startingversion")
        if start is not None and not start.isdigit():
            raise PipelineError(f"startingVersion {start!r} is not a version number")
        return cls(
            skip_change_commits=_flag(lower, "skipchangecommits"),
            ignore_deletes=_flag(lower, "ignoredeletes"),
            change_feed=_flag(lower, "readchangefeed") or _flag(lower, "readchangedata"),
            starting_version=None if start is None else int(start),
        )


@dataclass
class Batch:
    """One run of one flow: what it reads, from where to where, and whether anything is new."""

    spark: Any
    checkpoint: Checkpoint
    dataset: str
    ends: dict[str, Position] = field(default_factory=dict)
    has_news: bool = False
    inputs: list[str] = field(default_factory=list)
    stream_plans: list[Any] = field(default_factory=list)
    checked: list[Checked] = field(default_factory=list)

    def read(self, table: DeltaTable, latest: int, options: StreamOptions) -> Any:
        """The increment of a table that belongs to this batch."""
        start = self.checkpoint.committed.get(table.name)
        end = self._end(table, latest, start)
        if end is None:
            frame = _nothing(self.spark, table, latest, options)
        else:
            self.ends[table.name] = Position(table.id, end)
            frame = self._increment(table, start, end, options)
        self.inputs.append(table.name.replace("`", ""))
        self.stream_plans.append(frame._plan)
        return frame

    def _end(self, table: DeltaTable, latest: int, start: Position | None) -> int | None:
        """The last version to read. A repeated batch reads what it read the first time."""
        for known in (start, (self.checkpoint.pending or {}).get(table.name)):
            if known and known.table_id != table.id:
                raise PipelineError(
                    f"{table.name} is not the table that this stream has read so far: it was "
                    "replaced; run a full refresh"
                )
        if self.checkpoint.pending is None:
            return latest
        pending = self.checkpoint.pending.get(table.name)
        return pending.version if pending else None

    def _increment(
        self, table: DeltaTable, start: Position | None, end: int, options: StreamOptions
    ) -> Any:
        if start is None and options.starting_version is None:
            self.has_news = True
            return _snapshot(self.spark, table, end, options)
        first = options.starting_version if start is None else start.version + 1
        after = (first or 0) - 1
        if after > end:
            raise PipelineError(f"{table.name} has version {end}, but the stream starts at {first}")
        commits = [commit for commit in table.commits(after, end) if commit.changes_data]
        if start is None:
            self.has_news = True
        if not options.change_feed:
            commits = _readable(table, commits, options)
        if not commits:
            return _nothing(self.spark, table, end, options)
        self.has_news = True
        if options.change_feed:
            return _changes(self.spark, table, commits[0].version, end)
        return _added_rows(self.spark, table, list(table.commits(after, end)), commits)


class StreamReader:
    """What ``spark.readStream`` gives to pipeline code."""

    def __init__(self, read: Callable[[str, StreamOptions], Any]) -> None:
        self._read = read
        self._options: dict[str, str] = {}

    def option(self, key: str, value: Any) -> StreamReader:
        self._options[key] = str(value).lower() if isinstance(value, bool) else str(value)
        return self

    def options(self, **options: Any) -> StreamReader:
        for key, value in options.items():
            self.option(key, value)
        return self

    def format(self, source: str) -> StreamReader:
        if source.lower() not in ("delta", "deltasharing"):
            raise PipelineError(f"the emulator streams from Delta tables only, not from {source!r}")
        return self

    def table(self, name: str) -> Any:
        return self._read(name, StreamOptions.parse(self._options))

    def load(self, *_: Any, **__: Any) -> Any:
        raise PipelineError("the emulator streams from tables only: spark.readStream.table(name)")


def check_stateless(frame: Any, stream_plans: list[Any]) -> None:
    """Refuse what would need the rows of earlier batches, which this engine does not keep."""
    from pyspark.sql.connect import plan

    streams = {id(node) for node in stream_plans}
    for node in _nodes(frame._plan):
        if isinstance(node, plan.Aggregate | plan.Deduplicate) and any(
            id(below) in streams for below in _nodes(node)
        ):
            raise PipelineError(
                f"{type(node).__name__.lower()} over a stream needs state between batches, which "
                "the emulator does not keep; use a materialized view or a join with the target"
            )


def _nodes(node: Any) -> list[Any]:
    from pyspark.sql.connect.plan import LogicalPlan

    found = [node]
    for value in vars(node).values():
        if isinstance(value, LogicalPlan):
            found += _nodes(value)
    return found


def _flag(options: Mapping[str, str], name: str) -> bool:
    value = options.get(name, "false").lower()
    if value not in ("true", "false"):
        raise PipelineError(f"option {name}: {value!r} is neither true nor false")
    return value == "true"


def _readable(table: DeltaTable, commits: list[Commit], options: StreamOptions) -> list[Commit]:
    """The commits that only add rows; one that changes rows must be skipped on request only."""
    readable = []
    for commit in commits:
        if not commit.removes_data:
            readable.append(commit)
        elif not options.skip_change_commits and (commit.added or not options.ignore_deletes):
            raise PipelineError(
                f"{table.name}: version {commit.version} updates or deletes rows, which a stream "
                "cannot pass on; set skipChangeCommits, or run a full refresh"
            )
    return readable


def _snapshot(spark: Any, table: DeltaTable, version: int, options: StreamOptions) -> Any:
    frame = _at(spark, table, version)
    return _as_inserts(frame, version) if options.change_feed else frame


def _nothing(spark: Any, table: DeltaTable, version: int, options: StreamOptions) -> Any:
    from pyspark.sql.connect import functions as F

    return _snapshot(spark, table, version, options).where(F.lit(False))


def _changes(spark: Any, table: DeltaTable, first: int, last: int) -> Any:
    from pyspark.sql.connect.readwriter import DataFrameReader

    reader = DataFrameReader(spark).option("readChangeFeed", "true")
    return read_raw(
        reader.option("startingVersion", str(first)).option("endingVersion", str(last)), table.name
    )


def _added_rows(spark: Any, table: DeltaTable, history: list[Commit], wanted: list[Commit]) -> Any:
    """Rows of the files that the wanted commits added, each read while its file was there."""
    from pyspark.sql.connect import functions as F

    numbers = {commit.version for commit in wanted}
    stretches: list[tuple[int, list[str]]] = []
    unbroken = False
    for commit in history:
        if commit.removes_data or commit.rewrites:
            unbroken = False
        if commit.version not in numbers:
            continue
        files = list(commit.added)
        if unbroken:
            files = stretches.pop()[1] + files
        stretches.append((commit.version, files))
        unbroken = True
    frames = [
        _at(spark, table, version).where(F.col("_metadata.file_name").isin(files))
        for version, files in stretches
    ]
    result = frames[0]
    for frame in frames[1:]:
        result = result.unionByName(frame, allowMissingColumns=True)
    return result


def _at(spark: Any, table: DeltaTable, version: int) -> Any:
    from pyspark.sql.connect.readwriter import DataFrameReader

    return read_raw(DataFrameReader(spark).option("versionAsOf", str(version)), table.name)


def _as_inserts(frame: Any, version: int) -> Any:
    from pyspark.sql.connect import functions as F

    return frame.withColumns(
        {
            "_change_type": F.lit("insert"),
            "_commit_version": F.lit(version).cast("bigint"),
            "_commit_timestamp": F.current_timestamp(),
        }
    )
