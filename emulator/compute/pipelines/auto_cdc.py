"""AUTO CDC: change events, in any order, become the rows that they describe.

All events are kept. The rows of a key are a function of all its events, so an event that comes
late corrects what earlier batches wrote, and a batch that is run twice changes nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any

from emulator.compute.pipelines import tables
from emulator.compute.pipelines.delta_log import read_raw
from emulator.compute.pipelines.model import AutoCdc, PipelineError, TableName, quote

START, END = "__START_AT", "__END_AT"
_SEQUENCE, _DELETED, _BATCH, _GROUP = "__sequence", "__deleted", "__batch", "__group"


@dataclass(frozen=True)
class Written:
    upserted: int
    deleted: int


@dataclass
class ChangeEvents:
    """The change events of one flow, in a Delta table of their own."""

    spark: Any
    change: AutoCdc
    folder: Path

    def append(self, frame: Any, batch: int, transaction: dict[str, str]) -> None:
        """Add a batch of events, once. An event without key or order cannot be applied."""
        from pyspark.sql.connect import functions as F

        change = self.change
        deleted = F.lit(False)
        if change.apply_as_deletes is not None:
            deleted = F.coalesce(_expression(change.apply_as_deletes), F.lit(False))
        columns = self.columns(frame.columns)
        sequence = _expression(change.sequence_by)
        no_sequence = F.raise_error(F.lit(f"sequence_by of {change.source} is NULL"))
        checked = F.when(sequence.isNull(), no_sequence).otherwise(sequence)
        # First, where Delta notes the smallest and largest value: other batches' files stay unread.
        events = frame.select(
            F.lit(batch).cast("bigint").alias(_BATCH),
            checked.alias(_SEQUENCE),
            deleted.alias(_DELETED),
            *(F.col(quote(name)) for name in columns),
        )
        writer = events.write.format("delta").mode("append").option("mergeSchema", "true")
        writer.options(**transaction).save(str(self.folder))

    def columns(self, available: Sequence[str]) -> list[str]:
        """The columns that reach the target, in the source's order."""
        change = self.change
        wanted = available if change.column_list is None else change.column_list
        left_out = {name.lower() for name in change.except_column_list}
        columns = [name for name in wanted if name.lower() not in left_out]
        missing = [key for key in change.keys if key.lower() not in {c.lower() for c in columns}]
        if missing:
            raise PipelineError(f"AUTO CDC from {change.source}: no key column {missing}")
        return columns

    def touched_keys(self, batch: int) -> Any:
        from pyspark.sql.connect import functions as F

        return self._all().where(F.col(_BATCH) == batch).select(*self._keys()).distinct()

    def history(self, batch: int) -> Any:
        """The target's rows for every key that this batch touched."""
        events = self._all()
        if batch > 0:
            events = semi_join(events, self.touched_keys(batch), self.change.keys)
        if self.change.scd_type == 1:
            return self._latest(events)
        return self._versions(self._one_per_moment(events))

    def newest(self, batch: int) -> Any:
        """The newest row of every key in this batch, whatever other batches say of it."""
        from pyspark.sql.connect import functions as F

        return self._latest(self._all().where(F.col(_BATCH) == batch))

    def _all(self) -> Any:
        return self.spark.read.format("delta").load(str(self.folder))

    def _keys(self) -> list[Any]:
        from pyspark.sql.connect import functions as F

        return [F.col(quote(key)) for key in self.change.keys]

    def _values(self, events: Any) -> list[str]:
        internal = {_SEQUENCE, _DELETED, _BATCH, _GROUP}
        return [name for name in events.columns if name not in internal]

    def _one_per_moment(self, events: Any) -> Any:
        from pyspark.sql.connect import functions as F
        from pyspark.sql.connect.window import Window

        moment = Window.partitionBy(*self._keys(), F.col(_SEQUENCE))
        return _first(events, moment.orderBy(*self._precedence(events)))

    def _precedence(self, events: Any) -> list[Any]:
        """Which of the events of one moment counts."""
        from pyspark.sql.connect import functions as F

        values = F.to_json(F.struct(*(F.col(quote(name)) for name in self._values(events))))
        return [F.col(_BATCH).desc(), F.col(_DELETED).desc(), values.desc()]

    def _latest(self, events: Any) -> Any:
        from pyspark.sql.connect import functions as F
        from pyspark.sql.connect.window import Window

        order = [F.col(_SEQUENCE).desc(), *self._precedence(events)]
        newest = Window.partitionBy(*self._keys()).orderBy(*order)
        latest = _first(events, newest).where(~F.col(_DELETED))
        return latest.select(*(F.col(quote(name)) for name in self._values(events)))

    def _versions(self, events: Any) -> Any:
        """Successive events with equal tracked columns are one version, as last described."""
        from pyspark.sql.connect import functions as F
        from pyspark.sql.connect.window import Window

        values = self._values(events)
        order = Window.partitionBy(*self._keys()).orderBy(_SEQUENCE)
        tracked = F.to_json(F.struct(*(F.col(quote(name)) for name in self._tracked(values))))
        marked = events.withColumns({"__tracked": tracked}).withColumns(
            {
                "__starts": F.lag("__tracked").over(order).isNull()
                | F.lag(_DELETED).over(order)
                | F.col(_DELETED)
                | (F.col("__tracked") != F.lag("__tracked").over(order))
            }
        )
        grouped = marked.withColumn(_GROUP, F.sum(F.col("__starts").cast("int")).over(order))
        described = F.struct(*(F.col(quote(name)) for name in values))
        versions = grouped.groupBy(*self._keys(), F.col(_GROUP)).agg(
            F.max_by(described, F.col(_SEQUENCE)).alias("__row"),
            F.min(_SEQUENCE).alias(START),
            F.bool_or(F.col(_DELETED)).alias(_DELETED),
        )
        following = Window.partitionBy(*self._keys()).orderBy(START)
        ended = versions.withColumn(END, F.lead(START).over(following)).where(~F.col(_DELETED))
        return ended.select(*(F.col(f"__row.{quote(v)}").alias(v) for v in values), START, END)

    def _tracked(self, values: Sequence[str]) -> list[str]:
        change = self.change
        if change.track_history_columns is not None:
            return list(change.track_history_columns)
        left_out = {name.lower() for name in (*change.track_history_except, *change.keys)}
        # A table of keys only still has versions: between an insert and a delete.
        return [name for name in values if name.lower() not in left_out] or list(change.keys)


