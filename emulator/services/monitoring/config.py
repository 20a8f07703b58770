"""What a quality monitor asks for, from the body of its REST resource."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from emulator.services.monitoring.windows import Granularity

MetricKind = Literal["AGGREGATE", "DERIVED", "DRIFT"]
TABLE_ROW = ":table"


class MonitorError(ValueError):
    """The monitor cannot be computed as it is declared; the message says why."""


@dataclass(frozen=True)
class CustomMetric:
    """One metric of the user's; ``type_text`` is its declared type as SQL writes it."""

    name: str
    kind: MetricKind
    input_columns: tuple[str, ...]
    definition: str
    type_text: str


@dataclass(frozen=True)
class MonitorConfig:
    table: str
    output_schema: str
    version: int
    timestamp_column: str | None
    granularities: tuple[Granularity, ...]
    slices: tuple[str, ...]
    metrics: tuple[CustomMetric, ...]
    baseline: str | None
    model_column: str | None
    prediction_column: str | None
    label_column: str | None

    @property
    def profile_table(self) -> str:
        return f"{self.output_schema}.{self.table.rsplit('.', 1)[-1]}_profile_metrics"

    @property
    def drift_table(self) -> str:
        return f"{self.output_schema}.{self.table.rsplit('.', 1)[-1]}_drift_metrics"

    def of_kind(self, kind: MetricKind) -> list[CustomMetric]:
        return [metric for metric in self.metrics if metric.kind == kind]


def parse_monitor(monitor: dict[str, Any]) -> MonitorConfig:
    """The monitor's settings, checked."""
    kinds = [k for k in ("snapshot", "time_series", "inference_log") if monitor.get(k) is not None]
    if len(kinds) != 1:
        raise MonitorError("a monitor needs one of snapshot, time_series and inference_log")
    profile = monitor[kinds[0]]
    timed = kinds[0] != "snapshot"
    granularities = tuple(Granularity.parse(g) for g in profile["granularities"]) if timed else ()
    if timed and not granularities:
        raise MonitorError(f"{kinds[0]}: it needs at least one granularity")
    return MonitorConfig(
        table=monitor["table_name"],
        output_schema=monitor["output_schema_name"],
        version=int(monitor.get("monitor_version") or 0),
        timestamp_column=profile["timestamp_col"] if timed else None,
        granularities=granularities,
        slices=tuple(monitor.get("slicing_exprs") or ()),
        metrics=_metrics(monitor.get("custom_metrics") or ()),
        baseline=monitor.get("baseline_table_name") or None,
        model_column=profile["model_id_col"] if kinds[0] == "inference_log" else None,
        prediction_column=profile.get("prediction_col") if timed else None,
        label_column=profile.get("label_col") if timed else None,
    )


def _metrics(bodies: Sequence[dict[str, Any]]) -> tuple[CustomMetric, ...]:
    metrics = [_metric(body) for body in bodies]
    names = [metric.name.lower() for metric in metrics]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MonitorError(f"custom metrics defined twice: {', '.join(twice)}")
    return tuple(metrics)


def _metric(body: dict[str, Any]) -> CustomMetric:
    kinds: dict[str, MetricKind] = {
        "AGGREGATE": "AGGREGATE",
        "DERIVED": "DERIVED",
        "DRIFT": "DRIFT",
    }
    kind = kinds.get(str(body["type"]).rsplit("_", 1)[-1])
    if kind is None:
        raise MonitorError(f"custom metric {body['name']}: unknown type {body['type']}")
    columns = tuple(body["input_columns"])
    if not columns:
        raise MonitorError(f"custom metric {body['name']}: it has no input columns")
    return CustomMetric(
        body["name"], kind, columns, body["definition"], _type_text(body["output_data_type"])
    )


def _type_text(output_data_type: str) -> str:
    """The SQL type in a StructField's JSON; a bare type name is understood too."""
    from pyspark.sql.types import StructField

    if not output_data_type.lstrip().startswith("{"):
        return output_data_type
    return str(StructField.fromJson(json.loads(output_data_type)).dataType.simpleString())
