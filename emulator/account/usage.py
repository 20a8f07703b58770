"""The billing rows of one day: originals, late ones, corrections, repeats and broken rows."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from emulator.account.meters import Meter, meter_weights, meters_on
from emulator.account.plan import Plan
from emulator.account.schemas import system_tables

LONGEST_DELAY_DAYS = 10
AWKWARD = pa.schema(
    [
        ("kind", pa.string()),
        ("record_id", pa.string()),
        ("corrects_record_id", pa.string()),
        ("usage_date", pa.date32()),
        ("ingestion_date", pa.date32()),
        ("exported_on", pa.date32()),
    ]
)
_KINDS = np.array(["original", "late", "retraction", "restatement", "repeat", "no_id", "reversed"])
_ORIGINAL, _LATE, _RETRACTION, _RESTATEMENT, _REPEAT, _NO_ID, _REVERSED = range(len(_KINDS))
_RECORD_TYPES = pa.array(["ORIGINAL", "ORIGINAL", "RETRACTION", "RESTATEMENT", *["ORIGINAL"] * 3])
_STREAM_ROWS = 40
_QUANTITY_SCALE = 9
_HOUR = 3_600_000_000
_WEEKDAY_SHARE, _WEEKEND_SHARE = 1.06, 0.79
_EXTRA_ROWS_SHARE = 0.009  # of corrections and repeats

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Rows:
    """Rows as columns of numbers; ``source`` is the meter, ``origin`` the row it derives from."""

    kind: _Ints
    origin: _Ints
    source: _Ints
    hour: _Ints
    start: _Ints
    end: _Ints
    quantity: _Ints
    ingestion_lag: _Ints
    export_lag: _Ints

    def take(self, index: _Ints, **changes: _Ints) -> _Rows:
        taken = {field.name: getattr(self, field.name)[index] for field in fields(self)}
        return _Rows(**{**taken, "origin": index, **changes})


@dataclass(frozen=True)
class UsageDay:
    """All rows whose usage is of one day, whenever they are exported."""

    table: pa.Table
    awkward: pa.Table
    export_lag: _Ints

    def exported_after(self, lag: int) -> pa.Table:
        """The rows that the export of ``lag`` days later brings."""
        return self.table.filter(pa.array(self.export_lag == lag))

    def awkward_after(self, lag: int) -> pa.Table:
        chosen = self.awkward.filter(pa.array(self.export_lag == lag))
        return chosen.filter(pc.not_equal(chosen["kind"], "original"))


def usage_visible_on(plan: Plan, day: int) -> pa.Table:
    """The rows that the export of a day brings, whenever their usage was."""
    return pa.concat_tables([usage for usage, _ in _parts_visible_on(plan, day)])


def awkward_visible_on(plan: Plan, day: int) -> pa.Table:
    """The labels of the awkward ones among them."""
    return pa.concat_tables([found for _, found in _parts_visible_on(plan, day)]).cast(AWKWARD)


def _parts_visible_on(plan: Plan, day: int) -> list[tuple[pa.Table, pa.Table]]:
    earlier = range(max(0, day - LONGEST_DELAY_DAYS), day)
    parts = [_delayed_parts(plan, past)[day - past - 1] for past in earlier]
    today = usage_of(plan, day)
    return [*parts, (today.exported_after(0), today.awkward_after(0))]


@functools.lru_cache(maxsize=LONGEST_DELAY_DAYS + 1)
def _delayed_parts(plan: Plan, day: int) -> list[tuple[pa.Table, pa.Table]]:
    """What later exports bring of a day: kept, for it is little and ten exports ask for it."""
    rows = usage_of(plan, day)
    lags = range(1, LONGEST_DELAY_DAYS + 1)
    return [(rows.exported_after(lag), rows.awkward_after(lag)) for lag in lags]


@functools.lru_cache(maxsize=2)
def usage_of(plan: Plan, day: int) -> UsageDay:
    """The rows of one day; the same call gives the same rows at any time."""
    rng = plan.parameters.rng(_STREAM_ROWS, day)
    meters = meters_on(plan, day)
    originals = _originals(rng, plan, day, meters)
    rows = _concatenate([originals, *_awkward(rng, originals, day)])
    identifiers = _identifiers(rng, rows)
    table = _table(plan, day, meters, rows, identifiers)
    origin_ids = pc.take(identifiers, pa.array(rows.origin))
    corrected = np.isin(rows.kind, [_RETRACTION, _RESTATEMENT])
    dates = _dates(plan, day, rows.export_lag)
    awkward = pa.table(
        [
            pa.array(_KINDS[rows.kind]),
            identifiers,
            pc.if_else(pa.array(corrected), origin_ids, pa.scalar(None, pa.string())),
            table["usage_date"],
            table["ingestion_date"],
            dates,
        ],
        schema=AWKWARD,
    )
    return UsageDay(table, awkward, rows.export_lag)


def _originals(rng: np.random.Generator, plan: Plan, day: int, meters: list[Meter]) -> _Rows:
    weekend = plan.parameters.day(day).weekday() >= 5
    share = (_WEEKEND_SHARE if weekend else _WEEKDAY_SHARE) * (1 - _EXTRA_ROWS_SHARE)
    counts = _share_out(round(plan.parameters.rows_per_day * share), meter_weights(meters))
    source = np.repeat(np.arange(len(meters)), counts)
    size = len(source)
    hour = _hours(rng, meters, counts, source)
    late_start = rng.random(size) < 0.2
    midnight = int(plan.parameters.moment(day).timestamp()) * 1_000_000
    start = midnight + hour * _HOUR + late_start * rng.integers(1, 1800, size) * 1_000_000
    lag = _lags(rng, hour)
    return _Rows(
        kind=np.where(lag >= 2, _LATE, _ORIGINAL),
        origin=np.arange(size),
        source=source,
        hour=hour,
        start=start,
        end=midnight + (hour + 1) * _HOUR,
        quantity=_quantities(rng, meters, source),
        ingestion_lag=lag,
        export_lag=lag,
    )


def _share_out(rows: int, weights: npt.NDArray[np.float64]) -> _Ints:
    """Whole rows by weight, at least one each, the largest remainders first."""
    exact = rows * weights / weights.sum()
    counts = np.floor(exact).astype(np.int64)
    order = np.argsort(counts - exact, kind="stable")
    counts[order[: max(0, rows - int(counts.sum()))]] += 1
    shared: _Ints = np.maximum(counts, 1)
    return shared


def _hours(rng: np.random.Generator, meters: list[Meter], counts: _Ints, source: _Ints) -> _Ints:
    """Spread each meter's rows over its hours, evenly, several in an hour if they are many."""
    lengths = np.array([len(meter.hours) for meter in meters])
    padded = np.zeros((len(meters), 24), dtype=np.int64)
    for place, meter in enumerate(meters):
        padded[place, : len(meter.hours)] = meter.hours
    within = np.arange(len(source)) - np.repeat(np.cumsum(counts) - counts, counts)
    length, count = lengths[source], counts[source]
    shift = rng.integers(0, lengths)[source]
    slot = np.where(count >= length, within, within * length // count + shift) % length
    chosen: _Ints = padded[source, slot]
    return chosen


def _quantities(rng: np.random.Generator, meters: list[Meter], source: _Ints) -> _Ints:
    """Shares of each meter's units, in billionths; a few rows meter nothing."""
    shares = rng.uniform(0.6, 1.4, len(source))
    shares[rng.random(len(source)) < 0.003] = 0
    totals = np.bincount(source, weights=shares, minlength=len(meters))
    units = np.array([meter.units for meter in meters])
    per_share = units / np.where(totals == 0, 1, totals)
    scaled: _Ints = np.rint(shares * per_share[source] * 10**_QUANTITY_SCALE).astype(np.int64)
    return scaled


def _lags(rng: np.random.Generator, hour: _Ints) -> _Ints:
    """Days until a row is in the table: late hours land next day, some rows much later."""
    size = len(hour)
    lag = ((hour >= 21) & (rng.random(size) < 0.5)).astype(np.int64)
    late = rng.random(size) < 0.005
    delayed: _Ints = np.where(late, rng.integers(2, 6, size), lag)
    return delayed


def _awkward(rng: np.random.Generator, rows: _Rows, day: int) -> list[_Rows]:
    size = len(rows.kind)
    corrected = _pick(rng, size, 0.004)
    delay = np.maximum(rng.integers(2, LONGEST_DELAY_DAYS, len(corrected)), 0)
    arrival = np.maximum(delay, rows.ingestion_lag[corrected] + 1)
    retractions = rows.take(
        corrected,
        kind=np.full(len(corrected), _RETRACTION),
        quantity=-rows.quantity[corrected],
        ingestion_lag=arrival,
        export_lag=arrival,
    )
    restated = rng.random(len(corrected)) < 0.8
    changed = rows.quantity[corrected] * rng.uniform(0.5, 1.2, len(corrected))
    restatements = retractions.take(
        np.flatnonzero(restated),
        kind=np.full(int(restated.sum()), _RESTATEMENT),
        quantity=np.rint(changed[restated]).astype(np.int64),
        origin=corrected[restated],
    )
    repeated = _pick(rng, size, 0.0005)
    resent = rows.export_lag[repeated] + rng.integers(0, 2, len(repeated))
    repeats = rows.take(repeated, kind=np.full(len(repeated), _REPEAT), export_lag=resent)
    return [retractions, restatements, repeats, *_broken(rng, rows, day)]


def _broken(rng: np.random.Generator, rows: _Rows, day: int) -> list[_Rows]:
    """Every third day one row without an id, and one that ends before it starts."""
    if day % 3 != 1:
        return []
    first, second = np.split(rng.integers(0, len(rows.kind), 2), 2)
    reversed_ = rows.take(
        second,
        kind=np.array([_REVERSED]),
        start=rows.end[second],
        end=rows.start[second] - _HOUR,
    )
    return [rows.take(first, kind=np.array([_NO_ID])), reversed_]


def _pick(rng: np.random.Generator, size: int, share: float) -> _Ints:
    """At least one, so that the smallest account has every kind of row."""
    count = max(1, int(rng.binomial(size, share)))
    return np.sort(rng.choice(size, count, replace=False))


def _concatenate(parts: list[_Rows]) -> _Rows:
    names = [field.name for field in fields(_Rows)]
    return _Rows(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})


