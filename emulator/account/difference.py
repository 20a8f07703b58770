"""Which rows of an export a table lacks, counted: rows may be equal and still be two.

Rows are compared by 128-bit digests that are computed column by column. Spark can neither
compare nor group maps, and takes ten times as long for a digest of nested columns.
A missing field and a NULL count as the same; the order of a map's entries counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

# One row a value, two halves of its digest; all arithmetic wraps.
Digests = npt.NDArray[np.uint64]

_KEYS = ("emulator-account", "account-emulator")
_NULL = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], dtype=np.uint64)
_FACTOR = np.array([0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)
_SHIFT = np.uint64(31)
_BATCH_ROWS = 65_536


def read_batches(file: Path) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file; old INT96 times as microseconds, so that none overflows."""
    with pq.ParquetFile(file, coerce_int96_timestamp_unit="us") as source:
        yield from source.iter_batches(_BATCH_ROWS)


def file_digests(files: Sequence[Path], compared: pa.DataType) -> Digests:
    """The digests of all rows of some files, in order, by the fields of ``compared``."""
    parts = [np.empty((0, 2), dtype=np.uint64)]
    for file in files:
        parts += [row_digests(batch, compared) for batch in read_batches(file)]
    return np.concatenate(parts)


def row_digests(batch: pa.RecordBatch, compared: pa.DataType) -> Digests:
    """The digests of the rows of a batch."""
    columns = {name: batch.column(name) for name in batch.schema.names}
    return _fields(columns, compared, batch.num_rows)


def beyond(exported: Digests, present: Digests) -> npt.NDArray[np.bool_]:
    """Marks the exported rows that are more than the table has of their like."""
    rows = pd.DataFrame(exported, columns=["a", "b"])
    copy = rows.groupby(["a", "b"]).cumcount()
    counts = pd.DataFrame(present, columns=["a", "b"]).value_counts().rename("present")
    have = rows.join(counts, on=["a", "b"])["present"].fillna(0)
    marks: npt.NDArray[np.bool_] = (copy >= have).to_numpy(dtype=bool)
    return marks


def are_same(exported: Digests, present: Digests) -> bool:
    """Whether both hold the same rows, each as often."""
    if len(exported) != len(present):
        return False
    return not beyond(exported, present).any()


def _fields(columns: dict[str, pa.Array], type_: pa.DataType, size: int) -> Digests:
    total = np.zeros((size, 2), dtype=np.uint64)
    for field in type_:
        column = columns.get(field.name)
        if column is None or column.null_count == size:
            digests = np.broadcast_to(_NULL, (size, 2))
        else:
            digests = _values(column, field.type)
        total = _mix(total ^ digests)
    return total


def _values(array: pa.Array, type_: pa.DataType) -> Digests:
    if pt.is_struct(type_):
        children = dict(zip((field.name for field in array.type), array.flatten(), strict=True))
        digests = _fields(children, type_, len(array))
    elif pt.is_map(type_):
        entries = _mix(_values(array.keys, type_.key_type)) ^ _values(array.items, type_.item_type)
        digests = _sums(_mix(entries), array)
    elif pt.is_list(type_):
        offsets = np.asarray(array.offsets)
        elements = _values(array.values, type_.value_type).copy()
        starts = np.repeat(offsets[:-1], np.diff(offsets))
        place = np.arange(offsets[0], offsets[-1]) - starts
        elements[offsets[0] : offsets[-1]] += _numbers(place)
        digests = _sums(_mix(elements), array)
    else:
        digests = _scalars(array.cast(type_))
    if array.null_count:
        digests = np.where(np.asarray(array.is_null())[:, None], _NULL, digests)
    return digests


def _sums(entries: Digests, array: pa.Array) -> Digests:
    """Per list the sum of its entries' digests, and their number."""
    running = np.concatenate([np.zeros((1, 2), dtype=np.uint64), np.cumsum(entries, axis=0)])
    offsets = np.asarray(array.offsets)
    lengths = _numbers(np.diff(offsets))
    return _mix(running[offsets[1:]] - running[offsets[:-1]] + lengths)


def _scalars(array: pa.Array) -> Digests:
    type_ = array.type
    if pt.is_integer(type_) or pt.is_boolean(type_):
        return _numbers(np.asarray(pc.fill_null(array.cast(pa.int64()), 0)))
    if pt.is_timestamp(type_):
        return _numbers(np.asarray(pc.fill_null(array.cast(pa.int64()), 0)))
    if pt.is_date(type_):
        return _numbers(np.asarray(pc.fill_null(array.cast(pa.int32()), 0)).astype(np.int64))
    if pt.is_floating(type_):
        return _numbers(np.asarray(pc.fill_null(array.cast(pa.float64()), 0)).view(np.int64))
    if pt.is_decimal(type_):
        array = array.cast(pa.string())
    coded = array.dictionary_encode()
    words: Any = coded.dictionary.to_numpy(zero_copy_only=False).astype(object)
    halves = [pd.util.hash_array(words, hash_key=key, categorize=False) for key in _KEYS]
    unique = np.stack(halves, axis=1) if len(words) else np.zeros((1, 2), dtype=np.uint64)
    chosen: Digests = unique[np.asarray(pc.fill_null(coded.indices, 0))]
    return chosen


def _numbers(values: npt.NDArray[np.int64]) -> Digests:
    wide = np.asarray(values, dtype=np.int64).view(np.uint64)[:, None]
    return _mix(np.broadcast_to(wide, (len(wide), 2)) + _NULL[::-1])


def _mix(digests: Digests) -> Digests:
    mixed: Digests = (digests ^ (digests >> _SHIFT)) * _FACTOR
    mixed = (mixed ^ (mixed >> _SHIFT)) * _FACTOR[::-1]
    return mixed ^ (mixed >> _SHIFT)
