"""Who watches the platform: monitors, alerts, and the jobs of the runbooks."""

from __future__ import annotations

from typing import Any

from health_monitor.spec import Alert as AlertDefinition
from health_monitor.spec import DefinitionErrors, Monitor, Problem, qualify
from health_monitor.spec.base import Severity

from infra.constructs.alert import Alert, ColumnOperand, Condition, Notice
from infra.constructs.base import Reference
from infra.constructs.quality_monitor import CustomMetric, QualityMonitor
from infra.stacks.base import (
    Platform,
    destination,
    emails,
    imports,
    new_stack,
    run_as,
    upload_definitions,
)
from infra.stacks.jobs import DefinedJobs
from infra.stacks.pipelines import WAREHOUSE_ID

# What gets somebody out of bed: P1.
URGENT: Severity = "critical"
MONITOR_SEVERITY: Severity = "warning"


class ObservabilityStack:
    """What a bad change costs: silence."""

    def __init__(self, app: Any, platform: Platform) -> None:
        self.stack = new_stack(app, platform, "observability")
        self._platform = platform
        self._refuse_silence()
        self._warehouse = imports(self.stack, platform, "pipelines").reference(WAREHOUSE_ID)
        upload_definitions(self.stack, platform, "checks")
        DefinedJobs(self.stack, platform, "observability")
        self._run_as = run_as(self.stack, platform.environment)
        self._destinations = {
            item.name: destination(self.stack, platform, item.name)
            for item in platform.environment.destinations
        }
        for monitor in platform.definitions.monitors.values():
            self._monitor(monitor)
        for alert in platform.definitions.alerts.values():
            self._alert(alert)

    def _monitor(self, monitor: Monitor) -> None:
        naming, environment = self._platform.naming, self._platform.environment
        running = environment.schedules.pause_status == "UNPAUSED"
        QualityMonitor(
            self.stack,
            name=monitor.name,
            table=naming.table(monitor.table),
            output_schema=naming.schema("gold_monitoring"),
            assets=naming.monitor_assets(monitor.table),
            timestamp=monitor.timestamp_col,
            granularities=monitor.granularities,
            slices=monitor.slices,
            metrics=custom_metrics(monitor),
            # The provider cannot pause a monitor's schedule, so a paused environment has none.
            cron=monitor.schedule.cron if running else None,
            failure_emails=emails(self.stack, environment, MONITOR_SEVERITY),
        )

    def _refuse_silence(self) -> None:
        """An urgent alert that production pauses would tell nobody."""
        environment, definitions = self._platform.environment, self._platform.definitions
        paused = environment.schedules.pause_status == "PAUSED"
        if not (environment.production and paused):
            return
        problems = []
        for alert in definitions.alerts.values():
            if alert.severity == URGENT:
                message = (
                    f"an alert of severity {URGENT} (P1) must not be paused in production; "
                    f"set schedules.pause_status to UNPAUSED in environments/{environment.name}.yml"
                )
                document = definitions.documents[alert.path]
                problems.append(document.problem(("severity",), message))
        if problems:
            raise DefinitionErrors(problems)

    def _alert(self, alert: AlertDefinition) -> None:
        environment = self._platform.environment
        Alert(
            self.stack,
            name=alert.name,
            display_name=self._platform.naming.title(alert.display_name),
            query=qualify(alert.sql, environment.catalog),
            warehouse=self._warehouse,
            condition=_condition(alert),
            notice=Notice(
                destinations=self._told(alert),
                notify_on_ok=alert.notify_on_ok,
                retrigger_seconds=alert.retrigger_seconds,
                summary=alert.custom_summary,
                description=alert.custom_description,
            ),
            cron=alert.schedule.cron,
            timezone=alert.schedule.timezone,
            pause_status=environment.schedules.pause_status,
            run_as=self._run_as,
        )

    def _told(self, alert: AlertDefinition) -> list[Reference]:
        """The destinations of its severity, or those that it names; at least one."""
        environment = self._platform.environment
        known = self._destinations
        if alert.destinations:
            found = [name for name in alert.destinations if name in known]
        else:
            found = [d.name for d in environment.destinations if alert.severity in d.severities]
        if not found:
            document = self._platform.definitions.documents[alert.path]
            message = (
                f"none of its destinations is one of environment {environment.name}"
                f"; there are: {', '.join(known) or 'none'}"
            )
            problem = Problem(document.file, document.line(("destinations",)), message)
            raise DefinitionErrors([problem])
        return [self._destinations[name] for name in found]


def custom_metrics(monitor: Monitor) -> list[CustomMetric]:
    """The monitor's own metrics; what a metric builds upon stands before it."""
    metrics = monitor.metrics
    return [
        *(_metric("AGGREGATE", metric) for metric in metrics.aggregate.values()),
        *(_metric("DERIVED", metric) for metric in metrics.derived.values()),
        *(_metric("DRIFT", metric) for metric in metrics.drift.values()),
    ]


def _metric(kind: Any, metric: Any) -> CustomMetric:
    return CustomMetric(
        type=kind,
        name=metric.name,
        definition=metric.definition,
        input_columns=metric.input_columns,
        output_data_type=metric.output_data_type,
    )


def _condition(alert: AlertDefinition) -> Condition:
    threshold: ColumnOperand | float | bool | str | None = None
    if alert.threshold is not None:
        threshold = (
            alert.threshold.value
            if alert.threshold.column is None
            else ColumnOperand(alert.threshold.column, alert.threshold.aggregation)
        )
    return Condition(
        source=ColumnOperand(alert.source.column, alert.source.aggregation),
        operator=alert.operator,
        threshold=threshold,
        when_empty=alert.when_empty,
    )
