"""Brings bronze tables up to date with their sources, in the way that each definition says."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from health_monitor.bronze.fitting import SourceError
from health_monitor.bronze.looks import (
    Look,
    definition_hash,
    freshness,
    last_looks,
    position,
    record,
)
from health_monitor.bronze.news import News, high_water
from health_monitor.bronze.source import conformed
from health_monitor.runtime import full_name, row_count, said
from health_monitor.spec.kinds import Bronze

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

AT_ONCE = 4
# Views over the catalog as it is now; to ask for their version would compute them.
COMPUTED = "information_schema."


@dataclass(frozen=True)
class Ingestor:
    """Reads sources of ``system_catalog`` into bronze tables of ``catalog``."""

    spark: SparkSession
    catalog: str
    system_catalog: str
    now: datetime
    looks: dict[str, Look] = field(default_factory=dict)

    def ingest_all(self, definitions: Iterable[Bronze]) -> list[Look]:
        """All tables, each on its own: one that fails does not keep the others from the news."""
        chosen = list(definitions)
        self.looks.update(last_looks(self.spark, self.catalog, (d.table for d in chosen)))
        with ThreadPoolExecutor(AT_ONCE) as threads:
            found = list(threads.map(self._tried, chosen))
        record(self.spark, self.catalog, [look for look, _ in found])
        errors = [error for _, error in found if error]
        if errors:
            raise SourceError("\n".join(errors))
        return [look for look, _ in found]

    def _tried(self, definition: Bronze) -> tuple[Look, str | None]:
        """A look, and what went wrong with it."""
        from pyspark.errors import PySparkException

        started, error = time.monotonic(), None
        try:
            look = self.ingest(definition)
        except (SourceError, PySparkException) as problem:
            error = self._described(definition, problem)
            look = self._not_assessed(definition, error)
        said(look.table, started, status=look.status, new_rows=look.new_rows)
        return look, error

    def _described(self, definition: Bronze, problem: Exception) -> str:
        if isinstance(problem, SourceError):
            return str(problem)
        text = str(problem).split("\n\nJVM stacktrace")[0].strip()
        name = f"{self.system_catalog}.{definition.source}"
        return f"{name} could not be read into {definition.table}: {text}"

    def ingest(self, definition: Bronze) -> Look:
        """Bring one table up to date."""
        source_name = full_name(self.system_catalog, definition.source)
        source = None
        if not definition.source.startswith(COMPUTED):
            source = position(self.spark, source_name)
        if source is None and not self.spark.catalog.tableExists(source_name):
            return self._missing(definition)
        table = position(self.spark, self._target(definition))
        before = self.looks.get(definition.table)
        if before and self._is_known(definition, before, source, table):
            return self._concluded(definition, replace(before, new_rows=0), before)
        new_rows, changed, mark = self._news(definition, source_name, before).bring(
            self._rows(definition, source_name)
        )
        look = Look(
            definition.source,
            definition.table,
            "assessed",
            None,
            new_rows,
            self._count(definition),
            self.now,
            source,
            position(self.spark, self._target(definition)) if changed else table,
            definition_hash(definition),
            mark,
        )
        return self._concluded(definition, look, before)

    def _rows(self, definition: Bronze, source_name: str) -> DataFrame:
        """The source's rows, as bronze wants them."""
        schema = self.spark.table(self._target(definition)).schema
        shown = f"{self.system_catalog}.{definition.source}"
        return conformed(self.spark.table(source_name), definition, schema, shown)

    def _news(self, definition: Bronze, source_name: str, before: Look | None) -> News:
        """What is there to find, given how far the source was read."""
        mark = before.high_water if before else None
        if mark is None and definition.watermark:
            table = self.spark.table(self._target(definition))
            mark = high_water(table, definition.watermark.column, self.now)
        target = self._target(definition)
        return News(self.spark, definition, source_name, target, self.now, mark)

    def _missing(self, definition: Bronze) -> Look:
        name = f"{self.system_catalog}.{definition.source}"
        if definition.optional:
            return self._not_assessed(definition, f"{name} is not there")
        raise SourceError(
            f"{name}, which {definition.table} needs, does not exist or may not be read: "
            f"enable the system schema {definition.source.split('.')[0]} and grant SELECT on it"
        )

    def _is_known(
        self, definition: Bronze, before: Look, source: str | None, table: str | None
    ) -> bool:
        """Whether neither the source nor bronze nor how it is read changed since the last look."""
        if None in (source, table):
            return False
        seen = (before.source_position, before.table_position, before.definition_hash)
        if seen != (source, table, definition_hash(definition)):
            return False
        # A picture of today is due, even of a source that did not change.
        is_today = before.checked_at.date() == self.now.astimezone(UTC).date()
        return is_today or definition.mode != "daily_snapshot"

    def _concluded(self, definition: Bronze, look: Look, before: Look | None) -> Look:
        status, detail = freshness(definition, look.high_water, before, self.now)
        return replace(look, status=status, detail=detail, checked_at=self.now)

    def _not_assessed(self, definition: Bronze, detail: str) -> Look:
        count = self._count(definition)
        source, table = definition.source, definition.table
        return Look(source, table, "not_assessed", detail, 0, count, self.now)

    def _target(self, definition: Bronze) -> str:
        return full_name(self.catalog, definition.table)

    def _count(self, definition: Bronze) -> int:
        return row_count(self.spark, self._target(definition))
