"""The user's own metrics: Jinja templates of SQL expressions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from emulator.services.monitoring.config import TABLE_ROW, CustomMetric, MonitorConfig, MonitorError

CURRENT_ALIAS, BASE_ALIAS = "current_row", "base_row"
_TEMPLATES = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


def render(metric: CustomMetric, **names: str) -> str:
    """The metric's SQL expression; MonitorError when its template cannot be filled in."""
    try:
        return _TEMPLATES.from_string(metric.definition).render(**names)
    except TemplateError as error:
        raise MonitorError(f"custom metric {metric.name}: {error}") from error


def quote(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


class Aggregates:
    """The custom aggregates of every group, by group and column."""

    def __init__(self, config: MonitorConfig) -> None:
        self._config = config
        self._metrics = config.of_kind("AGGREGATE")
        self._expressions: dict[tuple[str, str], str] = {}
        self._values: dict[tuple[Any, ...], dict[str, Any]] = {}
        numbers: dict[str, str] = {}
        for metric in self._metrics:
            for column in metric.input_columns:
                sql = f"CAST(({self._sql(metric, column)}) AS {metric.type_text})"
                self._expressions[metric.name, column] = numbers.setdefault(
                    sql, f"__m{len(numbers)}"
                )
        self.selections = [f"{sql} AS {name}" for sql, name in numbers.items()]

    def take(self, rows: Iterable[dict[str, Any]]) -> None:
        """Remember the aggregates of each group, as Spark computed them."""
        for row in rows:
            key = (row["granularity"], row["start"], row["is_baseline"])
            self._values[(*key, row["slice_key"], row["slice_value"], row["model"])] = row

    def columns(self, rows: Iterable[tuple[tuple[Any, ...], str]]) -> dict[str, list[Any]]:
        """Each metric's values for the given (group, column name) rows, in their order."""
        wanted = list(rows)
        return {
            metric.name: [self._value(metric.name, group, column) for group, column in wanted]
            for metric in self._metrics
        }

    def type_of(self, name: str) -> str:
        return next(metric.type_text for metric in self._metrics if metric.name == name)

    def _value(self, metric: str, group: tuple[Any, ...], column: str) -> Any:
        expression = self._expressions.get((metric, column))
        row = self._values.get(group)
        return row[expression] if expression and row else None

    def _sql(self, metric: CustomMetric, column: str) -> str:
        names = {} if column == TABLE_ROW else {"input_column": quote(column)}
        if self._config.prediction_column:
            names["prediction_col"] = quote(self._config.prediction_column)
        if self._config.label_column:
            names["label_col"] = quote(self._config.label_column)
        return render(metric, **names)


def add_derived(frame: Any, config: MonitorConfig) -> Any:
    """The profile rows with the derived metrics, in the order of their declaration."""
    from pyspark.sql.connect import functions as F

    for metric in config.of_kind("DERIVED"):
        sql = f"CAST(({render(metric)}) AS {metric.type_text})"
        applies = F.col("column_name").isin(list(metric.input_columns))
        frame = frame.withColumn(metric.name, F.when(applies, F.expr(sql)))
    return frame


def add_drift(drift: Any, profile: Any, config: MonitorConfig, keys: tuple[str, str, str]) -> Any:
    """The drift rows with the custom drift metrics; ``keys`` number the rows of both frames."""
    from pyspark.sql.connect import functions as F

    metrics = config.of_kind("DRIFT")
    if not metrics:
        return drift
    row, current, base = keys
    joined = (
        drift.alias("drift")
        .join(profile.alias(CURRENT_ALIAS), F.expr(f"drift.{current} = {CURRENT_ALIAS}.{row}"))
        .join(profile.alias(BASE_ALIAS), F.expr(f"drift.{base} = {BASE_ALIAS}.{row}"))
    )
    columns = [F.expr("drift.*")]
    for metric in metrics:
        sql = render(metric, current_df=CURRENT_ALIAS, base_df=BASE_ALIAS)
        applies = F.expr("drift.column_name").isin(list(metric.input_columns))
        value = F.expr(f"CAST(({sql}) AS {metric.type_text})")
        columns.append(F.when(applies, value).alias(metric.name))
    return joined.select(*columns)
