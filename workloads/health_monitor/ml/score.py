"""Scores gold with the champion, and keeps the scores in gold."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from health_monitor.ml.costs import features_of
from health_monitor.ml.features import FEATURES
from health_monitor.ml.train import CHAMPION, registered_name
from health_monitor.runtime import full_name, said, temporary_view
from health_monitor.spec import Gold, Model
from health_monitor.spec.sql import quoted

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession

SCORED_DAYS = 90


def score(spark: SparkSession, definition: Model, target: Gold, catalog: str) -> int:
    """Score the last days again, since corrections change them; gives the number of anomalies."""
    import mlflow

    started = time.monotonic()
    name = registered_name(definition, catalog)
    version = mlflow.MlflowClient().get_model_version_by_alias(name, CHAMPION).version
    model = mlflow.pyfunc.load_model(f"models:/{name}/{version}")
    features = last_days(features_of(spark, definition, catalog), definition.grain[0])
    if features.empty:
        said(target.table, started, scored=0)
        return 0
    scored = features.join(model.predict(features[FEATURES]))
    scored["model_name"], scored["model_version"] = name, str(version)
    _merge(spark, definition, target, catalog, scored)
    anomalies = int(scored["is_anomaly"].sum())
    said(target.table, started, scored=len(scored), anomalies=anomalies, model_version=version)
    return anomalies


def last_days(features: pd.DataFrame, day: str) -> pd.DataFrame:
    """The days that may still change."""
    import pandas as pd

    if features.empty:
        return features
    since = features[day].max() - pd.Timedelta(days=SCORED_DAYS - 1)
    recent: pd.DataFrame = features[features[day] >= since].reset_index(drop=True)
    return recent


def _merge(
    spark: SparkSession, definition: Model, target: Gold, catalog: str, scored: pd.DataFrame
) -> None:
    """Write scores that differ from those that are there; costs exactly as in the source."""
    day, *series = definition.grain
    values = [
        "expected_cost", "anomaly_score", "score_threshold", "is_anomaly", "model_name",
        "model_version",
    ]  # fmt: skip
    rows = scored[[day, *series, *values]].copy()
    rows[day] = rows[day].dt.date
    grain = ", ".join(quoted(name) for name in definition.grain)
    same_key = " AND ".join(f"c.{quoted(n)} = s.{quoted(n)}" for n in definition.grain)
    with temporary_view(spark, spark.createDataFrame(rows)) as view:
        exact = spark.sql(
            f"SELECT s.*, c.{quoted(definition.value)} FROM {view} AS s JOIN ("
            f"SELECT {grain}, SUM({quoted(definition.value)}) AS {quoted(definition.value)} "
            f"FROM {full_name(catalog, definition.source)} GROUP BY {grain}) AS c ON {same_key}"
        )
        with temporary_view(spark, exact) as source:
            spark.sql(_statement(definition, target, catalog, source, values))


def _statement(definition: Model, target: Gold, catalog: str, view: str, values: list[str]) -> str:
    figures = [*values, definition.value]
    on = " AND ".join(f"t.{quoted(n)} = s.{quoted(n)}" for n in definition.grain)
    differs = " OR ".join(f"NOT (t.{quoted(n)} <=> s.{quoted(n)})" for n in figures)
    now = f"TIMESTAMP'{datetime.now(UTC):%Y-%m-%d %H:%M:%S}Z'"
    updates = ", ".join(f"{quoted(n)} = s.{quoted(n)}" for n in figures)
    columns = [*definition.grain, *figures]
    return (
        f"MERGE INTO {full_name(catalog, target.table)} AS t USING {view} AS s ON {on} "
        f"WHEN MATCHED AND ({differs}) THEN UPDATE SET {updates}, scored_at = {now} "
        f"WHEN NOT MATCHED THEN INSERT ({', '.join(map(quoted, columns))}, scored_at) "
        f"VALUES ({', '.join(f's.{quoted(n)}' for n in columns)}, {now})"
    )
