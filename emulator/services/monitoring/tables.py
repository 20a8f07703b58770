"""The two output tables: their columns in order, and blocks of their rows as Arrow tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from emulator.services.monitoring.config import TABLE_ROW, MonitorConfig
from emulator.services.monitoring.grouping import Array, Label
from emulator.services.monitoring.profile import QUANTILES, Profile, frequent_items

ROW = "__row"
CURRENT, BASE = "__current", "__base"
_MOMENT = pa.timestamp("us", tz="UTC")
_WINDOW = pa.struct([("start", _MOMENT), ("end", _MOMENT)])
_ITEMS = pa.list_(pa.struct([("item", pa.string()), ("count", pa.int64())]))
_TEST = pa.struct([("statistic", pa.float64()), ("pvalue", pa.float64())])
_COLUMNS_DELTA = pa.struct([("added", pa.int32()), ("missing", pa.int32())])

_WHICH = {
    "granularity": pa.string(),
    "slice_key": pa.string(),
    "slice_value": pa.string(),
}
_STATISTICS = {
    "count": pa.int64(),
    "data_type": pa.string(),
    "num_nulls": pa.int64(),
    "avg": pa.float64(),
    "quantiles": pa.list_(pa.float64()),
    "min": pa.float64(),
    "max": pa.float64(),
    "stddev": pa.float64(),
    "num_zeros": pa.int64(),
    "num_nan": pa.int64(),
    "min_length": pa.float64(),
    "max_length": pa.float64(),
    "avg_length": pa.float64(),
    "non_null_columns": pa.list_(pa.string()),
    "frequent_items": _ITEMS,
    "median": pa.float64(),
    "distinct_count": pa.int64(),
    "percent_nan": pa.float64(),
    "percent_null": pa.float64(),
    "percent_zeros": pa.float64(),
    "percent_distinct": pa.float64(),
}
_DELTAS = {
    "count_delta": pa.int64(),
    "avg_delta": pa.float64(),
    "percent_null_delta": pa.float64(),
    "percent_zeros_delta": pa.float64(),
    "percent_distinct_delta": pa.float64(),
    "non_null_columns_delta": _COLUMNS_DELTA,
    "js_distance": pa.float64(),
    "ks_test": _TEST,
    "wasserstein_distance": pa.float64(),
    "population_stability_index": pa.float64(),
    "chi_squared_test": _TEST,
    "tv_distance": pa.float64(),
    "l_infinity_distance": pa.float64(),
}


def profile_schema(config: MonitorConfig) -> pa.Schema:
    """The profile table without custom metrics, after a row number of our own."""
    return pa.schema(
        {
            ROW: pa.int64(),
            "window": _WINDOW,
            "log_type": pa.string(),
            "logging_table_commit_version": pa.int32(),
            "monitor_version": pa.int64(),
            **_WHICH,
            **_model(config),
            "column_name": pa.string(),
            **_STATISTICS,
        }
    )


def drift_schema(config: MonitorConfig) -> pa.Schema:
    """The drift table without custom metrics, after the numbers of the rows compared."""
    return pa.schema(
        {
            CURRENT: pa.int64(),
            BASE: pa.int64(),
            "window": _WINDOW,
            "granularity": pa.string(),
            "monitor_version": pa.int64(),
            "slice_key": pa.string(),
            "slice_value": pa.string(),
            **_model(config),
            "column_name": pa.string(),
            "data_type": pa.string(),
            "window_cmp": _WINDOW,
            "drift_type": pa.string(),
            **_DELTAS,
        }
    )


class Blocks:
    """Makes blocks of rows for one refresh of one monitor."""

    def __init__(self, config: MonitorConfig, now: datetime, commit_version: int) -> None:
        self._config = config
        self._now = now
        self._commit_version = commit_version
        self.profile_schema = profile_schema(config)
        self.drift_schema = drift_schema(config)

    def profile(self, labels: list[Label], found: Profile, first_row: int) -> pa.Table:
        """One profile row for each group of one column."""
        size = len(labels)
        values: dict[str, Any] = {
            **self._profile_labels(labels, first_row),
            "column_name": pa.array([found.column.name] * size),
            "data_type": pa.array([found.column.type_text] * size),
            "count": pa.array(found.rows),
            "num_nulls": pa.array(found.rows - found.present),
            "quantiles": _quantile_lists(found),
            "frequent_items": pa.array(frequent_items(found), type=_ITEMS),
        }
        for name, numbers in found.values.items():
            values[name] = _nullable(numbers, self.profile_schema.field(name).type)
        return _table(self.profile_schema, values, size)

    def table_rows(
        self, labels: list[Label], rows: Array, columns: list[list[str]], first_row: int
    ) -> pa.Table:
        """The ``:table`` row of each group."""
        values = {
            **self._profile_labels(labels, first_row),
            "column_name": pa.array([TABLE_ROW] * len(labels)),
            "count": pa.array(rows),
            "non_null_columns": pa.array(columns, type=pa.list_(pa.string())),
        }
        return _table(self.profile_schema, values, len(labels))

    def drift(
        self,
        labels: list[Label],
        pairs: Sequence[tuple[int, int, bool]],
        column: tuple[str, str | None],
        found: dict[str, Any],
        first_row: int,
    ) -> pa.Table:
        """One drift row for each pair of groups of one column."""
        current = [labels[pair[0]] for pair in pairs]
        base = [labels[pair[1]] for pair in pairs]
        size = len(pairs)
        name, type_text = column
        values: dict[str, Any] = {
            CURRENT: pa.array([first_row + pair[0] for pair in pairs], pa.int64()),
            BASE: pa.array([first_row + pair[1] for pair in pairs], pa.int64()),
            "window": self._windows(current),
            "window_cmp": self._windows(base),
            "drift_type": pa.array(["BASELINE" if p[2] else "CONSECUTIVE" for p in pairs]),
            "monitor_version": pa.array([self._config.version] * size, pa.int64()),
            "column_name": pa.array([name] * size),
            "data_type": pa.array([type_text] * size, pa.string()),
            **self._which(current),
        }
        for metric, numbers in found.items():
            if metric in self.drift_schema.names:
                kind = self.drift_schema.field(metric).type
                values[metric] = numbers if kind == _COLUMNS_DELTA else _nullable(numbers, kind)
        values["ks_test"] = _test(found, "ks", size)
        values["chi_squared_test"] = _test(found, "chi", size)
        return _table(self.drift_schema, values, size)

    def _profile_labels(self, labels: list[Label], first_row: int) -> dict[str, Any]:
        size = len(labels)
        return {
            ROW: pa.array(np.arange(first_row, first_row + size)),
            "window": self._windows(labels),
            "log_type": pa.array(["BASELINE" if lb.is_baseline else "INPUT" for lb in labels]),
            "logging_table_commit_version": pa.array([self._commit_version] * size, pa.int32()),
            "monitor_version": pa.array([self._config.version] * size, pa.int64()),
            **self._which(labels),
        }

    def _which(self, labels: list[Label]) -> dict[str, Any]:
        texts = [lb.granularity.text if lb.granularity else None for lb in labels]
        which = {
            "granularity": pa.array(texts, pa.string()),
            "slice_key": pa.array([lb.slice_key for lb in labels], pa.string()),
            "slice_value": pa.array([lb.slice_value for lb in labels], pa.string()),
        }
        if self._config.model_column:
            which[self._config.model_column] = pa.array([lb.model for lb in labels], pa.string())
        return which

    def _windows(self, labels: list[Label]) -> pa.Array:
        return pa.array([self._window(label) for label in labels], type=_WINDOW)

    def _window(self, label: Label) -> dict[str, datetime] | None:
        if label.is_baseline:
            return None
        if label.granularity is None or label.start is None:
            return {"start": self._now, "end": self._now}
        return {"start": label.start, "end": label.granularity.following(label.start)}


def columns_delta(current: list[list[str]], base: list[list[str]]) -> pa.Array:
    """How many columns gained their first value, and how many lost their last."""
    deltas = [
        {"added": len(set(c) - set(b)), "missing": len(set(b) - set(c))}
        for c, b in zip(current, base, strict=True)
    ]
    return pa.array(deltas, type=_COLUMNS_DELTA)


def _model(config: MonitorConfig) -> dict[str, pa.DataType]:
    return {config.model_column: pa.string()} if config.model_column else {}


def _table(schema: pa.Schema, values: dict[str, Any], size: int) -> pa.Table:
    arrays = [
        values[field.name].cast(field.type)
        if field.name in values
        else pa.nulls(size, type=field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _nullable(numbers: Array, kind: pa.DataType) -> pa.Array:
    missing = np.isnan(numbers)
    return pa.array(np.where(missing, 0, numbers), mask=missing).cast(kind)


def _quantile_lists(found: Profile) -> pa.Array:
    if found.quantiles is None:
        return pa.nulls(len(found.rows), type=pa.list_(pa.float64()))
    offsets = pa.array(np.arange(len(found.rows) + 1, dtype=np.int32) * QUANTILES)
    missing = pa.array(np.isnan(found.quantiles[:, 0]))
    return pa.ListArray.from_arrays(offsets, pa.array(found.quantiles.ravel()), mask=missing)


def _test(found: dict[str, Any], prefix: str, size: int) -> pa.Array:
    if f"{prefix}_statistic" not in found:
        return pa.nulls(size, type=_TEST)
    statistic, pvalue = found[f"{prefix}_statistic"], found[f"{prefix}_pvalue"]
    return pa.StructArray.from_arrays(
        [pa.array(statistic), pa.array(pvalue)],
        fields=list(_TEST),
        mask=pa.array(np.isnan(statistic)),
    )
