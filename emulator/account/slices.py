"""Runs cut into slices of at most an hour, as the timeline tables hold them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emulator.account.columns import HOUR, Bools, Ints, repeated


@dataclass(frozen=True, eq=False)
class Slices:
    """``source`` is the place of what was cut; its last slice ``is_last``."""

    source: Ints
    start: Ints
    end: Ints
    is_last: Bools


def cut(start: Ints, end: Ints, is_aligned: Bools) -> Slices:
    """Cut at clock hours, or an hour after the start and so on; what takes no time is one slice."""
    first = np.where(is_aligned, start // HOUR * HOUR, start)
    counts = np.maximum(-(-(end - first) // HOUR), 1)
    source, within = repeated(counts)
    begins = np.maximum(first[source] + within * HOUR, start[source])
    ends = np.minimum(first[source] + (within + 1) * HOUR, end[source])
    return Slices(source, begins, ends, within == counts[source] - 1)


@dataclass(frozen=True, eq=False)
class Attempts:
    """The attempts of runs: all but the last one of a run fail, and a pause follows them."""

    source: Ints
    number: Ints
    start: Ints
    end: Ints
    is_last: Bools


def attempts(start: Ints, end: Ints, counts: Ints) -> Attempts:
    """Share out each run over its attempts, a quarter of each being the pause before the next."""
    source, number = repeated(counts)
    each = ((end - start) // counts)[source]
    is_last = number == counts[source] - 1
    begins = start[source] + number * each
    ends = np.where(is_last, end[source], begins + each * 3 // 4)
    return Attempts(source, number, begins, ends, is_last)
