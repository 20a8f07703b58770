"""Creates functions and metric views in the workspace, where they differ from what is there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from health_monitor.runtime import said
from health_monitor.semantic.statements import create_function, create_metric_view
from health_monitor.spec import Definitions

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def deploy(spark: SparkSession, definitions: Definitions, catalog: str) -> None:
    """Create or replace all of them; consumers see each either old or new."""
    started = time.monotonic()
    for function in definitions.functions.values():
        spark.sql(create_function(function, catalog))
    for view in definitions.metric_views.values():
        spark.sql(create_metric_view(view, catalog))
    said(
        "semantic layer",
        started,
        functions=len(definitions.functions),
        metric_views=len(definitions.metric_views),
    )
