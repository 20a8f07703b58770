"""A serverless SQL warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdktf_cdktf_provider_databricks.sql_endpoint import (
    SqlEndpoint,
    SqlEndpointTags,
    SqlEndpointTagsCustomTags,
)

from infra.constructs.base import Reference, address


class Warehouse:
    """Answers alerts, dashboards and people; stops itself when nobody asks."""

    def __init__(
        self,
        scope: Any,
        *,
        name: str,
        size: str,
        auto_stop_minutes: int,
        max_clusters: int,
        tags: Mapping[str, str],
    ) -> None:
        resource = SqlEndpoint(
            scope,
            address(scope, "warehouse", "main"),
            name=name,
            cluster_size=size,
            auto_stop_mins=auto_stop_minutes,
            min_num_clusters=1,
            max_num_clusters=max_clusters,
            enable_serverless_compute=True,
            enable_photon=True,
            warehouse_type="PRO",
            tags=SqlEndpointTags(
                custom_tags=[
                    SqlEndpointTagsCustomTags(key=key, value=value) for key, value in tags.items()
                ]
            ),
        )
        self.id = Reference(resource.id)
