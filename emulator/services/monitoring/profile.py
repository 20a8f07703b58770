"""The built-in statistics of one column in every group, vectorized over the groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emulator.services.monitoring.grouping import Array, Grouping

Family = Literal["number", "time", "text", "boolean", "array", "other"]
QUANTILES = 1000
TOP_ITEMS = 100
_LEVELS = np.arange(1, QUANTILES + 1)


@dataclass(frozen=True)
class Column:
    """A column as fetched: numbers and times as doubles, text with its codes in sorted order."""

    name: str
    type_text: str
    family: Family
    present: Array
    numbers: Array | None = None
    codes: Array | None = None
    items: list[str] = field(default_factory=list)
    lengths: Array | None = None
    order: Array | None = None


@dataclass
class Profile:
    """Statistics by group; a NaN, or a missing key, is a NULL."""

    column: Column
    rows: Array
    present: Array
    values: dict[str, Array] = field(default_factory=dict)
    quantiles: Array | None = None
    counts: ValueCounts | None = None


@dataclass(frozen=True)
class ValueCounts:
    """How often each value occurs in each group, as parallel arrays ordered by group, value."""

    groups: Array
    codes: Array
    counts: Array


def make_column(name: str, type_text: str, family: Family, fetched: pa.ChunkedArray) -> Column:
    """Prepare what all groupings of a column share."""
    array = fetched.combine_chunks()
    present = pc.is_valid(array).to_numpy(zero_copy_only=False)
    if family in ("number", "time"):
        numbers = pc.fill_null(array, 0.0).to_numpy(zero_copy_only=False).astype(np.float64)
        usable = np.flatnonzero(present & ~np.isnan(numbers))
        order = usable[np.argsort(numbers[usable], kind="stable")]
        return Column(name, type_text, family, present, numbers=numbers, order=order)
    if family in ("text", "boolean"):
        encoded = pc.dictionary_encode(array)
        items = encoded.dictionary.to_pylist()
        by_item = sorted(range(len(items)), key=items.__getitem__)
        place = np.zeros(len(items) + 1, dtype=np.int64)
        place[by_item] = np.arange(len(items))
        raw = pc.fill_null(encoded.indices.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
        codes = place[raw]
        usable = np.flatnonzero(present)
        order = usable[np.argsort(codes[usable], kind="stable")]
        items = [items[number] for number in by_item]
        lengths = np.array([len(item) for item in items] or [0], dtype=np.float64)
        return Column(
            name,
            type_text,
            family,
            present,
            codes=codes,
            items=items,
            lengths=lengths[codes] if family == "text" else None,
            order=order,
        )
    if family == "array":
        lengths = pc.fill_null(array, 0).to_numpy(zero_copy_only=False).astype(np.float64)
        return Column(name, type_text, family, present, lengths=lengths)
    return Column(name, type_text, family, present)


def profile(column: Column, grouping: Grouping) -> Profile:
    """All built-in statistics of a column in each group."""
    codes, size = grouping.codes, grouping.size
    inside = codes >= 0
    rows = np.bincount(codes[inside], minlength=size)
    present = np.bincount(codes[inside & column.present], minlength=size)
    result = Profile(column, rows, present)
    if column.numbers is not None:
        _profile_numbers(column, grouping, result)
    if column.codes is not None:
        _profile_items(column, grouping, result)
    if column.lengths is not None:
        _profile_lengths(column, grouping, result)
    if "distinct_count" in result.values:
        result.values["percent_distinct"] = 100 * result.values["distinct_count"] / rows
    result.values["percent_null"] = 100 * (rows - present) / rows
    return result


def frequent_items(found: Profile) -> list[list[dict[str, Any]] | None]:
    """The most frequent items of each group, most frequent first."""
    counts = found.counts
    if counts is None:
        return [None] * len(found.rows)
    lists: list[list[dict[str, Any]] | None] = [[] for _ in found.rows]
    by_count = np.lexsort((counts.codes, -counts.counts, counts.groups))
    groups = counts.groups[by_count]
    starts = np.searchsorted(groups, groups, side="left")
    top = by_count[np.arange(len(groups)) - starts < TOP_ITEMS]
    items = found.column.items
    for position in top:
        entry = {"item": items[counts.codes[position]], "count": int(counts.counts[position])}
        target = lists[counts.groups[position]]
        if target is not None:
            target.append(entry)
    return lists


def _profile_numbers(column: Column, grouping: Grouping, result: Profile) -> None:
    if column.numbers is None or column.order is None:
        raise ValueError(f"column {column.name} was not prepared as numbers")
    size, groups, rows_at = grouping.size, *_sorted_by_group(column.order, grouping)
    values = column.numbers[rows_at]
    n = np.bincount(groups, minlength=size)
    starts = np.concatenate(([0], np.cumsum(n)))[:-1]
    known = n > 0
    result.values["min"] = _pick(values, starts, known)
    result.values["max"] = _pick(values, starts + n - 1, known)
    result.values["median"] = _median(values, starts, n)
    result.values["distinct_count"] = _distinct(groups, values, size)
    result.quantiles = _quantiles(values, starts, n)
    if column.family == "time":
        return
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, np.bincount(groups, values, size) / n, np.nan)
        squares = np.bincount(groups, (values - mean[groups]) ** 2, size)
        result.values["stddev"] = np.where(n > 1, np.sqrt(squares / (n - 1)), np.nan)
    result.values["avg"] = mean
    inside = grouping.codes >= 0
    nan = column.present & np.isnan(column.numbers) & inside
    zero = column.present & (column.numbers == 0) & inside
    for name, mask in (("nan", nan), ("zeros", zero)):
        found = np.bincount(grouping.codes[mask], minlength=size).astype(np.float64)
        result.values[f"num_{name}"] = found
        result.values[f"percent_{name}"] = 100 * found / result.rows


def _profile_items(column: Column, grouping: Grouping, result: Profile) -> None:
    if column.codes is None or column.order is None:
        raise ValueError(f"column {column.name} was not prepared as items")
    groups, rows_at = _sorted_by_group(column.order, grouping)
    codes = column.codes[rows_at]
    firsts = _run_starts(groups, codes)
    counts = np.diff(np.append(firsts, len(codes)))
    result.counts = ValueCounts(groups[firsts], codes[firsts], counts)
    result.values["distinct_count"] = np.bincount(groups[firsts], minlength=grouping.size).astype(
        np.float64
    )


def _profile_lengths(column: Column, grouping: Grouping, result: Profile) -> None:
    if column.lengths is None:
        raise ValueError(f"column {column.name} has no lengths")
    size = grouping.size
    usable = (grouping.codes >= 0) & column.present
    groups, lengths = grouping.codes[usable], column.lengths[usable]
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, groups, lengths)
    np.maximum.at(high, groups, lengths)
    n = np.bincount(groups, minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        result.values["avg_length"] = np.bincount(groups, lengths, size) / n
    result.values["min_length"] = np.where(n > 0, low, np.nan)
    result.values["max_length"] = np.where(n > 0, high, np.nan)


def _sorted_by_group(order: Array, grouping: Grouping) -> tuple[Array, Array]:
    """Groups and row numbers, by group and within it in the column's order."""
    groups = grouping.codes[order]
    inside = groups >= 0
    groups, order = groups[inside], order[inside]
    # A stable sort of 16-bit numbers is a radix sort: linear, and most groupings are small.
    narrow = groups.astype(np.int16) if grouping.size < 2**15 else groups
    by_group = np.argsort(narrow, kind="stable")
    return groups[by_group], order[by_group]