def _identifiers(rng: np.random.Generator, rows: _Rows) -> pa.Array:
    """Random ids; a repeat keeps the id of the row that it repeats."""
    text = rng.bytes(16 * len(rows.kind)).hex()
    chunks = (text[at : at + 32] for at in range(0, len(text), 32))
    ids = pa.array([f"{c[:8]}-{c[8:12]}-{c[12:16]}-{c[16:20]}-{c[20:]}" for c in chunks])
    own = np.arange(len(rows.kind))
    ids = ids.take(pa.array(np.where(rows.kind == _REPEAT, rows.origin, own)))
    return pc.if_else(pa.array(rows.kind == _NO_ID), pa.scalar(None, pa.string()), ids)


def _table(
    plan: Plan, day: int, meters: list[Meter], rows: _Rows, identifiers: pa.Array
) -> pa.Table:
    schema = system_tables()["billing.usage"].arrow
    labels = pa.Table.from_pylist([meter.labels for meter in meters], schema=schema)
    shared = labels.take(pa.array(rows.source)).combine_chunks()
    computed: dict[str, Any] = {
        "record_id": identifiers,
        "usage_start_time": pa.array(rows.start).cast(pa.timestamp("us", "UTC")),
        "usage_end_time": pa.array(rows.end).cast(pa.timestamp("us", "UTC")),
        "usage_date": pa.array([plan.parameters.day(day)] * len(rows.kind), pa.date32()),
        "usage_quantity": _decimals(rows.quantity),
        "usage_metadata": _with_runs(shared["usage_metadata"].chunk(0), meters, rows),
        "record_type": pc.take(_RECORD_TYPES, pa.array(rows.kind)),
        "ingestion_date": _dates(plan, day, rows.ingestion_lag),
    }
    columns = [computed.get(name, shared[name]) for name in schema.names]
    return pa.table(columns, schema=schema)


