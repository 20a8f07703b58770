"""The anomaly model on made-up costs: a spike stands out; weekends, drops and new levels do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from health_monitor.ml.features import cost_features
from health_monitor.ml.train import FOREST_FEATURES, TrainingError, fit
from health_monitor.spec import load_definitions

from tests.unit.test_spec_loading import DEFINITIONS

DAYS = pd.date_range("2026-01-01", periods=60)
SPIKE = ("spiky", pd.Timestamp("2026-02-12"), pd.Timestamp("2026-02-13"))
MODEL = load_definitions(DEFINITIONS).models["cost_anomaly_detector"]


def series(name: str, seed: int) -> pd.DataFrame:
    """A workload that sleeps on weekends, with five percent of noise."""
    noise = np.random.default_rng(seed).normal(1, 0.05, len(DAYS))
    cost = np.where(DAYS.dayofweek >= 5, 20.0, 100.0) * noise
    return pd.DataFrame({"day": DAYS, "who": name, "cost": cost})


def features() -> pd.DataFrame:
    parts = [series(f"quiet {n}", n) for n in range(20)]
    spiky, dropping, growing = series("spiky", 30), series("dropping", 31), series("growing", 32)
    spiky.loc[spiky.day.isin(SPIKE[1:]), "cost"] *= 3
    dropping.loc[dropping.day >= "2026-02-10", "cost"] *= 0.1
    growing.loc[growing.day >= "2026-01-20", "cost"] *= 2
    return cost_features(
        pd.concat([*parts, spiky, dropping, growing]),
        day="day",
        series=["who"],
        value="cost",
        min_history_days=MODEL.min_history_days,
    )


def test_a_spike_stands_out_and_nothing_else_that_lasts() -> None:
    found = features()
    trained = fit(found, MODEL)
    scores = -trained.forest.score_samples(found[FOREST_FEATURES])
    flagged = found[(scores > trained.settings["score_threshold"]) & (found.rise > 0)]
    strange = set(zip(flagged.who, flagged.day, strict=True))
    assert {(SPIKE[0], SPIKE[1]), (SPIKE[0], SPIKE[2])} <= strange
    assert not {who for who, _ in strange} & {"dropping"}
    assert not {
        day for who, day in strange if who == "growing" and day >= pd.Timestamp("2026-01-26")
    }


def test_expected_cost_follows_the_week() -> None:
    quiet = features().query("who == 'quiet 3'").set_index("day").expected_cost
    weekday = pd.DatetimeIndex(quiet.index).dayofweek
    assert quiet[weekday >= 5].between(17, 23).all()
    assert quiet[weekday < 5].between(90, 110).all()


def test_too_little_past_is_said() -> None:
    with pytest.raises(TrainingError, match=r"gold\.summary_cost gives 10 days with 14 days"):
        fit(features().head(10), MODEL)
