"""The model as it is registered and served: features in, score and verdict out.

MLflow copies this file into the model, so it imports nothing of the platform.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import joblib
import mlflow
import pandas as pd


class CostAnomalyModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """An isolation forest for which only a rise of cost can be strange."""

    def load_context(self, context: Any) -> None:
        """Read the forest and the figures that were fixed when it was trained."""
        self.forest = joblib.load(context.artifacts["forest"])
        self.settings = json.loads(Path(context.artifacts["settings"]).read_text())

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """The score of each row; 0 where cost did not rise, or by too little to matter."""
        score = -self.forest.score_samples(model_input[self.settings["forest_features"]])
        matters = (model_input["rise"] > 0) & (
            model_input["excess_cost"] >= self.settings["min_value"]
        )
        threshold = float(self.settings["score_threshold"])
        result = pd.DataFrame({"anomaly_score": pd.Series(score, index=model_input.index)})
        result["anomaly_score"] = result["anomaly_score"].where(matters, 0.0)
        result["score_threshold"] = threshold
        result["is_anomaly"] = result["anomaly_score"] > threshold
        return result


mlflow.models.set_model(CostAnomalyModel())