def _dates(plan: Plan, day: int, lag: _Ints) -> pa.Array:
    first = plan.parameters.day(day)
    days = pa.array([first + timedelta(days=d) for d in range(LONGEST_DELAY_DAYS + 1)])
    return days.take(pa.array(lag))


def _decimals(quantity: _Ints) -> pa.Array:
    """128-bit decimals from 64-bit integers: the high word is the sign."""
    words = np.stack([quantity, quantity >> 63], axis=1).astype("<i8")
    type_ = pa.decimal128(38, _QUANTITY_SCALE)
    array = pa.Array.from_buffers(type_, len(quantity), [None, pa.py_buffer(words.tobytes())])
    return array.cast(pa.decimal128(38, 18))


def _with_runs(metadata: pa.StructArray, meters: list[Meter], rows: _Rows) -> pa.StructArray:
    """Fill job_run_id: one run a day, or one an hour."""
    base = np.array([meter.run_id or 0 for meter in meters])[rows.source]
    hourly = np.array([meter.run_per_hour for meter in meters])[rows.source]
    runs = pa.array(base + hourly * rows.hour, mask=base == 0).cast(pa.string())
    type_ = metadata.type
    children = [
        runs if field.name == "job_run_id" else metadata.field(place)
        for place, field in enumerate(type_)
    ]
    return pa.StructArray.from_arrays(children, fields=list(type_))
