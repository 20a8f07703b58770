"""What a Delta table's log says about it, read without Spark, to which each look is a job."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

_COMMIT_FILE = re.compile(r"^(\d{20})\.json$")
_CLUSTERING = "delta.clustering"
# By writer version; Delta's protocol, "Table Features" and what comes before them.
_IMPLIED_FEATURES = (
    (2, "appendOnly"),
    (2, "invariants"),
    (3, "checkConstraints"),
    (4, "changeDataFeed"),
    (4, "generatedColumns"),
    (5, "columnMapping"),
    (6, "identityColumns"),
)

Action = dict[str, Any]


@dataclass(frozen=True)
class Description:
    """A table as the last of its versions has it."""

    metadata: Action
    protocol: Action
    clustering: tuple[str, ...]

    @property
    def properties(self) -> dict[str, str]:
        return dict(self.metadata.get("configuration") or {})

    @property
    def features(self) -> list[str]:
        """Reader and writer features, each once; a protocol without a list implies some."""
        named = {*self.protocol.get("readerFeatures", ()), *self.protocol.get("writerFeatures", ())}
        if "writerFeatures" not in self.protocol:
            version = self.protocol["minWriterVersion"]
            named |= {name for since, name in _IMPLIED_FEATURES if since <= version}
        return sorted(named)


class DeltaLog:
    """The commits of one table, as they are when first asked for."""

    def __init__(self, location: str | Path) -> None:
        """A table's folder, as a path or as the URI that a catalog has."""
        if isinstance(location, str):
            location = Path(unquote(urlparse(location).path))
        self.folder = location / "_delta_log"

    @cached_property
    def versions(self) -> list[int]:
        """The versions whose commits are there, in order."""
        found = (_COMMIT_FILE.match(path.name) for path in self.folder.glob("*.json"))
        return sorted(int(match[1]) for match in found if match)

    @property
    def latest(self) -> int:
        """The last version, or -1."""
        return self.versions[-1] if self.versions else -1

    def holds_last(self, count: int) -> bool:
        """Whether the last versions are there, all of the table's if it has no more."""
        last = self.versions[-count:] if count else []
        is_all = len(last) == count or last[:1] == [0]
        return is_all and last == list(range(self.latest + 1 - len(last), self.latest + 1))

    def text(self, version: int) -> str:
        return self._path(version).read_text(encoding="utf-8")

    def actions(self, version: int) -> Iterator[Action]:
        for line in self.text(version).splitlines():
            yield json.loads(line)

    def committed_at(self, version: int) -> datetime:
        """When the version was written, as Delta has it: to the millisecond."""
        milliseconds = self._path(version).stat().st_mtime_ns // 1_000_000
        return datetime.fromtimestamp(milliseconds / 1000, UTC)

    @cached_property
    def files(self) -> list[Action]:
        """What was added and not removed again, of a log that is whole."""
        files: dict[tuple[str, str], Action] = {}
        for version in self.versions:
            actions = list(self.actions(version))
            for action in actions:
                if "remove" in action:
                    files.pop(_file_key(action["remove"]), None)
            files |= {_file_key(a["add"]): a["add"] for a in actions if "add" in a}
        return list(files.values())

    def paths(self) -> list[Path]:
        """The files of a log that is whole."""
        root = self.folder.parent
        return [root / unquote(urlparse(add["path"]).path) for add in self.files]

    def rows(self) -> int | None:
        """How many rows the table has; None where the log alone does not tell."""
        if not self.versions or not self.holds_last(self.latest + 1):
            return None
        total = 0
        for add in self.files:
            known = json.loads(add.get("stats") or "{}").get("numRecords")
            if known is None:
                return None
            total += known - (add.get("deletionVector") or {}).get("cardinality", 0)
        return total

    def describe(self) -> Description | None:
        """The table as it is; None where the log alone does not tell.

        It does not after a cleaning, and not where it holds other names or times than it shows.
        """
        if not self.versions or not self.holds_last(self.latest + 1):
            return None
        metadata: Action | None = None
        protocol: Action | None = None
        clustering: tuple[str, ...] = ()
        for version in self.versions:
            text = self.text(version)
            if not any(f'"{word}"' in text for word in ("metaData", "protocol", _CLUSTERING)):
                continue
            for action in map(json.loads, text.splitlines()):
                metadata = action.get("metaData", metadata)
                protocol = action.get("protocol", protocol)
                clustering = _clustering(action.get("domainMetadata"), clustering)
        if metadata is None or protocol is None:
            return None
        found = Description(metadata, protocol, clustering)
        unclear = tells_other_times(found.properties) or _has_other_names(found.properties)
        return None if unclear else found

    def _path(self, version: int) -> Path:
        return self.folder / f"{version:020}.json"


def _clustering(domain: Action | None, before: tuple[str, ...]) -> tuple[str, ...]:
    if domain is None or domain["domain"] != _CLUSTERING:
        return before
    if domain.get("removed"):
        return ()
    columns = json.loads(domain["configuration"])["clusteringColumns"]
    return tuple(".".join(parts) for parts in columns)


def _file_key(file: Action) -> tuple[str, str]:
    """A file with other rows hidden is another file."""
    vector = file.get("deletionVector") or {}
    return file["path"], f"{vector.get('pathOrInlineDv')}@{vector.get('offset')}"


def tells_other_times(properties: dict[str, str]) -> bool:
    """Whether the times of commits stand in them, and not in the file system."""
    return properties.get("delta.enableInCommitTimestamps", "false") == "true"


def _has_other_names(properties: dict[str, str]) -> bool:
    return properties.get("delta.columnMapping.mode", "none") != "none"
