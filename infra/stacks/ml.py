"""Registered models, their training and scoring jobs, and the endpoints that serve them."""

from __future__ import annotations

from typing import Any

from health_monitor.spec import Model

from infra.constructs.experiment import Experiment
from infra.constructs.registered_model import RegisteredModel
from infra.constructs.serving_endpoint import ServingEndpoint
from infra.constructs.workspace_file import WorkspaceFile
from infra.stacks.base import Platform, budget_policy, new_stack, upload_definitions, writer
from infra.stacks.jobs import DefinedJobs


class MlStack:
    """What a bad change costs: an endpoint that is down."""

    def __init__(self, app: Any, platform: Platform) -> None:
        self.stack = new_stack(app, platform, "ml")
        self._platform = platform
        files = upload_definitions(self.stack, platform, "models")
        for model in platform.definitions.models.values():
            self._model(model, files[model.name])
        DefinedJobs(self.stack, platform, "ml")

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
            budget_policy=budget_policy(self.stack, environment),
        )
