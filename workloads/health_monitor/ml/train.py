"""Trains a model on gold, registers the version, and puts it to work."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from health_monitor.ml.comparison import objections
from health_monitor.ml.costs import features_of
from health_monitor.ml.features import FEATURES
from health_monitor.spec import Model

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import SparkSession

CHAMPION = "champion"
FOREST_FEATURES = ["rise", "deviation"]
LEAST_ROWS = 50
ENDPOINT_MINUTES = 30


class TrainingError(RuntimeError):
    """There is nothing, or too little, to learn from."""


@dataclass(frozen=True)
class Trained:
    """A fitted forest and the figures fixed with it."""

    forest: Any
    settings: dict[str, Any]
    metrics: dict[str, float]


def registered_name(definition: Model, catalog: str) -> str:
    return f"{catalog}.ml.{definition.name}"


def fit(features: pd.DataFrame, definition: Model) -> Trained:
    """Fit the forest; the threshold is a quantile of the scores of what it learned from."""
    from sklearn.ensemble import IsolationForest

    if len(features) < LEAST_ROWS:
        raise TrainingError(
            f"{definition.source} gives {len(features)} days with {definition.min_history_days} "
            f"days before them; {LEAST_ROWS} are needed"
        )
    forest = IsolationForest(**definition.parameters).fit(features[FOREST_FEATURES])
    scores = -forest.score_samples(features[FOREST_FEATURES])
    matters = (features["rise"] > 0) & (features["excess_cost"] >= definition.min_value)
    scores[~matters.to_numpy()] = 0.0
    threshold = float(_quantile(scores, 1 - definition.contamination))
    settings = {
        "forest_features": FOREST_FEATURES,
        "score_threshold": threshold,
        "min_value": definition.min_value,
    }
    metrics = {
        "training_rows": float(len(features)),
        "score_threshold": threshold,
        "highest_score": float(scores.max()),
        "anomalies_in_training": float((scores > threshold).sum()),
    }
    return Trained(forest, settings, metrics)


def train(
    spark: SparkSession, definition: Model, catalog: str, experiment: str, endpoint: str | None
) -> str:
    """Train and register; a version that is no worse becomes champion, and the endpoint serves it.

    TrainingError where it is worse: the version is kept, champion and endpoint stay as they are.
    """
    import mlflow

    features = features_of(spark, definition, catalog)
    trained = fit(features, definition)
    name = registered_name(definition, catalog)
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name=definition.name):
        mlflow.log_params(
            {
                **definition.parameters,
                "algorithm": definition.algorithm,
                "contamination": definition.contamination,
                "min_history_days": definition.min_history_days,
                "source": definition.source,
                "trained_from": str(features[definition.grain[0]].min().date()),
                "trained_to": str(features[definition.grain[0]].max().date()),
            }
        )
        mlflow.log_metrics(trained.metrics)
        version = _log_model(trained, features[FEATURES].head(3), name)
    _compare(name, version, features[FEATURES], definition)
    mlflow.MlflowClient().set_registered_model_alias(name, CHAMPION, version)
    print(f"{name}: version {version} is {CHAMPION}, {trained.metrics}")
    if endpoint is not None:
        serve(endpoint, name, version)
    return version


def _compare(name: str, version: str, features: pd.DataFrame, definition: Model) -> None:
    """Compare the new version with the champion, if there is one, on what it learned from."""
    champion = _champion(name)
    if champion is None:
        print(f"{name}: version {version} is the first")
        return
    found = objections(
        _flags(name, version, features), _flags(name, champion, features), definition.contamination
    )
    if found:
        raise TrainingError(
            f"{name}: version {version} is worse than version {champion}, which stays {CHAMPION}: "
            + "; ".join(found)
        )
    print(f"{name}: version {version} is no worse than version {champion}")


def _champion(name: str) -> str | None:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors import NotFound

    try:
        return str(WorkspaceClient().model_versions.get_by_alias(name, CHAMPION).version)
    except NotFound:
        return None


def _flags(name: str, version: str, features: pd.DataFrame) -> pd.Series:
    import mlflow

    flags: pd.Series = mlflow.pyfunc.load_model(f"models:/{name}/{version}").predict(features)[
        "is_anomaly"
    ]
    return flags


def serve(endpoint: str, name: str, version: str) -> None:
    """Put a version on an endpoint, and wait until it answers."""
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.serving import ServedEntityInput

    entity = ServedEntityInput(
        name=CHAMPION,
        entity_name=name,
        entity_version=version,
        workload_size="Small",
        scale_to_zero_enabled=True,
    )
    waiter = WorkspaceClient().serving_endpoints.update_config(endpoint, served_entities=[entity])
    waiter.result(timeout=timedelta(minutes=ENDPOINT_MINUTES))
    print(f"{endpoint} serves version {version}")


def _log_model(trained: Trained, example: pd.DataFrame, name: str) -> str:
    """Log the model with its signature and register it; gives the version."""
    import joblib
    import mlflow
    import sklearn
    from mlflow.models import infer_signature

    with tempfile.TemporaryDirectory() as folder:
        forest, settings = Path(folder, "forest.joblib"), Path(folder, "settings.json")
        joblib.dump(trained.forest, forest)
        settings.write_text(json.dumps(trained.settings))
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("cost_anomaly_model.py")),
            artifacts={"forest": str(forest), "settings": str(settings)},
            signature=infer_signature(example, _example_output(trained, example)),
            input_example=example,
            registered_model_name=name,
            pip_requirements=[
                f"mlflow=={mlflow.__version__}",
                f"scikit-learn=={sklearn.__version__}",
                "pandas",
                "joblib",
            ],
        )
    return str(info.registered_model_version)


def _example_output(trained: Trained, example: pd.DataFrame) -> pd.DataFrame:
    """What the model gives, for its signature."""
    import pandas as pd

    scores = -trained.forest.score_samples(example[FOREST_FEATURES])
    threshold = trained.settings["score_threshold"]
    return pd.DataFrame(
        {
            "anomaly_score": scores,
            "score_threshold": [threshold] * len(example),
            "is_anomaly": scores > threshold,
        }
    )


def _quantile(scores: Any, share: float) -> float:
    import numpy as np

    return float(np.quantile(scores, share))
