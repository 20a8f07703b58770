"""One refresh of a monitor: profile its windows, compare them, and replace what it computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from emulator.services.monitoring.changes import Seen, look
from emulator.services.monitoring.config import TABLE_ROW, MonitorConfig, parse_monitor
from emulator.services.monitoring.custom import Aggregates, add_derived, add_drift, quote
from emulator.services.monitoring.drift import drift
from emulator.services.monitoring.grouping import Array, Grouping, Label
from emulator.services.monitoring.profile import Column, Profile, profile
from emulator.services.monitoring.source import Source, open_source
from emulator.services.monitoring.tables import BASE, CURRENT, ROW, Blocks, columns_delta
from emulator.services.monitoring.windows import Span, moment_sql

Pair = tuple[int, int, bool]
_THREADS = 2
_EXCLUDED_RULES = "spark.sql.optimizer.excludedRules"
_LOCAL_PROJECTION = "org.apache.spark.sql.catalyst.optimizer.ConvertToLocalRelation"
# What no custom drift metric needs unless it names it; together most of a profile's bytes.
_HEAVY = ("quantiles", "frequent_items", "non_null_columns")


def refresh(
    spark: Any, monitor: dict[str, Any], *, now: datetime, seen: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Compute the monitor's windows and write both tables.

    With what the refresh before has ``seen``, only windows that changed since. Gives
    ``profile_table``, ``drift_table``, ``windows`` computed, ``rows`` read, ``seen``, and
    ``left_out``: what the monitor asks for and this engine does not compute.
    """
    config = parse_monitor(monitor)
    now = now.astimezone(UTC)
    state = look(spark, config.table, config.version, now)
    on_record = _windows_on_record(spark, config)
    # What a baseline holds counts in every window.
    is_kept = bool(on_record) and spark.catalog.tableExists(config.drift_table)
    before = Seen.parse(seen) if seen and is_kept and not config.baseline else None
    source = open_source(spark, config, state, before)
    computed = _Refresh(spark, config, source, state, on_record)
    if not source.is_settled:
        computed.profile_columns()
        computed.profile_tables()
        with _large_local_relations(spark):
            computed.write()
    left_out = []
    if config.label_column:
        left_out.append("model quality metrics of inference_log (label_col)")
    if not source.spans and not config.baseline:
        left_out.append("drift between refreshes of a snapshot")
    return {
        "profile_table": config.profile_table,
        "drift_table": config.drift_table,
        "windows": computed.windows(),
        "rows": source.rows,
        "left_out": left_out,
        "seen": state.document(),
    }


@contextmanager
def _large_local_relations(spark: Any) -> Iterator[None]:
    """Keep Spark's optimizer from projecting the profile row by row, interpreted, on one thread.

    The rule is meant for a handful of rows; on 50,000 rows of 40 columns it took minutes.
    """
    before = spark.conf.get(_EXCLUDED_RULES, "")
    spark.conf.set(_EXCLUDED_RULES, ",".join(filter(None, [before, _LOCAL_PROJECTION])))
    try:
        yield
    finally:
        spark.conf.set(_EXCLUDED_RULES, before)


@dataclass
class _GroupFacts:
    """What the ``:table`` row of one grouping needs, gathered over all chunks of columns."""

    grouping: Grouping
    pairs: list[Pair]
    rows: Array
    non_null: list[list[str]] = field(default_factory=list)


