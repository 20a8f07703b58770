"""The billing rows of one day: originals, late ones, corrections, repeats and broken rows."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emulator.account.activity import Activity, activity_on, quantities
from emulator.account.columns import HOUR, Bools, Ints, decimals, midnight, moments, uuids
from emulator.account.meters import Meter
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
QUANTITY_SCALE = 9


@dataclass(frozen=True)
class Rows:
    """Rows as columns of numbers; ``source`` is the meter, ``origin`` the row it derives from."""

    kind: Ints
    origin: Ints
    source: Ints
    hour: Ints
    run: Ints
    start: Ints
    end: Ints
    quantity: Ints
    ingestion_lag: Ints
    export_lag: Ints

    def take(self, index: Ints, **changes: Ints) -> Rows:
        taken = {field.name: getattr(self, field.name)[index] for field in fields(self)}
        return Rows(**{**taken, "origin": index, **changes})


@dataclass(frozen=True)
class UsageDay:
    """All rows whose usage is of one day, whenever they are exported."""

    activity: Activity
    rows: Rows
    table: pa.Table
    awkward: pa.Table
    export_lag: Ints

    @property
    def is_true(self) -> Bools:
        """Marks the rows that count: no exact repeats, and none that is broken."""
        return np.isin(self.rows.kind, [_REPEAT, _NO_ID, _REVERSED], invert=True)

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
    activity = activity_on(plan, day)
    meters = activity.meters
    originals = _originals(rng, plan, day, activity)
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
    return UsageDay(activity, rows, table, awkward, rows.export_lag)


def _originals(rng: np.random.Generator, plan: Plan, day: int, activity: Activity) -> Rows:
    source, hour = activity.source, activity.hour
    begin, end = activity.row_seconds()
    hour_start = midnight(plan, day) + hour * HOUR
    lag = _lags(rng, hour)
    shares = quantities(rng, activity)
    return Rows(
        kind=np.where(lag >= 2, _LATE, _ORIGINAL),
        origin=np.arange(len(source)),
        source=source,
        hour=hour,
        run=_run_ids(activity),
        start=hour_start + begin * 1_000_000,
        end=hour_start + end * 1_000_000,
        quantity=np.rint(shares * 10**QUANTITY_SCALE).astype(np.int64),
        ingestion_lag=lag,
        export_lag=lag,
    )


def _run_ids(activity: Activity) -> Ints:
    """The run of each row, 0 for none: one a day, one an hour, or several in turn."""
    meters, source = activity.meters, activity.source
    base = np.array([meter.run_id or 0 for meter in meters])[source]
    is_hourly = np.array([meter.runs_an_hour > 0 for meter in meters])[source]
    return np.where(base == 0, 0, base + is_hourly * activity.hour + 24 * activity.turn)


def _lags(rng: np.random.Generator, hour: Ints) -> Ints:
    """Days until a row is in the table: late hours land next day, some rows much later."""
    size = len(hour)
    lag = ((hour >= 21) & (rng.random(size) < 0.5)).astype(np.int64)
    late = rng.random(size) < 0.005
    delayed: Ints = np.where(late, rng.integers(2, 6, size), lag)
    return delayed


def _awkward(rng: np.random.Generator, rows: Rows, day: int) -> list[Rows]:
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


def _broken(rng: np.random.Generator, rows: Rows, day: int) -> list[Rows]:
    """Every third day one row without an id, and one that ends before it starts."""
    if day % 3 != 1:
        return []
    first, second = np.split(rng.integers(0, len(rows.kind), 2), 2)
    reversed_ = rows.take(
        second,
        kind=np.array([_REVERSED]),
        start=rows.end[second],
        end=rows.start[second] - HOUR,
    )
    return [rows.take(first, kind=np.array([_NO_ID])), reversed_]


def _pick(rng: np.random.Generator, size: int, share: float) -> Ints:
    """At least one, so that the smallest account has every kind of row."""
    count = max(1, int(rng.binomial(size, share)))
    return np.sort(rng.choice(size, count, replace=False))


def _concatenate(parts: list[Rows]) -> Rows:
    names = [field.name for field in fields(Rows)]
    return Rows(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})


def _identifiers(rng: np.random.Generator, rows: Rows) -> pa.Array:
    """Random ids; a repeat keeps the id of the row that it repeats."""
    own = np.arange(len(rows.kind))
    ids = uuids(rng, len(own)).take(pa.array(np.where(rows.kind == _REPEAT, rows.origin, own)))
    return pc.if_else(pa.array(rows.kind == _NO_ID), pa.scalar(None, pa.string()), ids)


def _table(
    plan: Plan, day: int, meters: list[Meter], rows: Rows, identifiers: pa.Array
) -> pa.Table:
    schema = system_tables()["billing.usage"].arrow
    labels = pa.Table.from_pylist([meter.labels for meter in meters], schema=schema)
    shared = labels.take(pa.array(rows.source)).combine_chunks()
    computed: dict[str, Any] = {
        "record_id": identifiers,
        "usage_start_time": moments(rows.start),
        "usage_end_time": moments(rows.end),
        "usage_date": pa.array([plan.parameters.day(day)] * len(rows.kind), pa.date32()),
        "usage_quantity": decimals(rows.quantity, QUANTITY_SCALE),
        "usage_metadata": _with_runs(shared["usage_metadata"].chunk(0), rows.run),
        "record_type": pc.take(_RECORD_TYPES, pa.array(rows.kind)),
        "ingestion_date": _dates(plan, day, rows.ingestion_lag),
    }
    columns = [computed.get(name, shared[name]) for name in schema.names]
    return pa.table(columns, schema=schema)


def _dates(plan: Plan, day: int, lag: Ints) -> pa.Array:
    first = plan.parameters.day(day)
    days = pa.array([first + timedelta(days=d) for d in range(LONGEST_DELAY_DAYS + 1)])
    return days.take(pa.array(lag))


def _with_runs(metadata: pa.StructArray, runs: Ints) -> pa.StructArray:
    """Fill job_run_id."""
    run_ids = pa.array(runs, mask=runs == 0).cast(pa.string())
    type_ = metadata.type
    children = [
        run_ids if field.name == "job_run_id" else metadata.field(place)
        for place, field in enumerate(type_)
    ]
    return pa.StructArray.from_arrays(children, fields=list(type_))
