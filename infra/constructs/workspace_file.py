"""A file in the workspace."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from cdktf_cdktf_provider_databricks.workspace_file import WorkspaceFile as DatabricksWorkspaceFile

from infra.constructs.base import address


class WorkspaceFile:
    """A text file. Its content stands in the plan, so that a reviewer sees what changes."""

    def __init__(self, scope: Any, *, name: str, source: Path, path: str) -> None:
        self._resource = DatabricksWorkspaceFile(
            scope,
            address(scope, "file", name),
            path=path,
            content_base64=base64.b64encode(source.read_bytes()).decode(),
        )

    @property
    def resource(self) -> Any:
        return self._resource
