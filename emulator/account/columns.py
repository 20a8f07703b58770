"""Columns of made-up rows, built as arrays: identifiers, moments, maps, and who sees them when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emulator.account.plan import Plan
from emulator.account.schemas import system_tables

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

LONGEST_LAG_DAYS = 3
HOUR = 3_600_000_000
_HEX = np.array([[ord(digit) for digit in f"{value:02x}"] for value in range(256)], dtype=np.uint8)
_DASHES = (8, 13, 18, 23)
_LATE_HOUR, _NEXT_DAY_SHARE, _LATE_SHARE = 22, 0.4, 0.003


@dataclass(frozen=True)
class DayRows:
    """The rows of one day, how many days later each lands, and which incident it belongs to.

    ``incident`` is a place in ``incidents``, -1 for none; both are left out where nothing can go
    wrong.
    """

    table: pa.Table
    lag: Ints
    incidents: tuple[str, ...] = ()
    incident: Ints | None = None


def uuids(rng: np.random.Generator, rows: int) -> pa.Array:
    """Random identifiers of the form 8-4-4-4-12."""
    text = np.full((rows, 36), ord("-"), dtype=np.uint8)
    text[:, [place for place in range(36) if place not in _DASHES]] = _hex(rng, rows, 32)
    return _strings(text)


def hex_ids(rng: np.random.Generator, rows: int, length: int) -> pa.Array:
    """Random identifiers of an even number of hexadecimal digits."""
    return _strings(_hex(rng, rows, length))


def uuid_of(rng: np.random.Generator) -> str:
    """One random identifier."""
    return str(uuids(rng, 1)[0].as_py())


def pick(values: Sequence[Any], index: Ints, type_: pa.DataType | None = None) -> pa.Array:
    """The values at these places; -1 is NULL."""
    known = pa.array(values, type_ or pa.string())
    return known.take(pa.array(np.maximum(index, 0), mask=index < 0))


def where(condition: Bools, values: pa.Array) -> pa.Array:
    """The values where the condition holds, else NULL."""
    places = np.arange(len(condition))
    return values.take(pa.array(places, mask=~condition))


def texts(numbers: Ints, is_given: Bools | None = None) -> pa.Array:
    """Numbers as strings; NULL where none is given."""
    return pa.array(numbers, mask=None if is_given is None else ~is_given).cast(pa.string())


def moments(micros: Ints) -> pa.Array:
    """Timestamps of microseconds since 1970."""
    return pa.array(micros).cast(pa.timestamp("us", "UTC"))


def decimals(values: Ints, scale: int) -> pa.Array:
    """Money and quantities from 64-bit integers: the high word of 128 bits is the sign."""
    words = np.stack([values, values >> 63], axis=1).astype("<i8")
    type_ = pa.decimal128(38, scale)
    array = pa.Array.from_buffers(type_, len(values), [None, pa.py_buffer(words.tobytes())])
    return array.cast(pa.decimal128(38, 18))


def midnight(plan: Plan, day: int) -> int:
    """The begin of a day in microseconds since 1970."""
    return int(plan.parameters.moment(day).timestamp()) * 1_000_000


def structs(type_: pa.StructType, children: Mapping[str, pa.Array], is_null: Bools) -> pa.Array:
    """A struct column; a field that is not given is NULL."""
    rows = len(is_null)
    arrays = [
        children[field.name].cast(field.type)
        if field.name in children
        else pa.nulls(rows, field.type)
        for field in type_
    ]
    return pa.StructArray.from_arrays(arrays, fields=list(type_), mask=pa.array(is_null))


def filled(name: str, rows: int, columns: Mapping[str, Any]) -> pa.Table:
    """A table of the declared columns: arrays, one value for all rows, or NULL where not given."""
    schema = system_tables()[name].arrow
    unknown = set(columns) - set(schema.names)
    if unknown:
        raise KeyError(f"{name} has no column {sorted(unknown)[0]}")
    arrays = [_column(columns.get(field.name), field.type, rows) for field in schema]
    return pa.table(arrays, schema=schema)


def lags(rng: np.random.Generator, micros: Ints, midnight_: int) -> Ints:
    """Days until each row is in its table: late hours land next day, a few rows later still."""
    rows = len(micros)
    evening = micros - midnight_ >= _LATE_HOUR * HOUR
    late = rng.random(rows) < _LATE_SHARE
    if rows:
        late[rng.integers(rows)] = True
    delay = rng.integers(1, LONGEST_LAG_DAYS + 1, rows)
    next_day = (evening & (rng.random(rows) < _NEXT_DAY_SHARE)).astype(np.int64)
    found: Ints = np.where(late, delay, next_day)
    return found


def landed_on(plan: Plan, day: int, rows_of: Callable[[Plan, int], DayRows]) -> pa.Table:
    """The rows that become visible on a day: its own, and late ones of the days before."""
    parts = []
    # The oldest first, so that what is cached is asked for before it is forgotten.
    for lag in range(min(LONGEST_LAG_DAYS, day), -1, -1):
        rows = rows_of(plan, day - lag)
        parts.append(rows.table.filter(pa.array(rows.lag == lag)))
    # A column that the service has only lately is not in the older rows.
    return pa.concat_tables(parts, promote_options="default")


def share_out(rows: int, weights: Floats) -> Ints:
    """Whole rows by weight, the largest remainders first."""
    exact = rows * weights / weights.sum()
    counts: Ints = np.floor(exact).astype(np.int64)
    order = np.argsort(counts - exact, kind="stable")
    counts[order[: rows - int(counts.sum())]] += 1
    return counts


def repeated(counts: Ints) -> tuple[Ints, Ints]:
    """Each place as often as it counts, and which of its times that is."""
    source = np.repeat(np.arange(len(counts)), counts)
    return source, np.arange(len(source)) - np.repeat(np.cumsum(counts) - counts, counts)


def is_weekend(plan: Plan, day: int) -> bool:
    return plan.parameters.day(day).weekday() >= 5


def _column(value: Any, type_: pa.DataType, rows: int) -> pa.Array:
    if value is None:
        return pa.nulls(rows, type_)
    if isinstance(value, pa.Array | pa.ChunkedArray):
        return value if value.type == type_ else value.cast(type_)
    return pa.repeat(pa.scalar(value, type_), rows)


def _hex(rng: np.random.Generator, rows: int, length: int) -> npt.NDArray[np.uint8]:
    raw = np.frombuffer(rng.bytes(rows * length // 2), dtype=np.uint8)
    digits: npt.NDArray[np.uint8] = _HEX[raw].reshape(rows, length)
    return digits


def _strings(text: npt.NDArray[np.uint8]) -> pa.Array:
    rows, length = text.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * length
    buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(text.tobytes())]
    return pa.Array.from_buffers(pa.string(), rows, buffers)
