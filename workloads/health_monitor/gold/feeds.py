"""What changed in the tables that gold reads, since it last read them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from health_monitor.gold.order import feeds_of
from health_monitor.runtime import full_name, literal, temporary_view
from health_monitor.spec import Gold, qualify
from health_monitor.spec.sql import tokens

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WATERMARKS = "platform.gold_watermarks"
MOST_TOUCHED = 400


@dataclass(frozen=True)
class Position:
    """How far a feed was read, and for which computation."""

    feed_id: str
    version: int
    definition_hash: str


@dataclass(frozen=True)
class Work:
    """What is to be computed again: nothing, some values, or (``touched`` is None) everything."""

    touched: list[Any] | None
    positions: Mapping[str, Position]
    reason: str

    @property
    def is_nothing(self) -> bool:
        return self.touched == []


@dataclass(frozen=True)
class Feeds:
    """Finds the work of gold tables, and keeps in mind what was done."""

    spark: SparkSession
    catalog: str
    arguments: Mapping[str, str]
    looked_up: dict[str, tuple[str, int]] = field(default_factory=dict)

    def read_positions(self) -> dict[str, dict[str, Position]]:
        """Target -> feed -> how far it was read."""
        found: dict[str, dict[str, Position]] = {}
        for row in self.spark.table(full_name(self.catalog, WATERMARKS)).collect():
            position = Position(row["feed_id"], row["feed_version"], row["definition_hash"])
            found.setdefault(row["target"], {})[row["feed"]] = position
        return found

    def work(self, definition: Gold, known: Mapping[str, Position]) -> Work:
        """What a table needs, given how far its feeds were read."""
        positions = {feed: self._position(feed, definition) for feed in feeds_of(definition)}
        if positions == known:
            return Work([], positions, "nothing new")
        refresh = definition.refresh
        if refresh is None:
            return Work(None, positions, "a feed changed")
        touched: set[Any] = set()
        for feed in refresh.feeds:
            now, before = positions[feed.table], known.get(feed.table)
            if before is None:
                return Work(None, positions, "first time")
            if (before.feed_id, before.definition_hash) != (now.feed_id, now.definition_hash):
                return Work(None, positions, f"{feed.table} or the definition is another")
            if now.version < before.version:
                return Work(None, positions, f"{feed.table} was restored")
            if now.version > before.version and feed.touches is None:
                return Work(None, positions, f"{feed.table} changed")
            if now.version > before.version and feed.touches:
                touched |= self._touched(feed.table, feed.touches, before.version + 1, now.version)
        if len(touched) > MOST_TOUCHED:
            return Work(None, positions, f"{len(touched)} values of {refresh.by} changed")
        return Work(sorted(touched), positions, f"{len(touched)} values of {refresh.by} changed")

    def write_positions(self, done: Mapping[str, Mapping[str, Position]]) -> None:
        """Remember how far the feeds of tables were read."""
        now = datetime.now(UTC)
        rows = [
            (target, feed, p.feed_id, p.version, p.definition_hash, now)
            for target, positions in done.items()
            for feed, p in positions.items()
        ]
        if not rows:
            return
        name = full_name(self.catalog, WATERMARKS)
        frame = self.spark.createDataFrame(rows, self.spark.table(name).schema)
        with temporary_view(self.spark, frame) as view:
            self.spark.sql(
                f"MERGE INTO {name} AS t USING {view} AS s "
                "ON t.target = s.target AND t.feed = s.feed "
                "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
            )

    def _position(self, feed: str, definition: Gold) -> Position:
        return Position(*self._state(feed), self._hash(definition))

    def _state(self, feed: str) -> tuple[str, int]:
        """Which table a feed is, and its version; only gold changes while gold is refreshed."""
        if feed in self.looked_up:
            return self.looked_up[feed]
        name = full_name(self.catalog, feed)
        feed_id = self.spark.sql(f"DESCRIBE DETAIL {name}").collect()[0]["id"]
        version = self.spark.sql(f"DESCRIBE HISTORY {name} LIMIT 1").collect()[0]["version"]
        if not feed.startswith("gold."):
            self.looked_up[feed] = (feed_id, int(version))
        return feed_id, int(version)

    def _hash(self, definition: Gold) -> str:
        parts = [definition.sql, *(f"{k}={v}" for k, v in sorted(self.arguments.items()))]
        parts += [f"{column.name} {column.type}" for column in definition.columns.values()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _touched(self, feed: str, touches: str, first: int, last: int) -> set[Any]:
        """The values that a feed's changes touch."""
        name = literal(f"{self.catalog}.{feed}")
        changes = self.spark.sql(f"SELECT * FROM table_changes({name}, {first}, {last})")
        with temporary_view(self.spark, changes) as view:
            query = _replace_changes(qualify(touches, self.catalog), view)
            return {row[0] for row in self.spark.sql(query).collect() if row[0] is not None}


def _replace_changes(sql: str, view: str) -> str:
    """``changes`` in a query of a definition, as the view that holds them."""
    pieces: list[str] = []
    end = 0
    for token in tokens(sql):
        if token.text == "changes":
            pieces += [sql[end : token.start], view]
            end = token.end + 1
    return "".join([*pieces, sql[end:]])
