"""All stacks of an environment. To import this starts Node, which takes a second or more."""

from __future__ import annotations

from typing import Any

from infra.stack_order import ALL_STACKS, DEPENDS_ON
from infra.stacks.base import Platform
from infra.stacks.governance import GovernanceStack
from infra.stacks.ml import MlStack
from infra.stacks.observability import ObservabilityStack
from infra.stacks.pipelines import PipelinesStack
from infra.stacks.semantic import SemanticStack

STACKS: dict[str, Any] = {
    "governance": GovernanceStack,
    "ml": MlStack,
    "pipelines": PipelinesStack,
    "semantic": SemanticStack,
    "observability": ObservabilityStack,
}


def build(app: Any, platform: Platform) -> None:
    """Declare the stacks of an environment."""
    environment = platform.environment
    stacks: dict[str, Any] = {}
    for name in ALL_STACKS:
        if name in environment.stacks:
            stacks[name] = STACKS[name](app, platform)
            for needed in DEPENDS_ON[name]:
                stacks[name].stack.add_dependency(stacks[needed].stack)
