"""How far a day's cost is above what its own past lets expect; plain functions of frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

FEATURES = ["rise", "deviation", "excess_cost"]
PAST_DAYS = 28
RECENT_DAYS = 7
LEAST_SPREAD = 0.05
FIRST_WEEKEND_DAY = 5
DAY = "__day"


def cost_features(
    costs: pd.DataFrame, *, day: str, series: Sequence[str], value: str, min_history_days: int
) -> pd.DataFrame:
    """One row per day and series that has enough past: expected cost and the features.

    ``rise`` is the logarithm of cost above the medians of the last 28 and of the last 7 days,
    whichever is higher, after the rhythm of the week is taken out: so neither weekdays nor a level
    that has been high for days count. ``deviation`` is the rise in units of the usual spread.
    """
    parts = []
    for key, group in costs.groupby(list(series), sort=True):
        days = pd.DatetimeIndex(pd.to_datetime(group[day]))
        values = pd.Series(group[value].to_numpy(dtype=float), index=days).fillna(0.0)
        every_day = pd.date_range(days.min(), days.max())
        part = _series_features(values.reindex(every_day, fill_value=0.0), min_history_days)
        names: dict[str, Any] = dict(
            zip(series, key if isinstance(key, tuple) else (key,), strict=True)
        )
        part = part[part[DAY].isin(days)].rename(columns={DAY: day}).assign(**names)
        parts.append(part)
    columns = [day, *series, "cost", "expected_cost", *FEATURES]
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat(parts, ignore_index=True)[columns]


def _series_features(cost: pd.Series, min_history_days: int) -> pd.DataFrame:
    """The features of one gapless series of days."""
    days = pd.DatetimeIndex(cost.index)
    level = np.log1p(np.maximum(cost.to_numpy(), 0.0))
    weekend = np.asarray(days.dayofweek >= FIRST_WEEKEND_DAY)
    past, past_weekend = _past(level), _past(weekend.astype(float)) > 0
    rhythm = _weekend_rise(past, past_weekend)
    adjusted = past - rhythm[:, None] * past_weekend
    base = _nanmedian(adjusted)
    recent = _nanmedian(adjusted[:, -RECENT_DAYS:])
    spread = 1.4826 * _nanmedian(np.abs(adjusted - base[:, None]))
    usual = base + rhythm * weekend
    rise = np.maximum(level - rhythm * weekend - np.fmax(base, recent), 0.0)
    expected = np.expm1(usual)
    frame = pd.DataFrame(
        {
            DAY: days,
            "cost": cost.to_numpy(),
            "expected_cost": expected,
            "rise": rise,
            "deviation": rise / np.fmax(spread, LEAST_SPREAD),
            "excess_cost": np.maximum(cost.to_numpy() - expected, 0.0),
        }
    )
    return frame.iloc[min_history_days:]


def _past(values: np.ndarray) -> np.ndarray:
    """The days before each day, as many as count; NaN before the first."""
    padded = np.concatenate([np.full(PAST_DAYS, np.nan), values])
    return sliding_window_view(padded, PAST_DAYS)[:-1]


def _weekend_rise(past: np.ndarray, weekend: np.ndarray) -> np.ndarray:
    """How much higher weekends are than weekdays; 0 until both were seen."""
    on_weekends = _nanmedian(np.where(weekend, past, np.nan))
    on_weekdays = _nanmedian(np.where(weekend, np.nan, past))
    difference: np.ndarray = np.nan_to_num(on_weekends - on_weekdays, nan=0.0)
    return difference


def _nanmedian(windows: np.ndarray) -> np.ndarray:
    """Medians of rows; NaN for a row of nothing but NaN."""
    ordered = np.sort(windows, axis=1)  # NaN go last
    counts = np.sum(~np.isnan(windows), axis=1)
    rows = np.arange(len(windows))
    low = ordered[rows, np.maximum((counts - 1) // 2, 0)]
    high = ordered[rows, np.minimum(counts // 2, windows.shape[1] - 1)]
    return np.where(counts > 0, (low + high) / 2, np.nan)
