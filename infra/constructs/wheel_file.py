"""The wheel in a volume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cdktf import AssetType, TerraformAsset, TerraformResourceLifecycle
from cdktf_cdktf_provider_databricks.file import File

from infra.constructs.base import address
from infra.constructs.volume import Volume


class WheelFile:
    """One build of the wheel. Another content is another path, so nothing runs half of each."""

    def __init__(self, scope: Any, *, path: str, wheel: Path, volume: Volume) -> None:
        asset = TerraformAsset(
            scope, "wheel", path=str(wheel), type=AssetType.FILE, asset_hash=wheel.stem
        )
        self._resource = File(
            scope,
            address(scope, "file", "wheel"),
            path=path,
            source=asset.path,
            depends_on=[volume.resource],
            # The old one goes only when the new one is there.
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
