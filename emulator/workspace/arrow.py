"""Results as Arrow streams, for clients that ask for ARROW_STREAM."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa

_SIMPLE = {
    "boolean": pa.bool_(), "tinyint": pa.int8(), "smallint": pa.int16(), "int": pa.int32(),
    "bigint": pa.int64(), "float": pa.float32(), "double": pa.float64(), "string": pa.string(),
    "binary": pa.binary(), "date": pa.date32(), "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"), "void": pa.null(),
}  # fmt: skip
_DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)")


def arrow_stream(columns: list[Any], rows: list[list[Any]]) -> bytes:
    """The rows as one Arrow IPC stream; nested values take the type that their values have."""
    arrays = []
    for position, column in enumerate(columns):
        values = [row[position] for row in rows]
        arrays.append(pa.array(values, type=_arrow_type(column.type_text)))
    table = pa.Table.from_arrays(arrays, names=[column.name for column in columns])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _arrow_type(type_text: str) -> Any:
    text = type_text.lower()
    decimal = _DECIMAL.fullmatch(text)
    if decimal:
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    return _SIMPLE.get(text)
