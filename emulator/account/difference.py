"""Which rows of an export a table lacks, counted: rows may be equal and still be two.

Rows are compared by a digest of their canonical JSON, since maps can be neither compared nor
grouped in Spark; a missing field and a NULL count as the same.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from emulator.account.schemas import quoted

_DIGEST = "__digest"
_COPY = "__copy"
_LACKING = "__lacking"
# Spark's default drops microseconds.
_JSON_OPTIONS = "map('timestampFormat', \"yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX\")"


def rows_to_add(exported: Any, table: Any, compared: pa.DataType) -> Any:
    """The rows of ``exported`` beyond those in ``table``, by what ``compared`` has."""
    digest = row_digest(compared)
    source = exported.selectExpr("*", f"{digest} AS {_DIGEST}")
    lacking = (
        _counts(exported, digest, "exported")
        .join(_counts(table, digest, "present"), _DIGEST, "left")
        .selectExpr(_DIGEST, f"exported - coalesce(present, 0) AS {_LACKING}")
        .where(f"{_LACKING} > 0")
    )
    copies = f"row_number() OVER (PARTITION BY {_DIGEST} ORDER BY {_DIGEST}) AS {_COPY}"
    return (
        source.join(lacking, _DIGEST)
        .selectExpr("*", copies)
        .where(f"{_COPY} <= {_LACKING}")
        .drop(_DIGEST, _COPY, _LACKING)
    )


def differs(exported: Any, table: Any, compared: pa.DataType) -> bool:
    """Whether the two hold other rows, or other numbers of equal rows."""
    digest = row_digest(compared)
    both = _counts(exported, digest, "exported").join(
        _counts(table, digest, "present"), _DIGEST, "full"
    )
    unequal = both.where("NOT exported <=> present").limit(1)
    return bool(unequal.count())


def row_digest(compared: pa.DataType) -> str:
    """The SQL expression of a row's digest."""
    fields = (f"{_literal(f.name)}, {_canonical(quoted(f.name), f.type, 0)}" for f in compared)
    return f"md5(to_json(named_struct({', '.join(fields)}), {_JSON_OPTIONS}))"


def _counts(frame: Any, digest: str, name: str) -> Any:
    digests = frame.selectExpr(f"{digest} AS {_DIGEST}")
    return digests.groupBy(_DIGEST).count().withColumnRenamed("count", name)


def _canonical(expression: str, type_: pa.DataType, depth: int) -> str:
    """``expression`` with its maps as sorted lists, and only the fields of ``type_``."""
    element = f"x{depth}"
    if pt.is_map(type_):
        key = _canonical(f"{element}.key", type_.key_type, depth + 1)
        value = _canonical(f"{element}.value", type_.item_type, depth + 1)
        entry = f"named_struct('k', {key}, 'v', {value})"
        return f"array_sort(transform(map_entries({expression}), {element} -> {entry}))"
    if pt.is_list(type_):
        inner = _canonical(element, type_.value_type, depth + 1)
        return f"transform({expression}, {element} -> {inner})"
    if pt.is_struct(type_):
        fields = (
            f"{_literal(f.name)}, {_canonical(f'{expression}.{quoted(f.name)}', f.type, depth)}"
            for f in type_
        )
        fresh = f"named_struct({', '.join(fields)})"
        return f"CASE WHEN {expression} IS NOT NULL THEN {fresh} END"
    return expression


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
