"""Fetches what a monitor reads: the rows of its windows, in the form the statistics need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from emulator.services.monitoring.changes import Seen, narrowed
from emulator.services.monitoring.config import MonitorConfig, MonitorError
from emulator.services.monitoring.custom import quote
from emulator.services.monitoring.grouping import (
    ALL_MODELS,
    TOP_SLICES,
    Dimension,
    Grouping,
    encode,
    make_grouping,
    windows,
)
from emulator.services.monitoring.profile import Column, Family, make_column
from emulator.services.monitoring.windows import Granularity, Span, moment_sql

LOOKBACK = timedelta(days=30)
_CELLS_AT_ONCE = 12_000_000
_TIME, _BASELINE = "__time", "__baseline"


@dataclass
class Source:
    """The monitored rows and the baseline's, as one Spark frame."""

    spark: Any
    config: MonitorConfig
    frame: Any
    fields: Sequence[Any]
    spans: list[Span]
    rows: int

    @property
    def is_settled(self) -> bool:
        """Whether every window is on record as it is."""
        return bool(self.spans) and all(span.stale == frozenset() for span in self.spans)

    def chunks(self) -> Iterator[tuple[list[Grouping], list[Column]]]:
        """Columns, as many at once as memory allows, each time with the rows' groups."""
        width = max(1, _CELLS_AT_ONCE // max(self.rows, 1))
        for start in range(0, len(self.fields), width):
            yield self._fetch(self.fields[start : start + width])

    def aggregate(self, selections: list[str]) -> list[dict[str, Any]]:
        """The given aggregate expressions of every group."""
        from pyspark.sql.connect import functions as F

        if not selections:
            return []
        spread = self.frame.withColumn("__window", F.explode(F.expr(self._window_structs())))
        spread = spread.withColumn("__slice", F.explode(F.expr(self._slice_structs())))
        spread = spread.withColumn("__model", F.explode(F.expr(self._model_array())))
        groups = [
            F.expr("__window.granularity").alias("granularity"),
            F.expr("__window.start").alias("start"),
            F.col(_BASELINE).alias("is_baseline"),
            F.expr("__slice.key").alias("slice_key"),
            F.expr("__slice.value").alias("slice_value"),
            F.col("__model").alias("model"),
        ]
        present = spread.where("__slice.key IS NULL OR __slice.value IS NOT NULL")
        result = present.groupBy(*groups).agg(*(F.expr(text) for text in selections))
        return list(result.toArrow().to_pylist())

    def _fetch(self, fields: Sequence[Any]) -> tuple[list[Grouping], list[Column]]:
        from pyspark.sql.connect import functions as F

        config = self.config
        kinds = [family(field.dataType) for field in fields]
        selected = [F.col(_BASELINE)]
        for number, span in enumerate(self.spans):
            selected.append(F.expr(self._window(span)).alias(f"__w{number}"))
        for number, text in enumerate(config.slices):
            selected.append(F.expr(f"CAST(({text}) AS STRING)").alias(f"__s{number}"))
        if config.model_column:
            selected.append(F.expr(f"CAST({quote(config.model_column)} AS STRING)").alias("__m"))
        for number, (field, kind) in enumerate(zip(fields, kinds, strict=True)):
            selected.append(F.expr(_form(field, kind)).alias(f"__c{number}"))
        fetched = self.frame.select(*selected).toArrow()
        columns = [
            make_column(
                field.name, field.dataType.simpleString(), kind, fetched.column(f"__c{number}")
            )
            for number, (field, kind) in enumerate(zip(fields, kinds, strict=True))
        ]
        return self._groupings(fetched), columns

    def _groupings(self, fetched: pa.Table) -> list[Grouping]:
        baseline = fetched.column(_BASELINE).to_numpy()
        slicings: list[tuple[str | None, Dimension | None]] = [(None, None)]
        for number, text in enumerate(self.config.slices):
            slicings.append((text, encode(fetched.column(f"__s{number}"), top=TOP_SLICES)))
        models: list[Dimension | None] = [None]
        if self.config.model_column:
            everyone = Dimension(np.zeros(fetched.num_rows, dtype=np.int64), [ALL_MODELS])
            models = [everyone, encode(fetched.column("__m"))]
        times: list[Dimension]
        if self.spans:
            times = [
                windows(fetched.column(f"__w{number}"), span.granularity, baseline)
                for number, span in enumerate(self.spans)
            ]
        else:
            times = [windows(None, None, baseline)]
        return [
            make_grouping(time, key, dimension, model)
            for time in times
            for key, dimension in slicings
            for model in models
        ]

    def _window(self, span: Span) -> str:
        return f"CASE WHEN {_is_read(span)} THEN {span.granularity.start_sql(_TIME)} END"

    def _window_structs(self) -> str:
        empty = (
            "array(named_struct('granularity', CAST(NULL AS STRING), 'start', "
            "CAST(NULL AS TIMESTAMP)))"
        )
        if not self.spans:
            return empty
        structs = ", ".join(
            f"named_struct('granularity', '{span.granularity.text}', 'start', {self._window(span)})"
            for span in self.spans
        )
        return (
            f"CASE WHEN {_BASELINE} THEN {empty} "
            f"ELSE filter(array({structs}), w -> w.start IS NOT NULL) END"
        )

    def _slice_structs(self) -> str:
        structs = [
            "named_struct('key', CAST(NULL AS STRING), 'value', CAST(NULL AS STRING))",
            *(
                f"named_struct('key', {_literal(text)}, 'value', CAST(({text}) AS STRING))"
                for text in self.config.slices
            ),
        ]
        return f"array({', '.join(structs)})"

    def _model_array(self) -> str:
        if not self.config.model_column:
            return "array(CAST(NULL AS STRING))"
        return f"array('{ALL_MODELS}', CAST({quote(self.config.model_column)} AS STRING))"


def open_source(spark: Any, config: MonitorConfig, state: Seen, before: Seen | None) -> Source:
    """Find the windows to compute and the rows in them.

    The 30 days end at the newest row rather than at ``now``: an account may have been exported
    long before it is looked at.
    """
    from pyspark.sql.connect import functions as F

    table = spark.read.table(config.table)
    fields = list(table.schema.fields)
    known = {field.name.lower() for field in fields}
    wanted = [config.timestamp_column, config.model_column]
    wanted += [c for metric in config.metrics for c in metric.input_columns if c != ":table"]
    missing = sorted({c for c in wanted if c and c.lower() not in known})
    if missing:
        raise MonitorError(f"{config.table} has no column {', '.join(missing)}")
    frame = table.withColumn(_BASELINE, F.lit(False))
    spans: list[Span] = []
    if config.timestamp_column:
        time = f"CAST({quote(config.timestamp_column)} AS TIMESTAMP)"
        frame = frame.withColumn(_TIME, F.expr(time)).where(f"{_TIME} <= {moment_sql(state.at)}")
        newest = frame.agg(F.max(_TIME).alias("newest")).toArrow().column(0)[0].as_py()
        spans = [_span(granularity, newest or state.at) for granularity in config.granularities]
        if before is not None and newest is not None:
            spans = narrowed(spark, config.table, time, spans, newest, before, state)
        frame = frame.where(" OR ".join(f"({_is_read(span)})" for span in spans))
    if config.baseline:
        baseline = spark.read.table(config.baseline).withColumn(_BASELINE, F.lit(True))
        frame = frame.unionByName(baseline, allowMissingColumns=True)
    return Source(spark, config, frame, fields, spans, frame.count())


def family(data_type: Any) -> Family:
    """How the statistics treat a type."""
    from pyspark.sql import types as T

    if isinstance(data_type, T.NumericType):
        return "number"
    if isinstance(data_type, T.TimestampType | T.TimestampNTZType | T.DateType):
        return "time"
    if isinstance(data_type, T.StringType | T.CharType | T.VarcharType):
        return "text"
    if isinstance(data_type, T.BooleanType):
        return "boolean"
    if isinstance(data_type, T.ArrayType | T.BinaryType):
        return "array"
    return "other"


def _is_read(span: Span) -> str:
    """SQL: whether a row is in a window that a refresh needs."""
    reaches = f"{_TIME} >= {moment_sql(span.compared_from)}"
    read = span.read
    if read is None:
        return reaches
    starts = ", ".join(moment_sql(start) for start in read) or "NULL"
    return f"{reaches} AND {span.granularity.start_sql(_TIME)} IN ({starts})"


def _span(granularity: Granularity, newest: datetime) -> Span:
    limit = newest - LOOKBACK
    start = granularity.start(limit)
    return Span(granularity, start if start == limit else granularity.following(start))


def _form(field: Any, kind: Family) -> str:
    """SQL for a column as the statistics take it."""
    column = quote(field.name)
    length = "length" if field.dataType.typeName() == "binary" else "size"
    return {
        "number": f"CAST({column} AS DOUBLE)",
        "time": f"unix_micros(CAST({column} AS TIMESTAMP)) / 1e6D",
        "text": f"CAST({column} AS STRING)",
        "boolean": f"CAST({column} AS STRING)",
        "array": f"CASE WHEN {column} IS NOT NULL THEN {length}({column}) END",
        "other": f"CASE WHEN {column} IS NOT NULL THEN 1 END",
    }[kind]


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
