"""Profile and drift statistics against plain Python over the same values."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from emulator.services.monitoring.config import MonitorError, parse_monitor
from emulator.services.monitoring.drift import drift, ks_pvalues
from emulator.services.monitoring.grouping import Dimension, Grouping, make_grouping
from emulator.services.monitoring.profile import Profile, frequent_items, make_column, profile
from emulator.services.monitoring.windows import Granularity

DAY = Granularity.parse("1 day")
START = datetime(2026, 11, 1, tzinfo=UTC)


def by_day(days: list[int]) -> Grouping:
    """Rows grouped by day; -1 belongs to no window."""
    values = [(DAY, START + timedelta(days=day), False) for day in range(max(days) + 1)]
    return make_grouping(Dimension(np.array(days), values), None, None, None)


def numbers(values: list[Any], days: list[int]) -> tuple[Profile, Grouping]:
    column = make_column(
        "n", "double", "number", pa.chunked_array([pa.array(values, pa.float64())])
    )
    grouping = by_day(days)
    return profile(column, grouping), grouping


def words(values: list[Any], days: list[int]) -> tuple[Profile, Grouping]:
    column = make_column("w", "string", "text", pa.chunked_array([pa.array(values, pa.string())]))
    grouping = by_day(days)
    return profile(column, grouping), grouping


def moved(found: tuple[Profile, Grouping]) -> dict[str, float]:
    """The drift of the second day against the first."""
    pairs = found[1].pairs()
    assert pairs == [(1, 0, False)]
    values = drift(found[0], np.array([1]), np.array([0]))
    return {name: float(value[0]) for name, value in values.items()}


def test_numbers_are_profiled_in_every_group() -> None:
    random = np.random.default_rng(3)
    days = random.integers(-1, 3, 400).tolist()
    values: list[Any] = np.round(random.normal(0, 2, 400), 1).tolist()
    values[5:9], values[11] = [None] * 4, math.nan
    found, grouping = numbers(values, days)
    assert grouping.size == 3
    for group in range(3):
        mine = [v for v, day in zip(values, days, strict=True) if day == group]
        real = sorted(v for v in mine if v is not None and not math.isnan(v))
        got = {name: array[group] for name, array in found.values.items()}
        assert found.rows[group] == len(mine)
        assert found.present[group] == sum(v is not None for v in mine)
        assert got["avg"] == pytest.approx(statistics.fmean(real))
        assert got["stddev"] == pytest.approx(statistics.stdev(real))
        assert (got["min"], got["max"]) == (real[0], real[-1])
        assert got["median"] == pytest.approx(statistics.median(real))
        assert got["distinct_count"] == len(set(real))
        assert got["num_zeros"] == real.count(0.0)
        assert got["num_nan"] == sum(v is not None and math.isnan(v) for v in mine)
        assert got["percent_null"] == pytest.approx(100 * mine.count(None) / len(mine))
        assert found.quantiles is not None
        expected = [real[math.ceil(k * len(real) / 1000) - 1] for k in range(1, 1001)]
        assert found.quantiles[group].tolist() == expected


def test_words_are_profiled_in_every_group() -> None:
    found, _ = words(["b", "a", "b", None, "ccc", "ccc"], [0, 0, 0, 0, 1, -1])
    assert frequent_items(found) == [
        [{"item": "b", "count": 2}, {"item": "a", "count": 1}],
        [{"item": "ccc", "count": 1}],
    ]
    assert found.values["distinct_count"].tolist() == [2, 1]
    assert found.values["max_length"].tolist() == [1, 3]
    assert found.values["percent_distinct"].tolist() == [50, 100]


def test_empty_groups_have_no_statistics() -> None:
    found, _ = numbers([None, 1.0], [0, 1])
    assert math.isnan(found.values["avg"][0]) and math.isnan(found.values["min"][0])
    assert math.isnan(found.values["stddev"][1])
    assert math.isnan(drift(found, np.array([1]), np.array([0]))["ks_statistic"][0])


def test_equal_windows_do_not_drift() -> None:
    same = moved(numbers([1.0, 2.0, 3.0] * 2, [0] * 3 + [1] * 3))
    assert same["ks_statistic"] == same["wasserstein_distance"] == 0
    assert same["population_stability_index"] == same["avg_delta"] == 0
    assert same["ks_pvalue"] == 1
    same = moved(words(["x", "x", "y"] * 2, [0] * 3 + [1] * 3))
    assert same["tv_distance"] == same["js_distance"] == same["l_infinity_distance"] == 0
    assert (same["chi_statistic"], same["chi_pvalue"]) == (0, 1)


def test_numbers_that_moved() -> None:
    random = np.random.default_rng(4)
    before, after = random.normal(0, 1, 700), random.normal(0.5, 1, 900)
    got = moved(numbers([*before, *after], [0] * 700 + [1] * 900))
    levels = np.sort(before)[np.ceil(np.arange(1, 1001) * 0.7 - 1e-9).astype(int) - 1]
    later = np.sort(after)[np.ceil(np.arange(1, 1001) * 0.9 - 1e-9).astype(int) - 1]
    distance = max(abs((levels <= x).mean() - (later <= x).mean()) for x in [*levels, *later])
    assert got["ks_statistic"] == pytest.approx(distance)
    assert got["wasserstein_distance"] == pytest.approx(np.abs(levels - later).mean())
    assert 0.1 < got["population_stability_index"] < 0.5
    assert got["avg_delta"] == pytest.approx(after.mean() - before.mean())
    apart = moved(numbers([1.0, 2.0, 11.0, 12.0], [0, 0, 1, 1]))
    assert apart["ks_statistic"] == 1
    assert got["count_delta"] == 200


def test_words_that_moved() -> None:
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import chi2_contingency

    before, after = "aaaabbc", "aabbbbbddd"
    got = moved(words([*before, *after], [0] * 7 + [1] * 10))
    counts = [[Counter(side)[value] for value in "abcd"] for side in (before, after)]
    p, q = np.array(counts[0]) / 7, np.array(counts[1]) / 10
    expected = chi2_contingency(counts, correction=False)
    assert got["chi_statistic"] == pytest.approx(expected.statistic)
    assert got["chi_pvalue"] == pytest.approx(expected.pvalue)
    assert got["tv_distance"] == pytest.approx(np.abs(p - q).sum() / 2)
    assert got["l_infinity_distance"] == pytest.approx(np.abs(p - q).max())
    assert got["js_distance"] == pytest.approx(jensenshannon(p, q))


def test_pvalues_use_the_effective_sample_size() -> None:
    from scipy.stats import kstwo

    found = ks_pvalues(
        np.array([0.05, 0.2, 0.05]), np.array([500, 30, 500]), np.array([400, 9, 400])
    )
    assert found[0] == found[2] == pytest.approx(kstwo.sf(0.05, round(500 * 400 / 900)))
    assert found[1] == pytest.approx(kstwo.sf(0.2, round(30 * 9 / 39)))


@pytest.mark.parametrize(
    ("text", "moment", "start", "end"),
    [
        ("1 day", (2026, 11, 20, 23), (2026, 11, 20), (2026, 11, 21)),
        ("1 hour", (2026, 11, 20, 23, 59), (2026, 11, 20, 23), (2026, 11, 21)),
        ("30 minutes", (2026, 11, 20, 23, 59), (2026, 11, 20, 23, 30), (2026, 11, 21)),
        ("1 week", (2026, 11, 22), (2026, 11, 16), (2026, 11, 23)),
        ("1 month", (2026, 2, 3), (2026, 2, 1), (2026, 3, 1)),
        ("AGGREGATION_GRANULARITY_1_YEAR", (2026, 2, 3), (2026, 1, 1), (2027, 1, 1)),
    ],
)
def test_windows_are_aligned_to_the_calendar(
    text: str, moment: tuple[int, ...], start: tuple[int, ...], end: tuple[int, ...]
) -> None:
    granularity = Granularity.parse(text)
    found = granularity.start(datetime(*moment, tzinfo=UTC))  # type: ignore[misc, arg-type]
    assert found == datetime(*start, tzinfo=UTC)  # type: ignore[misc, arg-type]
    assert granularity.following(found) == datetime(*end, tzinfo=UTC)  # type: ignore[misc, arg-type]
    assert granularity.preceding(granularity.following(found)) == found


def test_windows_that_are_not_adjacent_are_not_compared() -> None:
    assert by_day([0, 2, 3]).pairs() == [(2, 1, False)]


def test_wrong_monitors_are_refused() -> None:
    body = {"table_name": "s.t", "output_schema_name": "m"}
    with pytest.raises(MonitorError, match="one of snapshot"):
        parse_monitor(body)
    with pytest.raises(ValueError, match="unknown granularity '2 days'"):
        parse_monitor({**body, "time_series": {"timestamp_col": "t", "granularities": ["2 days"]}})
    metric = {
        "name": "m",
        "type": "CUSTOM_METRIC_TYPE_AGGREGATE",
        "input_columns": [":table"],
        "definition": "1",
        "output_data_type": "double",
    }
    with pytest.raises(MonitorError, match="defined twice: m"):
        parse_monitor({**body, "snapshot": {}, "custom_metrics": [metric, metric]})
