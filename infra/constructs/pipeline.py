"""A serverless declarative pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdktf_cdktf_provider_databricks.pipeline import (
    Pipeline as DatabricksPipeline,
)
from cdktf_cdktf_provider_databricks.pipeline import (
    PipelineEnvironment,
    PipelineLibrary,
    PipelineLibraryNotebook,
    PipelineNotification,
    PipelineRunAs,
)

from infra.constructs.base import Reference, address
from infra.constructs.job import Operations

PIPELINE_SEVERITY = "warning"


class Pipeline:
    """One notebook's streaming tables in one schema."""

    def __init__(
        self,
        scope: Any,
        *,
        name: str,
        operations: Operations,
        catalog: str,
        schema: str,
        notebook: Any,
        configuration: Mapping[str, str],
        continuous: bool,
    ) -> None:
        resource = DatabricksPipeline(
            scope,
            address(scope, "pipeline", name),
            name=operations.naming.pipeline(name),
            catalog=catalog,
            schema=schema,
            serverless=True,
            photon=True,
            continuous=continuous,
            development=False,
            channel="CURRENT",
            configuration=dict(configuration),
            library=[PipelineLibrary(notebook=PipelineLibraryNotebook(path=notebook))],
            environment=PipelineEnvironment(dependencies=[operations.wheel]),
            notification=_failures(operations),
            tags=dict(operations.tags),
            budget_policy_id=operations.budget_policy,
            run_as=_run_as(operations.run_as),
        )
        self.id = Reference(resource.id)


def _failures(operations: Operations) -> Any:
    told = operations.told[PIPELINE_SEVERITY]
    if told.emails is None:
        return None
    alerts = ["on-update-failure", "on-update-fatal-failure", "on-flow-failure"]
    return [PipelineNotification(email_recipients=told.emails, alerts=alerts)]


def _run_as(service_principal: Any | None) -> Any:
    if service_principal is None:
        return None
    return PipelineRunAs(service_principal_name=service_principal)
