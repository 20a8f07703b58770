"""What was on when, on one day: the hours of each meter, and from when to when within the hour.

Usage, runs, events, queries and node records of a day are all made from this, so they agree.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from emulator.account.columns import Bools, Floats, Ints, is_weekend, repeated, share_out
from emulator.account.meters import Meter, meters_on
from emulator.account.plan import Plan

SECONDS = 3600
_STREAM_ACTIVITY = 41
_WEEKDAY_SHARE, _WEEKEND_SHARE = 1.06, 0.79
_EXTRA_ROWS_SHARE = 0.009  # of corrections and repeats
_HOSTS = ("cluster", "warehouse")


@dataclass(frozen=True, eq=False)
class Activity:
    """Meters and the hours that they are billed for; ``source`` and ``hour`` are per usage row.

    ``is_on``, ``begin`` and ``end`` have one row a meter and one column an hour; the latter are
    seconds of the hour. ``within`` counts the rows of a meter.
    """

    meters: list[Meter]
    source: Ints
    within: Ints
    hour: Ints
    is_on: Bools
    begin: Ints
    end: Ints

    @property
    def turn(self) -> Ints:
        """Which of the several runs of its hour a row belongs to."""
        an_hour = np.array([meter.runs_an_hour for meter in self.meters])[self.source]
        turn: Ints = self.within % np.maximum(an_hour, 1)
        return turn

    def row_seconds(self) -> tuple[Ints, Ints]:
        """Begin and end of each row within its hour; several runs an hour share it."""
        begin, end = self.begin[self.source, self.hour], self.end[self.source, self.hour]
        an_hour = np.array([meter.runs_an_hour for meter in self.meters])[self.source]
        each = (end - begin) // np.maximum(an_hour, 1)
        starts = begin + self.turn * each
        return starts, np.where(an_hour > 1, starts + each * 4 // 5, end)

    def of_entities(self, plan: Plan) -> tuple[Bools, Ints, Ints]:
        """The same by place of the entity, for what several meters may count."""
        places = np.array([meter.place for meter in self.meters])
        is_on = np.zeros((len(plan.entities), 24), dtype=bool)
        np.logical_or.at(is_on, places, self.is_on)
        begin = np.zeros(is_on.shape, dtype=np.int64)
        end = np.zeros(is_on.shape, dtype=np.int64)
        begin[places], end[places] = self.begin, self.end
        return is_on, begin, end


@functools.lru_cache(maxsize=6)
def activity_on(plan: Plan, day: int) -> Activity:
    """The activity of one day."""
    rng = plan.parameters.rng(_STREAM_ACTIVITY, day)
    meters = meters_on(plan, day)
    share = _WEEKEND_SHARE if is_weekend(plan, day) else _WEEKDAY_SHARE
    rows = round(plan.parameters.rows_per_day * share * (1 - _EXTRA_ROWS_SHARE))
    weights = np.array([meter.weight for meter in meters])
    counts = np.maximum(share_out(rows, weights), 1)
    source, within = repeated(counts)
    hour = _hours(rng, meters, counts, source, within)
    is_on = np.zeros((len(meters), 24), dtype=bool)
    is_on[source, hour] = True
    begin, end = _limits(rng, plan, meters)
    return Activity(meters, source, within, hour, is_on, begin, end)


def _hours(
    rng: np.random.Generator, meters: list[Meter], counts: Ints, source: Ints, within: Ints
) -> Ints:
    """Spread each meter's rows over its hours, evenly, several in an hour if they are many."""
    lengths = np.array([len(meter.hours) for meter in meters])
    padded = np.zeros((len(meters), 24), dtype=np.int64)
    for place, meter in enumerate(meters):
        padded[place, : len(meter.hours)] = meter.hours
    length, count = lengths[source], counts[source]
    shift = rng.integers(0, lengths)[source]
    slot = np.where(count >= length, within, within * length // count + shift) % length
    chosen: Ints = padded[source, slot]
    return chosen


def _limits(rng: np.random.Generator, plan: Plan, meters: list[Meter]) -> tuple[Ints, Ints]:
    """Begin and end within each hour; draws are per entity, so that its meters agree."""
    size = (len(plan.entities), 24)
    late, early = rng.random(size), rng.random(size)
    begins = np.where(late < 0.2, rng.integers(300, 1800, size), 0)
    ends = np.where(early < 0.12, rng.integers(2100, 3300, size), SECONDS)
    starts, stops = rng.integers(0, 1500, size), rng.integers(1800, SECONDS + 1, size)
    spread = rng.lognormal(0, 0.12, size)

    places = np.array([meter.place for meter in meters])
    kinds = np.array([meter.entity.product.entity for meter in meters])[:, None]
    begin = begins[places]
    end = np.where(np.isin(kinds, _HOSTS), ends[places], SECONDS)

    has_runs = np.array([meter.run_id is not None for meter in meters])[:, None]
    hourly = has_runs & np.array([meter.runs_an_hour == 1 for meter in meters])[:, None]
    once = has_runs & np.array([meter.runs_an_hour == 0 for meter in meters])[:, None]
    usual: Any = np.array([_usual_seconds(meter) for meter in meters])[:, None]
    lasts = np.clip(usual * spread[places], 120, SECONDS - 900).astype(np.int64)
    hours = np.arange(24)[None, :]
    first = np.array([meter.hours[0] for meter in meters])[:, None]
    last = np.array([meter.hours[-1] for meter in meters])[:, None]
    begin = np.where(once, np.where(hours == first, starts[places], 0), begin)
    end = np.where(once & (hours == last), stops[places], end)
    begin = np.where(hourly, starts[places] * 3 // 5, begin)
    end = np.where(hourly, begin + lasts, end)
    return begin, end


def _usual_seconds(meter: Meter) -> float:
    """How long an hourly run of this job takes."""
    return 300.0 + meter.entity.number * 7919 % 1800


def quantities(rng: np.random.Generator, activity: Activity) -> Floats:
    """Shares of each meter's units, row by row; a few rows meter nothing."""
    meters, source = activity.meters, activity.source
    shares = rng.uniform(0.6, 1.4, len(source))
    shares[rng.random(len(source)) < 0.003] = 0
    totals = np.bincount(source, weights=shares, minlength=len(meters))
    units = np.array([meter.units for meter in meters])
    per_share = units / np.where(totals == 0, 1, totals)
    found: Floats = shares * per_share[source]
    return found