class _Refresh:
    """One refresh while it runs."""

    def __init__(
        self,
        spark: Any,
        config: MonitorConfig,
        source: Source,
        state: Seen,
        on_record: set[tuple[str, datetime]],
    ) -> None:
        self._spark = spark
        self._config = config
        self._source = source
        self._now = state.at
        self._blocks = Blocks(config, state.at, state.table_version)
        self._kept = on_record
        self._facts: list[_GroupFacts] = []
        self._profiles: list[pa.Table] = []
        self._drifts: list[pa.Table] = []
        self._groups: list[tuple[tuple[Any, ...], str]] = []
        self._written: list[bool] = []

    def profile_columns(self) -> None:
        """Profile every column in every grouping, and compare the groups."""
        with ThreadPoolExecutor(_THREADS) as pool:
            for groupings, columns in self._source.chunks():
                self._match_facts(groupings)
                work = [(column, facts) for column in columns for facts in self._facts]
                for (column, facts), found in zip(work, pool.map(_measure, work), strict=True):
                    self._add(column, facts, *found)

    def profile_tables(self) -> None:
        """The ``:table`` rows, which need to have seen every column."""
        for facts in self._facts:
            labels = facts.grouping.labels
            first = len(self._groups)
            names = facts.non_null
            self._profiles.append(self._blocks.table_rows(labels, facts.rows, names, first))
            self._remember(labels, TABLE_ROW)
            pairs = [pair for pair in facts.pairs if self._is_wanted(labels, pair)]
            current, base = _sides(pairs)
            found = {
                "count_delta": (facts.rows[current] - facts.rows[base]).astype(np.float64),
                "non_null_columns_delta": columns_delta(
                    [names[number] for number in current], [names[number] for number in base]
                ),
            }
            self._drifts.append(self._blocks.drift(labels, pairs, (TABLE_ROW, None), found, first))

    def write(self) -> None:
        """Replace the computed windows in both tables, each in one transaction."""
        config = self._config
        profiles = pa.concat_tables(self._profiles)
        aggregates = Aggregates(config)
        aggregates.take(self._source.aggregate(aggregates.selections))
        extra = aggregates.columns(self._groups)
        written = profiles.filter(pa.array(self._written))
        chosen = np.flatnonzero(self._written)
        full = self._profile_frame(written, extra, chosen, aggregates)
        self._replace(full.drop(ROW), config.profile_table, self._profile_predicate())
        drifts = self._frame(pa.concat_tables(self._drifts))
        if config.of_kind("DRIFT"):
            needed = " ".join(metric.definition for metric in config.of_kind("DRIFT"))
            light = profiles.drop_columns([name for name in _HEAVY if name not in needed])
            everything = np.arange(len(self._groups))
            compared = self._profile_frame(light, extra, everything, aggregates)
            drifts = add_drift(drifts, compared, config, (ROW, CURRENT, BASE))
        if self._source.spans or config.baseline:
            predicate = self._window_predicate(Span.is_compared)
            self._replace(drifts.drop(CURRENT, BASE), config.drift_table, predicate)

    def windows(self) -> int:
        """How many windows were written."""
        return len(
            {
                (label.granularity, label.start)
                for facts in self._facts
                for label in facts.grouping.labels
                if not label.is_baseline and self._is_written(label)
            }
        )

    def _match_facts(self, groupings: list[Grouping]) -> None:
        """Each chunk numbers its groups anew: keep what is known of each group by its label."""
        renewed = []
        for number, grouping in enumerate(groupings):
            inside = grouping.codes[grouping.codes >= 0]
            rows = np.bincount(inside, minlength=grouping.size)
            facts = _GroupFacts(grouping, grouping.pairs(), rows, [[] for _ in grouping.labels])
            if self._facts:
                before = self._facts[number]
                known = dict(zip(before.grouping.labels, before.non_null, strict=True))
                facts.non_null = [known[label] for label in grouping.labels]
            renewed.append(facts)
        self._facts = renewed

    def _add(
        self, column: Column, facts: _GroupFacts, found: Profile, moved: dict[str, Array]
    ) -> None:
        labels = facts.grouping.labels
        first = len(self._groups)
        self._profiles.append(self._blocks.profile(labels, found, first))
        self._remember(labels, column.name)
        for names, present in zip(facts.non_null, found.present, strict=True):
            if present:
                names.append(column.name)
        wanted = [self._is_wanted(labels, pair) for pair in facts.pairs]
        pairs = [pair for pair, is_wanted in zip(facts.pairs, wanted, strict=True) if is_wanted]
        mask = np.array(wanted, dtype=bool)
        kept = {name: values[mask].astype(np.float64) for name, values in moved.items()}
        which = (column.name, column.type_text)
        self._drifts.append(self._blocks.drift(labels, pairs, which, kept, first))

    def _remember(self, labels: list[Label], column: str) -> None:
        for label in labels:
            text = label.granularity.text if label.granularity else None
            key = (text, label.start, label.is_baseline)
            group = (*key, label.slice_key, label.slice_value, label.model)
            self._groups.append((group, column))
            self._written.append(self._is_written(label))

    def _is_written(self, label: Label) -> bool:
        """Whether a group is part of the result, or was computed only to compare with."""
        if label.is_baseline or label.granularity is None or label.start is None:
            return True
        return self._span(label).is_profiled(label.start)

    def _span(self, label: Label) -> Span:
        return next(s for s in self._source.spans if s.granularity == label.granularity)

    def _is_wanted(self, labels: list[Label], pair: Pair) -> bool:
        """Whether both sides of a comparison are in the profile table."""
        current, base = labels[pair[0]], labels[pair[1]]
        if current.start is not None and not self._span(current).is_compared(current.start):
            return False
        on_record = base.granularity and (base.granularity.text, base.start) in self._kept
        return self._is_written(base) or bool(on_record)

    def _profile_frame(
        self, rows: pa.Table, extra: dict[str, list[Any]], chosen: Array, aggregates: Aggregates
    ) -> Any:
        from pyspark.sql.connect import functions as F

        for name, values in extra.items():
            rows = rows.append_column(name, pa.array([values[number] for number in chosen]))
        frame = self._frame(rows)
        for name in extra:
            kind = aggregates.type_of(name)
            frame = frame.withColumn(name, F.expr(f"CAST({quote(name)} AS {kind})"))
        return add_derived(frame, self._config)

    def _frame(self, rows: pa.Table) -> Any:
        from pyspark.sql.pandas.types import from_arrow_schema

        if rows.num_rows:
            return self._spark.createDataFrame(rows)
        return self._spark.createDataFrame([], from_arrow_schema(rows.schema))

    def _replace(self, frame: Any, table: str, predicate: str) -> None:
        writer = frame.write.format("delta").mode("overwrite").option("mergeSchema", "true")
        writer.option("replaceWhere", predicate).saveAsTable(table)

    def _profile_predicate(self) -> str:
        return f"log_type = 'BASELINE' OR {self._window_predicate(Span.is_profiled)}"

    def _window_predicate(self, belongs: Callable[[Span, datetime], bool]) -> str:
        if not self._source.spans:
            return f"(granularity IS NULL AND window.start = {moment_sql(self._now)})"
        return " OR ".join(
            f"(granularity = '{span.granularity.text}' AND {_starts(span, belongs)})"
            for span in self._source.spans
        )


