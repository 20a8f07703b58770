"""A source table as bronze wants it: every declared column and field, and whatever is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from health_monitor.spec.kinds import Bronze
from health_monitor.spec.sql import quoted

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType, StructType

SEPARATOR = "\u001f"


class SourceError(RuntimeError):
    """A source that is needed is not there, or is not what it should be."""


def conformed(source: DataFrame, definition: Bronze, target: StructType, name: str) -> DataFrame:
    """Columns by name and in the target's types; a missing field is NULL, a new one is kept."""
    from pyspark.sql import functions as F

    here = {field.name: field.dataType for field in source.schema.fields}
    missing = [c.name for c in definition.columns.values() if c.name not in here]
    required = [column for column in missing if not definition.columns[column].optional]
    if required:
        raise SourceError(
            f"{name} has no column {', '.join(required)}; it has: {', '.join(sorted(here))}"
        )
    wanted = {field.name: field.dataType for field in target.fields}
    columns = []
    for column in definition.columns:
        value = F.lit(None) if column in missing else F.col(quoted(column))
        kind = here.get(column)
        fitted = value.cast(wanted[column]) if kind is None else _fit(value, kind, wanted[column])
        columns.append(fitted.alias(column))
    new = [column for column in here if column not in definition.columns]
    return source.select(*columns, *(F.col(quoted(column)) for column in new))


def with_row_key(frame: DataFrame, key: list[str]) -> DataFrame:
    """Each row once, with what tells it from the others."""
    from pyspark.sql import functions as F

    parts: list[Column] = []
    for name in key:
        parts += [F.lit(SEPARATOR)] if parts else []
        parts.append(F.col(quoted(name)).cast("string"))
    whole = F.to_json(F.struct(*(F.col(quoted(name)) for name in frame.columns)))
    row_key = F.coalesce(F.concat(*parts), F.sha2(whole, 256))
    return frame.withColumn("row_key", row_key).dropDuplicates(["row_key"])


def _fit(value: Column, have: DataType, want: DataType) -> Column:
    """A value in the wanted type; structs field by field."""
    from pyspark.sql import functions as F
    from pyspark.sql.types import StructType

    if have == want:
        return value
    if not isinstance(have, StructType) or not isinstance(want, StructType):
        return value.cast(want)
    fields = []
    for field in want.fields:
        if field.name in have.names:
            part = _fit(value.getField(field.name), have[field.name].dataType, field.dataType)
        else:
            part = F.lit(None).cast(field.dataType)
        fields.append(part.alias(field.name))
    fields += [
        value.getField(field.name).alias(field.name)
        for field in have.fields
        if field.name not in want.names
    ]
    return F.when(value.isNotNull(), F.struct(*fields))
