"""How far two groups of a column are apart: distances and tests, for many pairs at once."""

from __future__ import annotations

import numpy as np

from emulator.services.monitoring.grouping import Array
from emulator.services.monitoring.profile import QUANTILES, Profile, ValueCounts

PSI_BINS = 10
PSI_FLOOR = 1e-4

DELTAS = ("avg", "percent_null", "percent_zeros", "percent_distinct")
_TIME_DELTAS = ("percent_null", "percent_distinct")


def drift(profile: Profile, current: Array, base: Array) -> dict[str, Array]:
    """All drift metrics of a column for pairs of groups; a NaN, or no key, is a NULL."""
    family = profile.column.family
    found: dict[str, Array] = {"count_delta": profile.rows[current] - profile.rows[base]}
    for name in _TIME_DELTAS if family == "time" else DELTAS:
        if name in profile.values:
            values = profile.values[name]
            found[f"{name}_delta"] = values[current] - values[base]
    if family == "number":
        found.update(_numeric(profile, current, base))
    elif family in ("text", "boolean") and profile.counts is not None:
        found.update(_categorical(profile.counts, len(profile.rows), current, base))
    return found


def ks_statistic(first: Array, second: Array) -> float:
    """The largest distance of two distribution functions, each given by sorted quantiles."""
    points = np.concatenate((first, second))
    below_first = np.searchsorted(first, points, side="right")
    below_second = np.searchsorted(second, points, side="right")
    return float(np.abs(below_first - below_second).max()) / len(first)


def ks_pvalues(statistics: Array, n: Array, m: Array) -> Array:
    """Two-sided p-values with the effective sample size n*m/(n+m)."""
    from scipy.stats import kstwo

    size = np.maximum(np.round(n * m / np.maximum(n + m, 1)), 1)
    keys, inverse = np.unique(np.stack((statistics, size)), axis=1, return_inverse=True)
    values = kstwo.sf(keys[0], keys[1].astype(np.int64))
    return np.asarray(values)[inverse.ravel()]


def stability_index(current: Array, base: Array) -> float:
    """Population stability index over the deciles of the base, given sorted quantiles."""
    edges = base[QUANTILES // PSI_BINS - 1 : QUANTILES - 1 : QUANTILES // PSI_BINS]
    p = np.maximum(_shares(current, edges), PSI_FLOOR)
    q = np.maximum(_shares(base, edges), PSI_FLOOR)
    return float(((p - q) * np.log(p / q)).sum())


def _shares(quantiles: Array, edges: Array) -> Array:
    below = np.searchsorted(quantiles, edges, side="right")
    return np.diff(np.concatenate(([0], below, [len(quantiles)]))) / len(quantiles)


def _numeric(profile: Profile, current: Array, base: Array) -> dict[str, Array]:
    quantiles = profile.quantiles
    if quantiles is None:
        return {}
    pairs = len(current)
    ks, psi = np.full(pairs, np.nan), np.full(pairs, np.nan)
    known = np.flatnonzero(~np.isnan(quantiles[current, 0]) & ~np.isnan(quantiles[base, 0]))
    for pair in known:
        mine, theirs = quantiles[current[pair]], quantiles[base[pair]]
        ks[pair] = ks_statistic(mine, theirs)
        psi[pair] = stability_index(mine, theirs)
    pvalues = np.full(pairs, np.nan)
    n, m = profile.rows[current[known]], profile.rows[base[known]]
    pvalues[known] = ks_pvalues(ks[known], n, m)
    distance = np.abs(quantiles[current] - quantiles[base]).mean(axis=1)
    return {
        "ks_statistic": ks,
        "ks_pvalue": pvalues,
        "wasserstein_distance": distance,
        "population_stability_index": psi,
    }


def _categorical(counts: ValueCounts, groups: int, current: Array, base: Array) -> dict[str, Array]:
    """Compare the full value counts of each pair, over the union of their values."""
    from scipy.stats import chi2

    pairs = len(current)
    starts = np.searchsorted(counts.groups, np.arange(groups + 1))
    mine = _spread(counts, starts, current)
    theirs = _spread(counts, starts, base)
    pair, cells = _union(mine, theirs)
    totals = np.stack([np.bincount(pair, cells[side], pairs) for side in (0, 1)])
    with np.errstate(invalid="ignore", divide="ignore"):
        p, q = (cells[side] / totals[side][pair] for side in (0, 1))
        middle = (p + q) / 2
        divergence = (_information(p, middle) + _information(q, middle)) / 2
        expected = (cells[0] + cells[1]) / (totals[0] + totals[1])[pair]
        chi = sum(
            (cells[side] - expected * totals[side][pair]) ** 2 / (expected * totals[side][pair])
            for side in (0, 1)
        )
    largest = np.zeros(pairs)
    np.maximum.at(largest, pair, np.abs(p - q))
    statistic = np.bincount(pair, chi, pairs)
    freedom = np.bincount(pair, minlength=pairs) - 1
    pvalue = np.where(freedom > 0, chi2.sf(statistic, np.maximum(freedom, 1)), 1.0)
    unknown = (totals == 0).any(axis=0)
    found = {
        "tv_distance": np.bincount(pair, np.abs(p - q), pairs) / 2,
        "l_infinity_distance": largest,
        "js_distance": np.sqrt(np.maximum(np.bincount(pair, divergence, pairs), 0)),
        "chi_statistic": statistic,
        "chi_pvalue": pvalue,
    }
    return {name: np.where(unknown, np.nan, values) for name, values in found.items()}


def _spread(counts: ValueCounts, starts: Array, groups: Array) -> tuple[Array, Array, Array]:
    """The counts of the given groups, one after another: pair number, value, count."""
    sizes = starts[groups + 1] - starts[groups]
    pair = np.repeat(np.arange(len(groups)), sizes)
    offsets = np.arange(len(pair)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    places = np.repeat(starts[groups], sizes) + offsets
    return pair, counts.codes[places], counts.counts[places]


def _union(
    mine: tuple[Array, Array, Array], theirs: tuple[Array, Array, Array]
) -> tuple[Array, Array]:
    """Pair numbers and both sides' counts, for each value that either side has."""
    pair = np.concatenate((mine[0], theirs[0]))
    code = np.concatenate((mine[1], theirs[1]))
    width = int(code.max(initial=0)) + 1
    keys, inverse = np.unique(pair * width + code, return_inverse=True)
    split = len(mine[0])
    cells = np.stack(
        (
            np.bincount(inverse[:split], mine[2], len(keys)),
            np.bincount(inverse[split:], theirs[2], len(keys)),
        )
    )
    return keys // width, cells


def _information(p: Array, q: Array) -> Array:
    return np.where(p > 0, p * np.log(np.where(p > 0, p / q, 1)), 0)
