"""The wheel of `workloads`: the same sources give the same bytes and the same name."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from health_monitor.spec import __version__ as BASE_VERSION

from infra.paths import WHEELS, WORKLOADS

PACKAGE = "health_monitor"
VERSION_LINE = f'__version__ = "{BASE_VERSION}"'
# 1980 is the first year that a ZIP file can hold.
SOURCE_DATE_EPOCH = "315532800"


class WheelError(Exception):
    """The wheel could not be built."""


@dataclass(frozen=True)
class Wheel:
    """A built wheel."""

    path: Path
    version: str


def build_wheel(sources: Path = WORKLOADS, folder: Path = WHEELS) -> Wheel:
    """The wheel of these sources; built only when there is none of this content."""
    version = f"{BASE_VERSION}+{content_hash(sources)}"
    target = folder / f"{PACKAGE}-{version}-py3-none-any.whl"
    if not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            built = _run_hatchling(sources, Path(scratch), version)
            # Atomic, so that a synth that was killed leaves no half a wheel behind.
            built.replace(target)
    return Wheel(target, version)


def content_hash(sources: Path = WORKLOADS) -> str:
    """A short hash of everything that goes into the wheel."""
    digest = hashlib.sha256()
    for path in _files(sources):
        digest.update(path.relative_to(sources).as_posix().encode())
        digest.update(b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _files(sources: Path) -> Iterator[Path]:
    yield sources / "pyproject.toml"
    for path in sorted((sources / PACKAGE).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _run_hatchling(sources: Path, scratch: Path, version: str) -> Path:
    """Build from a copy, so that files that others write meanwhile cannot slip in."""
    copy = scratch / "sources"
    for path in _files(sources):
        target = copy / path.relative_to(sources)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    _set_version(copy / PACKAGE / "__init__.py", version)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(scratch)]
    variables = {**os.environ, "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH}
    result = subprocess.run(
        command, cwd=copy, env=variables, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise WheelError(f"building the wheel failed:\n{result.stdout}{result.stderr}")
    found = list(scratch.glob("*.whl"))
    if len(found) != 1:
        raise WheelError(f"hatchling made {len(found)} wheels in {scratch}, expected one")
    return found[0]


def _set_version(module: Path, version: str) -> None:
    """The running code says which build it is."""
    text = module.read_text(encoding="utf-8")
    if VERSION_LINE not in text:
        raise WheelError(f"{module.name} of {PACKAGE} lacks the line {VERSION_LINE}")
    changed = text.replace(VERSION_LINE, f'__version__ = "{version}"')
    module.write_text(changed, encoding="utf-8")
