"""The Python environment of a task: wheels put on the path, pinned packages checked."""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from emulator.settings import Settings

Added = Callable[[Path], object]


class DependencyError(RuntimeError):
    """A dependency of the task is missing or does not fit; the message names it."""


class Environment:
    """Installs what ``environments[].spec.dependencies`` or ``%pip install`` name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cache = settings.state / "cache" / "wheels"
        self._archives: list[Path] = []
        self._added: list[Added] = []

    def archives(self) -> list[Path]:
        """The wheels in use, as zip files that Spark's Python workers can import from."""
        return list(self._archives)

    def when_added(self, receiver: Added) -> None:
        """Tell ``receiver`` about each wheel that comes later."""
        self._added.append(receiver)

    def install(self, dependencies: list[str]) -> None:
        """Make the dependencies importable, or say which one cannot be."""
        wheels = [d for d in dependencies if _is_path(d)]
        packages = [d for d in dependencies if not _is_path(d)]
        folders = [self._unpacked(wheel) for wheel in wheels]
        for folder in reversed(folders):
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))
        importlib.invalidate_caches()
        for package in packages:
            _require(package, needed_by=None)
        for folder in folders:
            _check_requirements(folder)

    def _unpacked(self, dependency: str) -> Path:
        wheel = self._locate(dependency)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()[:16]
        target = self._cache / digest
        archive = self._cache / f"{wheel.name.split('-')[0]}-{digest}.zip"
        if not target.is_dir():
            _unpack(wheel, target)
        if not archive.is_file():
            draft = archive.with_suffix(f".{os.getpid()}")
            shutil.copyfile(wheel, draft)
            draft.replace(archive)
        if archive not in self._archives:
            self._archives.append(archive)
            for receiver in self._added:
                receiver(archive)
        return target

    def _locate(self, dependency: str) -> Path:
        plain = dependency.removeprefix("dbfs:").removeprefix("file:")
        if not plain.endswith(".whl"):
            raise DependencyError(f"cannot install {dependency}: only wheels (.whl) are supported")
        for prefix, folder in (
            ("/Volumes/", self._settings.volumes),
            ("/Workspace/", self._settings.workspace_files),
        ):
            if plain.startswith(prefix):
                wheel = folder / plain.removeprefix(prefix)
                if not wheel.is_file():
                    raise DependencyError(f"no such wheel: {dependency}")
                return wheel
        raise DependencyError(f"{dependency} lies neither below /Volumes nor below /Workspace")


def _is_path(dependency: str) -> bool:
    return dependency.startswith(("/", "dbfs:", "file:", "./", "../"))


def _unpack(wheel: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(draft)
    except zipfile.BadZipFile as error:
        shutil.rmtree(draft)
        raise DependencyError(f"{wheel.name} is no valid wheel: {error}") from error
    try:
        draft.rename(target)
    except OSError:
        # Another task unpacked the same wheel first.
        shutil.rmtree(draft)
        if not target.is_dir():
            raise


def _check_requirements(folder: Path) -> None:
    for distribution in metadata.distributions(path=[str(folder)]):
        for requirement in distribution.requires or []:
            _require(requirement, needed_by=distribution.name)


def _require(text: str, needed_by: str | None) -> None:
    asker = f" (needed by {needed_by})" if needed_by else ""
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise DependencyError(f"{text!r} is no requirement that pip knows: {error}") from error
    if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
        return
    try:
        found = metadata.version(requirement.name)
    except metadata.PackageNotFoundError as error:
        raise DependencyError(
            f"{text}{asker} is not installed here, and the emulator installs no packages"
        ) from error
    if not requirement.specifier.contains(found, prereleases=True):
        raise DependencyError(
            f"{text}{asker} does not fit: version {found} is installed here, "
            "and the emulator installs no packages"
        )
