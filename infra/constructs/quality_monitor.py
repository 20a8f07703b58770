"""A quality monitor on a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cdktf_cdktf_provider_databricks.quality_monitor import (
    QualityMonitor as DatabricksQualityMonitor,
)
from cdktf_cdktf_provider_databricks.quality_monitor import (
    QualityMonitorCustomMetrics,
    QualityMonitorNotifications,
    QualityMonitorNotificationsOnFailure,
    QualityMonitorSchedule,
    QualityMonitorTimeSeries,
)

from infra.constructs.base import address, literal


@dataclass(frozen=True)
class CustomMetric:
    """A metric over rows, over metrics, or between two windows."""

    type: Literal["AGGREGATE", "DERIVED", "DRIFT"]
    name: str
    definition: str
    input_columns: Sequence[str]
    output_data_type: str


class QualityMonitor:
    """Profile and drift of a table over time, whole and by slice."""

    def __init__(
        self,
        scope: Any,
        *,
        name: str,
        table: str,
        output_schema: str,
        assets: str,
        timestamp: str,
        granularities: Sequence[str],
        slices: Sequence[str],
        metrics: Sequence[CustomMetric],
        cron: str | None,
        failure_emails: Any | None,
    ) -> None:
        DatabricksQualityMonitor(
            scope,
            address(scope, "monitor", name),
            table_name=table,
            output_schema_name=output_schema,
            assets_dir=assets,
            time_series=[
                QualityMonitorTimeSeries(timestamp_col=timestamp, granularities=list(granularities))
            ],
            slicing_exprs=list(slices) or None,
            custom_metrics=[
                QualityMonitorCustomMetrics(
                    type=f"CUSTOM_METRIC_TYPE_{metric.type}",
                    name=metric.name,
                    definition=literal(metric.definition),
                    input_columns=list(metric.input_columns),
                    output_data_type=metric.output_data_type,
                )
                for metric in metrics
            ],
            schedule=_schedule(cron),
            notifications=_notifications(failure_emails),
            skip_builtin_dashboard=True,
        )


def _schedule(cron: str | None) -> Any:
    if cron is None:
        return None
    return [QualityMonitorSchedule(quartz_cron_expression=cron, timezone_id="UTC")]


def _notifications(addresses: Any | None) -> Any:
    if addresses is None:
        return None
    told = QualityMonitorNotificationsOnFailure(email_addresses=addresses)
    return [QualityMonitorNotifications(on_failure=[told])]
