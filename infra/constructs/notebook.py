"""A notebook."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from cdktf_cdktf_provider_databricks.notebook import Notebook as DatabricksNotebook

from infra.constructs.base import address


class Notebook:
    """A Python notebook in source format."""

    def __init__(self, scope: Any, *, name: str, source: Path, path: str) -> None:
        resource = DatabricksNotebook(
            scope,
            address(scope, "notebook", name),
            path=path,
            language="PYTHON",
            content_base64=base64.b64encode(source.read_bytes()).decode(),
        )
        # By reference, so that what runs the notebook is deployed after it.
        self.path: Any = resource.path
