"""What one stack tells another: a few ids, as outputs in its state."""

from __future__ import annotations

from typing import Any

from cdktf import DataTerraformRemoteStateS3, TerraformOutput

from infra.constructs.base import Reference


def export(scope: Any, name: str, reference: Reference) -> None:
    """Write an id into this stack's state, for a later stack to read."""
    output = TerraformOutput(scope, f"export_{name}", value=reference.value)
    output.override_logical_id(name)


class Imports:
    """The outputs of an earlier stack, whose state is declared once however often it is read."""

    def __init__(self, scope: Any, stack: str, backend: dict[str, Any]) -> None:
        name = f"state_{stack}"
        state = scope.node.try_find_child(name)
        if state is None:
            state = DataTerraformRemoteStateS3(scope, name, **backend)
            state.override_logical_id(stack)
        self._state = state

    def reference(self, name: str) -> Reference:
        return Reference(self._state.get_string(name))
