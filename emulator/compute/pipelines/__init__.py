"""The engine of the declarative pipelines API, on Spark Connect."""

from emulator.compute.pipelines.engine import run_update
from emulator.compute.pipelines.model import (
    EventSink,
    FlowResult,
    PipelineError,
    PipelineRequest,
    Source,
    UpdateResult,
)

__all__ = [
    "EventSink",
    "FlowResult",
    "PipelineError",
    "PipelineRequest",
    "Source",
    "UpdateResult",
    "run_update",
]
