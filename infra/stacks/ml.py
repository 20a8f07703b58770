"""Registered models, their training and scoring jobs, and the endpoints that serve them."""

from __future__ import annotations

from typing import Any

from health_monitor.spec import Model

from infra.constructs.base import Reference
from infra.constructs.exchange import export
from infra.constructs.experiment import Experiment
from infra.constructs.job import Job, Operations, RunJobTask, WheelTask
from infra.constructs.registered_model import RegisteredModel
from infra.constructs.serving_endpoint import ServingEndpoint
from infra.constructs.workspace_file import WorkspaceFile
from infra.stacks.base import Platform, new_stack, operations, upload_definitions, writer

# What the serverless environment has in part or not at all.
PACKAGES = ("mlflow>=3", "scikit-learn>=1.5", "databricks-sdk>=0.60")
REFRESH_ID = "job_ml_refresh_id"


def training_id(model: str) -> str:
    """The export that holds the id of a model's training job."""
    return f"job_{model}_training_id"


class MlStack:
    """What a bad change costs: an endpoint that is down."""

    def __init__(self, app: Any, platform: Platform) -> None:
        self.stack = new_stack(app, platform, "ml")
        self._platform = platform
        files = upload_definitions(self.stack, platform, "models")
        settings = operations(self.stack, platform)
        scoring: dict[str, Reference] = {}
        for model in platform.definitions.models.values():
            self._model(model, files[model.name])
            export(self.stack, training_id(model.name), self._training(model, settings))
            scoring[model.name] = self._scoring(model, settings)
        export(self.stack, REFRESH_ID, self._refresh(scoring, settings))

    def _model(self, model: Model, definition: WorkspaceFile) -> None:
        environment, naming = self._platform.environment, self._platform.naming
        RegisteredModel(
            self.stack,
            catalog=environment.catalog,
            schema="ml",
            name=model.name,
            comment=model.comment,
            owner=writer(self.stack, environment),
            prevent_destroy=environment.prevent_destroy,
        )
        Experiment(
            self.stack,
            name=model.name,
            path=naming.experiment(model.name),
            tags=environment.tags,
            beside=definition,
        )
        ServingEndpoint(
            self.stack,
            name=model.name,
            endpoint=naming.endpoint(model.name),
            tags=environment.tags,
        )

    def _training(self, model: Model, settings: Operations) -> Reference:
        naming = self._platform.naming
        parameters = {
            **self._platform.job_parameters(),
            "model": model.name,
            "experiment": naming.experiment(model.name),
            "endpoint": naming.endpoint(model.name),
        }
        job = Job(
            self.stack,
            name=f"{model.name}_training",
            layer="atomic",
            description=f"Trains {model.name}, registers the version and puts it on its endpoint",
            tasks=[WheelTask("train", "train_model", parameters)],
            timeout_minutes=120,
            operations=settings,
            packages=PACKAGES,
        )
        return job.id

    def _scoring(self, model: Model, settings: Operations) -> Reference:
        parameters = {**self._platform.job_parameters(), "model": model.name}
        job = Job(
            self.stack,
            name=f"{model.name}_scoring",
            layer="atomic",
            description=f"Scores gold with the champion version of {model.name}",
            tasks=[WheelTask("score", "score_model", parameters)],
            timeout_minutes=60,
            operations=settings,
            packages=PACKAGES,
        )
        return job.id

    def _refresh(self, scoring: dict[str, Reference], settings: Operations) -> Reference:
        job = Job(
            self.stack,
            name="ml_refresh",
            layer="composite",
            description="Scores gold with every model",
            tasks=[RunJobTask(name, job) for name, job in scoring.items()],
            timeout_minutes=90,
            operations=settings,
        )
        return job.id