def _run_starts(groups: Array, values: Array) -> Array:
    if len(groups) == 0:
        return np.empty(0, dtype=np.int64)
    new = (groups[1:] != groups[:-1]) | (values[1:] != values[:-1])
    return np.flatnonzero(np.concatenate(([True], new)))


def _distinct(groups: Array, values: Array, size: int) -> Array:
    firsts = _run_starts(groups, values)
    return np.bincount(groups[firsts], minlength=size).astype(np.float64)


def _pick(values: Array, places: Array, known: Array) -> Array:
    picked = np.full(len(places), np.nan)
    picked[known] = values[places[known]]
    return picked


def _median(values: Array, starts: Array, n: Array) -> Array:
    low = _pick(values, starts + (n - 1) // 2, n > 0)
    high = _pick(values, starts + n // 2, n > 0)
    return (low + high) / 2


def _quantiles(values: Array, starts: Array, n: Array) -> Array:
    """Values at ranks 0.001, 0.002 ... 1 of each group; a row of NaN for an empty group."""
    quantiles = np.full((len(n), QUANTILES), np.nan)
    known = n > 0
    # Whole numbers, since 0.001 * 1000 * n in doubles can land just above a rank.
    ranks = -(-_LEVELS[None, :] * n[known][:, None] // QUANTILES)
    quantiles[known] = values[starts[known][:, None] + ranks - 1]
    return quantiles
