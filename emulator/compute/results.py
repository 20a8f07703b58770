"""Turns a Spark result into plain columns and rows."""

from __future__ import annotations

from typing import Any

from emulator.compute.spec import Column, QueryResult

_FAMILIES = {
    "ByteType": "BYTE",
    "ShortType": "SHORT",
    "IntegerType": "INT",
    "LongType": "LONG",
    "NullType": "NULL",
    "VarcharType": "STRING",
    "TimestampNTZType": "TIMESTAMP_NTZ",
    "DayTimeIntervalType": "INTERVAL",
    "YearMonthIntervalType": "INTERVAL",
    "CalendarIntervalType": "INTERVAL",
}


def fetch(frame: Any, row_limit: int | None) -> QueryResult:
    """All rows, or the first ``row_limit`` of them and whether there were more."""
    fields = frame.schema.fields
    columns = [
        Column(field.name, type_text(field.dataType), type_name(field.dataType), position)
        for position, field in enumerate(fields)
    ]
    if not columns:
        return QueryResult([], [])
    limited = frame if row_limit is None else frame.limit(row_limit + 1)
    # collect() shifts timestamps by this process's own time zone, and toArrow() fails on a NULL
    # struct whose fields cannot be NULL; the table that both begin with does neither.
    table, _ = limited._to_table()
    values = [column.to_pylist(maps_as_pydicts="strict") for column in table.columns]
    values = [
        [_variant(v) for v in column] if type_name(field.dataType) == "VARIANT" else column
        for field, column in zip(fields, values, strict=True)
    ]
    rows = [list(row) for row in zip(*values, strict=True)]
    truncated = row_limit is not None and len(rows) > row_limit
    return QueryResult(columns, rows[:row_limit], truncated)


def type_text(data_type: Any) -> str:
    """The type as Databricks SQL writes it: ARRAY<STRUCT<a: BIGINT>>."""
    name = type(data_type).__name__
    if name == "ArrayType":
        return f"ARRAY<{type_text(data_type.elementType)}>"
    if name == "MapType":
        return f"MAP<{type_text(data_type.keyType)}, {type_text(data_type.valueType)}>"
    if name == "StructType":
        inner = (f"{field.name}: {type_text(field.dataType)}" for field in data_type.fields)
        return f"STRUCT<{', '.join(inner)}>"
    return str(data_type.simpleString()).upper()


def type_name(data_type: Any) -> str:
    """The family of a type, as the Statement Execution API names it."""
    name = type(data_type).__name__
    return _FAMILIES.get(name, name.removesuffix("Type").upper())


def _variant(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"value", "metadata"}:
        from pyspark.sql.types import VariantVal

        return VariantVal(value["value"], value["metadata"]).toJson()
    return value
