"""The series that the model learns from and scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from health_monitor.ml.features import cost_features
from health_monitor.runtime import full_name
from health_monitor.spec import Model
from health_monitor.spec.sql import quoted

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession


def features_of(spark: SparkSession, definition: Model, catalog: str) -> pd.DataFrame:
    """Features of every day that has a past, from the model's source table."""
    grain = ", ".join(quoted(name) for name in definition.grain)
    value = quoted(definition.value)
    costs = spark.sql(
        f"SELECT {grain}, CAST(SUM({value}) AS DOUBLE) AS {value} "
        f"FROM {full_name(catalog, definition.source)} GROUP BY {grain}"
    ).toPandas()
    day, *series = definition.grain
    return cost_features(
        costs,
        day=day,
        series=series,
        value=definition.value,
        min_history_days=definition.min_history_days,
    )