def _measure(work: tuple[Column, _GroupFacts]) -> tuple[Profile, dict[str, Array]]:
    column, facts = work
    found = profile(column, facts.grouping)
    return found, drift(found, *_sides(facts.pairs))


def _sides(pairs: list[Pair]) -> tuple[Array, Array]:
    sides = np.array([pair[:2] for pair in pairs], dtype=np.int64).reshape(-1, 2)
    return sides[:, 0], sides[:, 1]


def _starts(span: Span, belongs: Callable[[Span, datetime], bool]) -> str:
    """SQL: whether a row of a metric table is of a window that is replaced."""
    if span.read is None:
        return f"window.start >= {moment_sql(span.first)}"
    starts = ", ".join(moment_sql(start) for start in span.read if belongs(span, start))
    return f"window.start IN ({starts or 'NULL'})"


def _windows_on_record(spark: Any, config: MonitorConfig) -> set[tuple[str, datetime]]:
    """The windows that earlier refreshes have written."""
    if not spark.catalog.tableExists(config.profile_table):
        return set()
    found = spark.sql(
        f"SELECT DISTINCT granularity, window.start AS start FROM {config.profile_table} "
        "WHERE log_type = 'INPUT' AND column_name = ':table' AND slice_key IS NULL"
    ).toArrow()
    return {(row["granularity"], row["start"]) for row in found.to_pylist()}