def shown_sequence(change: AutoCdc, columns: Sequence[str]) -> str | None:
    """The column of a row that says itself how new it is; None when no column does."""
    by = change.sequence_by
    return by if isinstance(by, str) and by in columns else None


def needs_no_history(change: AutoCdc, columns: Sequence[str]) -> bool:
    """Whether the target's rows alone tell which events are newer than they are."""
    is_latest = change.scd_type == 1 and change.apply_as_deletes is None
    return is_latest and shown_sequence(change, columns) is not None


def merge(
    spark: Any,
    change: AutoCdc,
    name: TableName,
    rows: Any,
    touched: Any | None,
    *,
    not_before: str | None = None,
) -> Written:
    """Make the target's rows of the touched keys (all keys, when None) equal to ``rows``.

    With ``not_before`` those that are newer by that column stay as they are.
    """
    target = read_raw(spark.read, name.sql)
    tables.add_missing_columns(spark, name, target.schema, rows.schema)
    identity = [*change.keys, START] if change.scd_type == 2 else list(change.keys)
    existing = target if touched is None else semi_join(target, touched, change.keys)
    view = f"__auto_cdc_{uuid.uuid4().hex}"
    _differences(rows, existing, identity, not_before).createOrReplaceTempView(view)
    try:
        outcome = spark.sql(_merge_statement(name, view, identity, rows.columns)).collect()[0]
    finally:
        spark.catalog.dropTempView(view)
    return Written(
        int(outcome["num_updated_rows"]) + int(outcome["num_inserted_rows"]),
        int(outcome["num_deleted_rows"]),
    )


def _differences(rows: Any, existing: Any, identity: Sequence[str], not_before: str | None) -> Any:
    """Rows that are missing or otherwise, and those that are there too much (``__gone``).

    With ``not_before`` a row that is older by that column is no difference.
    """
    from pyspark.sql.connect import functions as F

    content = F.to_json(F.struct(*(F.col(quote(name)) for name in rows.columns)))
    wanted = rows.withColumn("__wanted", content)
    there = existing.select(
        *(F.col(quote(name)).alias(f"__there_{place}") for place, name in enumerate(identity)),
        content.alias("__there"),
        (F.col(quote(not_before)) if not_before else F.lit(None)).alias("__there_since"),
    )
    same = [
        wanted[name].eqNullSafe(there[f"__there_{place}"]) for place, name in enumerate(identity)
    ]
    both = wanted.join(there, reduce(and_, same), "full")
    keys = {
        name: F.coalesce(F.col(quote(name)), F.col(f"__there_{place}"))
        for place, name in enumerate(identity)
    }
    differing = both.where("NOT __wanted <=> __there")
    if not_before:
        since = F.col("__there_since")
        differing = differing.where(since.isNull() | (F.col(quote(not_before)) >= since))
    return differing.select(
        *(keys.get(name, F.col(quote(name))).alias(name) for name in rows.columns),
        F.col("__wanted").isNull().alias("__gone"),
    )


def semi_join(frame: Any, keys: Any, names: Sequence[str]) -> Any:
    """The rows whose key is among the keys; NULLs are equal."""
    same = [frame[name].eqNullSafe(keys[name]) for name in names]
    return frame.join(keys, reduce(and_, same), "left_semi")


def _merge_statement(
    name: TableName, view: str, identity: Sequence[str], columns: Sequence[str]
) -> str:
    on = " AND ".join(f"t.{quote(column)} <=> s.{quote(column)}" for column in identity)
    want = ", ".join(f"s.{quote(column)}" for column in columns)
    changes = ", ".join(f"t.{quote(column)} = s.{quote(column)}" for column in columns)
    targets = ", ".join(quote(column) for column in columns)
    return (
        f"MERGE INTO {name.sql} t USING {quote(view)} s ON {on} "
        "WHEN MATCHED AND s.__gone THEN DELETE "
        f"WHEN MATCHED THEN UPDATE SET {changes} "
        f"WHEN NOT MATCHED AND NOT s.__gone THEN INSERT ({targets}) VALUES ({want})"
    )


def _first(frame: Any, window: Any) -> Any:
    from pyspark.sql.connect import functions as F

    numbered = frame.withColumn("__place", F.row_number().over(window))
    return numbered.where(F.col("__place") == 1).drop("__place")


def _expression(value: Any) -> Any:
    from pyspark.sql.connect import functions as F

    return F.expr(value) if isinstance(value, str) else value
