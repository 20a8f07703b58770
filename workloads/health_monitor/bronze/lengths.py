"""Texts that are too long to be carried: their column is NULL, an account of them is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from health_monitor.bronze.fitting import by_name
from health_monitor.spec.sql import quoted, unused_name

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType

LONGEST_BYTES = 1024 * 1024
SHOWN_CHARACTERS = 100


def with_short_texts(rows: DataFrame, kinds: Mapping[str, DataType]) -> DataFrame:
    """The rows without what is too long; ``rescued_data`` becomes JSON of what was set aside."""
    from pyspark.sql import functions as F

    texts = {name: _text(name, kind) for name, kind in kinds.items() if _has_text(kind)}
    # Two zeros, as GREATEST wants two values also where no column is a text.
    longest = F.greatest(F.lit(0), F.lit(0), *map(F.octet_length, texts.values()))
    # A column of its own, so that a row is measured once and its columns only when one is long.
    measure = unused_name("longest_text_bytes", kinds)
    measured = rows.withColumn(measure, longest)
    has_long = F.col(measure) > LONGEST_BYTES
    short = {
        name: F.when(has_long & _is_long(text), F.lit(None)).otherwise(F.col(quoted(name)))
        for name, text in texts.items()
    }
    long = F.map_filter(by_name(texts.items()), lambda _, text: _is_long(text))
    found = F.map_concat("rescued_data", long)
    accounts = F.to_json(F.transform_values(found, lambda _, text: _account(text)))
    set_aside = F.when(has_long | (F.size("rescued_data") > 0), accounts)
    return measured.withColumns({**short, "rescued_data": set_aside}).drop(measure)


def _has_text(kind: DataType) -> bool:
    from pyspark.sql.types import ArrayType, MapType, StringType, StructType

    match kind:
        case StringType():
            return True
        case ArrayType():
            return _has_text(kind.elementType)
        case MapType():
            return _has_text(kind.keyType) or _has_text(kind.valueType)
        case StructType():
            return any(_has_text(field.dataType) for field in kind.fields)
    return False


def _text(name: str, kind: DataType) -> Column:
    from pyspark.sql import functions as F
    from pyspark.sql.types import StringType

    value = F.col(quoted(name))
    return value if isinstance(kind, StringType) else value.cast("string")


def _is_long(text: Column) -> Column:
    from pyspark.sql import functions as F

    return F.octet_length(text) > LONGEST_BYTES


def _account(text: Column) -> Column:
    """A text, or how long it is, what tells it from others, and its beginning."""
    from pyspark.sql import functions as F

    told = F.format_string(
        "%d bytes, SHA-256 %s: %s",
        F.octet_length(text),
        F.sha2(text, 256),
        F.substring(text, 1, SHOWN_CHARACTERS),
    )
    return F.when(_is_long(text), told).otherwise(text)
