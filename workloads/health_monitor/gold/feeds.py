"""What changed in the tables that gold reads, since it last read them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from health_monitor.gold.order import feeds_of
from health_monitor.gold.query import with_relation
from health_monitor.gold.versions import rows_of_versions
from health_monitor.runtime import full_name, literal, temporary_view
from health_monitor.spec import Gold, qualify
from health_monitor.spec.kinds import Feed

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WATERMARKS = "platform.gold_watermarks"
MOST_TOUCHED = 400
CHANGES_ARE_KEPT = timedelta(days=6)
"""Delta's cleaning removes files of changes after 7 days, unless a table says otherwise."""
ITSELF = "(its definition)"
"""The feed of a table that reads no other."""


@dataclass(frozen=True)
class State:
    """Which table a feed is, and how far it has come."""

    feed_id: str
    version: int
    committed_at: datetime | None


@dataclass(frozen=True)
class Position:
    """How far a feed was read, and for which computation."""

    state: State
    definition_hash: str


@dataclass(frozen=True)
class Changes:
    """The versions of a feed that a table has not read."""

    feed: Feed
    first: int
    last: int

    def key(self, definition: Gold) -> tuple[str, int, int, str]:
        """What makes the question after touched values the same for two tables."""
        asked = self.feed.touches or f"versions for {definition.table}"
        return (self.feed.table, self.first, self.last, asked)


@dataclass(frozen=True)
class Work:
    """What is to be computed again: nothing, some values, or (``touched`` is None) everything."""

    touched: list[Any] | None
    positions: Mapping[str, Position]
    reason: str
    is_first: bool = False

    @property
    def is_nothing(self) -> bool:
        return self.touched == []


