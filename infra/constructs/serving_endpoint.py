"""A model serving endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_databricks.model_serving import ModelServing, ModelServingTags

from infra.constructs.base import address


class ServingEndpoint:
    """An endpoint without a model yet: the training job decides which version it serves."""

    def __init__(
        self,
        scope: Any,
        *,
        name: str,
        endpoint: str,
        tags: Mapping[str, str],
        budget_policy: Any | None,
    ) -> None:
        ModelServing(
            scope,
            address(scope, "endpoint", name),
            name=endpoint,
            budget_policy_id=budget_policy,
            tags=[ModelServingTags(key=key, value=value) for key, value in tags.items()],
            lifecycle=TerraformResourceLifecycle(ignore_changes=["config"]),
        )
