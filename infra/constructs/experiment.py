"""An MLflow experiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdktf_cdktf_provider_databricks.mlflow_experiment import (
    MlflowExperiment,
    MlflowExperimentTags,
)

from infra.constructs.base import address
from infra.constructs.workspace_file import WorkspaceFile


class Experiment:
    """The training runs of one model."""

    def __init__(
        self,
        scope: Any,
        *,
        name: str,
        path: str,
        tags: Mapping[str, str],
        beside: WorkspaceFile,
    ) -> None:
        # The API makes no folders; the file's upload makes the one that the experiment is in.
        MlflowExperiment(
            scope,
            address(scope, "experiment", name),
            name=path,
            tags=[MlflowExperimentTags(key=key, value=value) for key, value in tags.items()],
            depends_on=[beside.resource],
        )