@dataclass(frozen=True)
class Feeds:
    """Finds the work of gold tables, and keeps in mind what was done. Threads may share it."""

    spark: SparkSession
    catalog: str
    currency: str
    known: dict[str, dict[str, Position]] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    found: dict[tuple[str, int, int, str], frozenset[Any]] = field(default_factory=dict)

    def read_positions(self) -> None:
        """Learn how far each feed of each target was read."""
        for row in self.spark.table(full_name(self.catalog, WATERMARKS)).collect():
            state = State(row["feed_id"], row["feed_version"], row["feed_committed_at"])
            position = Position(state, row["definition_hash"])
            self.known.setdefault(row["target"], {})[row["feed"]] = position

    def look_at(self, feeds: Iterable[str], workers: int) -> None:
        """Learn the state of feeds that do not change any more, side by side."""
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(self._state, sorted(feeds)))

    def known_of(self, definition: Gold) -> dict[str, Position]:
        """How far the feeds of a table were read before, those that it still has."""
        feeds = feeds_of(definition) or [ITSELF]
        known = self.known.get(definition.table, {})
        return {feed: known[feed] for feed in feeds if feed in known}

    def work(self, definition: Gold) -> Work:
        """What a table needs, given how far its feeds were read."""
        known = self.known_of(definition)
        hash_ = self._hash(definition)
        feeds = feeds_of(definition) or [ITSELF]
        positions = {feed: Position(self._state(feed), hash_) for feed in feeds}
        if positions == known:
            return Work([], positions, "nothing new")
        if not known:
            return Work(None, positions, "first time", is_first=True)
        refresh = definition.refresh
        if refresh is None:
            return Work(None, positions, "a feed changed")
        reason = self._everything(refresh.feeds, positions, known)
        if reason:
            return Work(None, positions, reason)
        changes = [
            Changes(feed, known[feed.table].state.version + 1, positions[feed.table].state.version)
            for feed in refresh.feeds
        ]
        touched = self._touched(definition, [c for c in changes if c.first <= c.last])
        reason = f"{len(touched)} values of {refresh.by} changed"
        return Work(sorted(touched) if len(touched) <= MOST_TOUCHED else None, positions, reason)

    def write_positions(self, done: Mapping[str, Mapping[str, Position]]) -> None:
        """Remember how far the feeds of tables were read."""
        now = datetime.now(UTC)
        rows = [
            (target, feed, *_row(position), now)
            for target, positions in done.items()
            for feed, position in positions.items()
        ]
        if not rows:
            return
        name = full_name(self.catalog, WATERMARKS)
        columns = (
            "target string, feed string, feed_id string, feed_version bigint, "
            "feed_committed_at timestamp, definition_hash string, updated_at timestamp"
        )
        with temporary_view(self.spark, self.spark.createDataFrame(rows, columns)) as view:
            self.spark.sql(
                f"MERGE INTO {name} AS t USING {view} AS s "
                "ON t.target = s.target AND t.feed = s.feed "
                "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
            )

    def _state(self, feed: str) -> State:
        """A feed is asked for when nothing writes it any more, so once is enough."""
        if feed == ITSELF:
            return State(ITSELF, 0, None)
        if feed not in self.states:
            name = full_name(self.catalog, feed)
            last = self.spark.sql(f"DESCRIBE HISTORY {name} LIMIT 1").collect()[0]
            version, committed_at = int(last["version"]), last["timestamp"]
            feed_id = self._known_id(feed, version, committed_at)
            if feed_id is None:
                feed_id = self.spark.sql(f"DESCRIBE DETAIL {name}").collect()[0]["id"]
            self.states[feed] = State(feed_id, version, committed_at)
        return self.states[feed]

    def _known_id(self, feed: str, version: int, committed_at: datetime) -> str | None:
        """The id of a table whose last commit is one that we know."""
        for positions in self.known.values():
            state = positions[feed].state if feed in positions else None
            if state and (state.version, state.committed_at) == (version, committed_at):
                return state.feed_id
        return None

    def _hash(self, definition: Gold) -> str:
        parts = [definition.sql, f"currency={self.currency}"]
        parts += [f"{column.name} {column.type}" for column in definition.columns.values()]
        if definition.rows:
            parts.append(json.dumps(definition.rows, default=str, sort_keys=True))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _everything(
        self,
        feeds: Iterable[Feed],
        positions: Mapping[str, Position],
        known: Mapping[str, Position],
    ) -> str | None:
        """Why a table has to be computed as a whole, if it has to."""
        for feed in feeds:
            now, before = positions[feed.table], known.get(feed.table)
            if before is None:
                return f"{feed.table} is a new feed"
            if before.definition_hash != now.definition_hash:
                return "the definition is another"
            if before.state.feed_id != now.state.feed_id:
                return f"{feed.table} is another table"
            if now.state.version < before.state.version:
                return f"{feed.table} was restored"
            if now.state.version > before.state.version:
                if feed.touches is None and feed.versions is None:
                    return f"{feed.table} changed"
                if self._is_forgotten(feed.table, before.state):
                    return f"the changes of {feed.table} may be gone"
        return None

    def _is_forgotten(self, feed: str, before: State) -> bool:
        """Whether the first change that was not read is so old that its files may be gone."""
        oldest = time.time() - CHANGES_ARE_KEPT.total_seconds()
        if before.committed_at is not None and before.committed_at.timestamp() > oldest:
            return False
        history = self.spark.sql(f"DESCRIBE HISTORY {full_name(self.catalog, feed)}")
        unread = history.where(f"version = {before.version + 1}").select("timestamp").collect()
        return not unread or unread[0][0].timestamp() < oldest

    def _touched(self, definition: Gold, changes: Sequence[Changes]) -> set[Any]:
        """The values that changes touch, in one query; tables that ask the same share an answer."""
        keys = {c.key(definition): c for c in changes}
        asked = [(key, c) for key, c in keys.items() if key not in self.found]
        if asked:
            with ExitStack() as views:
                questions = [
                    f"SELECT {place} AS place, * FROM ({self._question(definition, c, views)})"
                    for place, (_, c) in enumerate(asked)
                ]
                rows = self.spark.sql(" UNION ALL ".join(questions)).collect()
            for place, (key, _) in enumerate(asked):
                values = (row[1] for row in rows if row[0] == place)
                self.found[key] = frozenset(value for value in values if value is not None)
        return {value for key in keys for value in self.found[key]}

    def _question(self, definition: Gold, changes: Changes, views: ExitStack) -> str:
        feed = changes.feed
        name = literal(f"{self.catalog}.{feed.table}")
        frame = self.spark.sql(
            f"SELECT * FROM table_changes({name}, {changes.first}, {changes.last})"
        )
        # In a view of its own: Delta mixes up a table and its changes in one query.
        view = views.enter_context(temporary_view(self.spark, frame))
        if feed.versions:
            return rows_of_versions(
                definition, feed.table, feed.versions, view, frame.columns, self.catalog
            )
        return with_relation(qualify(feed.touches or "", self.catalog), "changes", view)


def _row(position: Position) -> tuple[str, int, datetime | None, str]:
    state = position.state
    return (state.feed_id, state.version, state.committed_at, position.definition_hash)
