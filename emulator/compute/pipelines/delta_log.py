"""What a Delta table's log says about its versions, read without asking Spark.

A stream over a table needs to know, commit by commit, which data files came and whether any
went; that is in the log's JSON files and in no SQL statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from emulator.compute.pipelines.model import PipelineError
from emulator.sql.delta_log import Action, DeltaLog

_MISSING = {"TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "DELTA_TABLE_NOT_FOUND"}


@dataclass(frozen=True)
class Commit:
    """The data files that one version added, and whether it took any away."""

    version: int
    added: tuple[str, ...]
    removes_data: bool
    rewrites: bool

    @property
    def changes_data(self) -> bool:
        return bool(self.added) or self.removes_data


@dataclass(frozen=True)
class DeltaTable:
    """One table as it is now: its identity, where it lies, and its latest version."""

    name: str
    id: str
    location: Path
    properties: dict[str, str]
    comment: str | None

    def latest_version(self) -> int:
        log = DeltaLog(self.location)
        if not log.versions:
            raise PipelineError(f"{self.name}: no commit in {log.folder}")
        return log.latest

    def commits(self, after: int, until: int) -> Iterator[Commit]:
        """The commits after one version, up to and including another."""
        log = DeltaLog(self.location)
        for version in range(after + 1, until + 1):
            if version not in log.versions:
                raise PipelineError(
                    f"{self.name}: version {version} is no longer in the table's log, but the "
                    f"stream has read only up to {after}; run a full refresh"
                )
            yield _read_commit(version, log.actions(version))


def find_table(spark: Any, name: str) -> DeltaTable | None:
    """The Delta table of that name, or None if there is no such table."""
    from pyspark.errors import AnalysisException

    try:
        row = spark.sql(f"DESCRIBE DETAIL {name}").collect()[0]
    except AnalysisException as error:
        if error.getCondition() in _MISSING:
            return None
        raise
    if row["format"] != "delta":
        raise PipelineError(f"{name} is no Delta table but {row['format']}: it cannot be streamed")
    location = Path(unquote(urlparse(row["location"]).path))
    properties = dict(row["properties"] or {})
    return DeltaTable(name, row["id"], location, properties, row["description"])


def read_raw(reader: Any, name: str) -> Any:
    """Read a table past the pipeline's own name resolution."""
    from pyspark.sql.connect.plan import Read

    return reader._df(Read(name, reader._options))


def _read_commit(version: int, actions: Iterable[Action]) -> Commit:
    added: list[str] = []
    removes_data = rewrites = False
    for action in actions:
        if "add" in action:
            if action["add"]["dataChange"]:
                added.append(unquote(action["add"]["path"]).rsplit("/", 1)[-1])
            else:
                rewrites = True
        elif "remove" in action:
            if action["remove"]["dataChange"]:
                removes_data = True
            else:
                rewrites = True
    return Commit(version, tuple(added), removes_data, rewrites)
