"""Lets Spark read and write files below /Volumes and /Workspace.

Spark runs in a process of its own that has no such folders, so a plan's paths are replaced by the
real ones before it is sent.
"""

from __future__ import annotations

from typing import Any

from emulator.compute.mounts import Mounts


def map_spark_paths(mounts: Mounts) -> None:
    """Change PySpark's readers and writers of this process, for good."""
    from pyspark.sql.connect.plan import DataSource, WriteOperation

    start, command = DataSource.__init__, WriteOperation.command

    def with_real_paths(self: Any, *args: Any, **kwargs: Any) -> None:
        start(self, *args, **kwargs)
        if self._paths is not None:
            self._paths = [_real(mounts, path) for path in self._paths]
        if self._options is not None and "path" in self._options:
            self._options["path"] = _real(mounts, self._options["path"])

    def to_real_path(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.path is not None:
            self.path = _real(mounts, self.path)
        return command(self, *args, **kwargs)

    DataSource.__init__, WriteOperation.command = with_real_paths, to_real_path


def _real(mounts: Mounts, path: str) -> str:
    plain = path.removeprefix("dbfs:").removeprefix("file:")
    real: str = mounts.to_real(plain)
    return path if real == plain else real
