"""One update of the silver pipeline over bronze tables of a test's own."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from emulator.compute.pipelines import PipelineRequest, Source, run_update
from tests.emulator.pipeline_support import Events

CATALOG = "spark_catalog"


def update_silver(spark: Any, definitions: Path, state: Path) -> Events:
    """Bring the silver tables of some definitions up to date; what the update told."""
    code = (
        "from health_monitor.silver.pipeline import define\n"
        "from health_monitor.spec import load_definitions\n"
        f"define(spark, load_definitions({str(definitions)!r}), {CATALOG!r})"
    )
    events = Events()
    request = PipelineRequest(
        pipeline_id="silver",
        update_id=uuid.uuid4().hex,
        name="silver",
        catalog=CATALOG,
        schema="silver",
        configuration={},
        sources=[Source("/pipeline.py", code, "file")],
        full_refresh=False,
        state_folder=state,
    )
    result = run_update(spark, request, events)
    assert result.state == "COMPLETED", result
    return events
