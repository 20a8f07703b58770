"""Which group each row belongs to: its window, alone or with one slice, for one or all models."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emulator.services.monitoring.windows import Granularity

TOP_SLICES = 100
ALL_MODELS = "*"
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Label:
    """What a group is. A baseline group, and a snapshot's, has no granularity."""

    granularity: Granularity | None
    start: datetime | None
    is_baseline: bool
    slice_key: str | None = None
    slice_value: str | None = None
    model: str | None = None


@dataclass(frozen=True)
class Grouping:
    """One way to split the rows. ``codes`` is each row's group, -1 for none."""

    codes: Array
    labels: list[Label]

    @property
    def size(self) -> int:
        return len(self.labels)

    def pairs(self) -> list[tuple[int, int, bool]]:
        """(group, group that it is compared to, whether that is the baseline)."""
        place = {label: number for number, label in enumerate(self.labels)}
        found = []
        for number, label in enumerate(self.labels):
            if label.is_baseline:
                continue
            if label.granularity and label.start:
                before = label.granularity.preceding(label.start)
                previous = place.get(_with(label, label.granularity, before, False))
                if previous is not None:
                    found.append((number, previous, False))
            baseline = place.get(_with(label, None, None, True))
            if baseline is not None:
                found.append((number, baseline, True))
        return found


@dataclass(frozen=True)
class Dimension:
    """A column of group values: each row's code (-1 for none), and what the codes mean."""

    codes: Array
    values: list[Any]


def windows(
    column: pa.ChunkedArray | None, granularity: Granularity | None, baseline: Array
) -> Dimension:
    """The windows of the rows, with all baseline rows in one more group."""
    if column is None:
        codes = np.zeros(len(baseline), dtype=np.int64)
        values: list[Any] = [(None, None, False)]
    else:
        dimension = encode(column)
        codes = dimension.codes
        values = [(granularity, start, False) for start in dimension.values]
    if baseline.any():
        codes = np.where(baseline, len(values), codes)
        values = [*values, (None, None, True)]
    return Dimension(codes, values)


def encode(column: pa.ChunkedArray | pa.Array, top: int | None = None) -> Dimension:
    """Codes of a column's values; with ``top``, only of its most frequent ones."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = pc.dictionary_encode(array)
    codes = pc.fill_null(encoded.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
    values = encoded.dictionary.to_pylist()
    if top is not None and len(values) > top:
        counts = np.bincount(codes[codes >= 0], minlength=len(values))
        chosen = sorted(range(len(values)), key=lambda c: (-counts[c], values[c]))[:top]
        renumbered = np.full(len(values) + 1, -1)
        renumbered[chosen] = np.arange(len(chosen))
        codes, values = renumbered[codes], [values[c] for c in chosen]
    return Dimension(codes, values)


def make_grouping(
    window: Dimension, slice_key: str | None, slices: Dimension | None, models: Dimension | None
) -> Grouping:
    """Split the rows by window, and by one slice and by model where given."""
    codes = window.codes
    sizes = [len(window.values)]
    for dimension in (slices, models):
        if dimension is None:
            continue
        missing = (codes < 0) | (dimension.codes < 0)
        codes = np.where(missing, -1, codes * len(dimension.values) + dimension.codes)
        sizes.append(len(dimension.values))
    used, inverse = np.unique(codes, return_inverse=True)
    first = 1 if len(used) and used[0] < 0 else 0
    labels = [_label(int(c), sizes, window, slice_key, slices, models) for c in used[first:]]
    return Grouping((inverse - first).astype(np.int32), labels)


def _label(
    code: int,
    sizes: list[int],
    window: Dimension,
    slice_key: str | None,
    slices: Dimension | None,
    models: Dimension | None,
) -> Label:
    numbers = []
    for size in reversed(sizes):
        numbers.append(code % size)
        code //= size
    numbers.reverse()
    granularity, start, is_baseline = window.values[numbers.pop(0)]
    value = None if slices is None else slices.values[numbers.pop(0)]
    model = None if models is None else models.values[numbers.pop(0)]
    return Label(granularity, start, is_baseline, slice_key, value, model)


def _with(
    label: Label, granularity: Granularity | None, start: datetime | None, is_baseline: bool
) -> Label:
    return Label(granularity, start, is_baseline, label.slice_key, label.slice_value, label.model)
