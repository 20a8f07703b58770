"""A source table as bronze wants it: declared columns, derived ones, and whatever is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from health_monitor.bronze.fitting import Fitting, SourceError
from health_monitor.bronze.lengths import with_short_texts
from health_monitor.bronze.protection import protected, protected_columns
from health_monitor.bronze.shape import added_columns
from health_monitor.spec.kinds import Bronze
from health_monitor.spec.sql import quoted, unused_name

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import StructType

SEPARATOR = "\u001f"


def conformed(source: DataFrame, definition: Bronze, target: StructType, name: str) -> DataFrame:
    """Columns by name and in the target's types; a missing field is NULL, a new one is kept."""
    from pyspark.sql import functions as F

    raw, new, set_aside = _fitted(source, definition, target, name)
    derived = [
        F.expr(column.expression).cast(column.type).alias(column.name)
        for column in definition.derived.values()
    ]
    kept = [protected(column, definition.protect).alias(column) for column in definition.columns]
    added = [F.col(quoted(column)) for column in new]
    rescued = F.col(set_aside).alias("rescued_data")
    stored = raw.select(*kept, *derived, *added, rescued)
    types = {field.name: field.dataType for field in (*source.schema.fields, *target.fields)}
    names = (*definition.columns, *definition.derived, *new)
    return with_short_texts(stored, {name: types[name] for name in names})


def _fitted(
    source: DataFrame, definition: Bronze, target: StructType, name: str
) -> tuple[DataFrame, list[str], str]:
    """The source's rows with all that derived columns are computed from; what is new.

    The last is the column of what did not fit; the source may have one named like bronze's.
    """
    from pyspark.sql import functions as F
    from pyspark.sql.types import NullType

    here = {field.name: field.dataType for field in source.schema.fields}
    _check_columns(here, definition, name)
    fitting = Fitting(name, protected_columns(definition.protect))
    wanted = {field.name: field.dataType for field in target.fields}
    columns = []
    for column in definition.columns:
        if column in here:
            value = fitting.fit(F.col(quoted(column)), here[column], wanted[column], column)
        else:
            value = F.lit(None).cast(wanted[column])
        columns.append(value.alias(column))
    for column in definition.protect.drop:
        value = F.col(quoted(column)) if column in here else F.lit(None).cast("string")
        columns.append(value.alias(column))
    known = {*definition.columns, *definition.protect.drop, *definition.derived}
    new = [n for n, kind in here.items() if n not in known and not isinstance(kind, NullType)]
    columns += [F.col(quoted(column)) for column in new]
    set_aside = unused_name("rescued_data", here)
    return source.select(*columns, fitting.set_aside().alias(set_aside)), new, set_aside


def _check_columns(here: dict[str, object], definition: Bronze, name: str) -> None:
    required = [
        column.name
        for column in definition.columns.values()
        if column.name not in here and not column.optional
    ]
    if required:
        raise SourceError(
            f"{name} has no column {', '.join(required)}; it has: {', '.join(sorted(here))}"
        )
    added = {column.name for column in added_columns(definition)}
    taken = [n for n in here if n.lower() in added and n not in definition.protect.drop]
    if taken:
        names = ", ".join(taken)
        raise SourceError(
            f"{name} has a column {names}, which bronze adds itself; "
            f"to leave the source's out, the definition says protect: {{drop: [{names}]}}"
        )


def with_row_key(frame: DataFrame, key: list[str], newest_by: str | None = None) -> DataFrame:
    """Each row once, with what tells it from the others; of several states the newest."""
    from pyspark.sql import functions as F
    from pyspark.sql.window import Window

    parts: list[Column] = []
    for name in key:
        parts += [F.lit(SEPARATOR)] if parts else []
        parts.append(F.col(quoted(name)).cast("string"))
    names = frame.columns
    whole = F.to_json(F.struct(*(F.col(quoted(name)) for name in names)))
    keyed = frame.withColumn("row_key", F.coalesce(F.concat(*parts), F.sha2(whole, 256)))
    if newest_by is None:
        return keyed.dropDuplicates(["row_key"])
    newest = Window.partitionBy("row_key").orderBy(F.col(quoted(newest_by)).desc_nulls_last())
    place = unused_name("place", names)
    placed = keyed.withColumn(place, F.row_number().over(newest))
    return placed.where(F.col(place) == 1).drop(place)
