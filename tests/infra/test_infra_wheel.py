"""The wheel: same sources, same bytes; other sources, another name."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from infra.paths import WORKLOADS
from infra.wheel import WheelError, build_wheel


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A small package in place of the real one."""
    package = tmp_path / "workloads" / "health_monitor"
    package.mkdir(parents=True)
    shutil.copy(WORKLOADS / "pyproject.toml", package.parent)
    shutil.copy(WORKLOADS / "health_monitor" / "__init__.py", package)
    (package / "engine.py").write_text("ANSWER = 42\n")
    return package.parent


def test_the_same_sources_give_the_same_bytes(sources: Path, tmp_path: Path) -> None:
    first = build_wheel(sources, tmp_path / "one")
    cache = sources / "health_monitor" / "__pycache__"
    cache.mkdir()
    (cache / "engine.pyc").write_bytes(b"compiled")
    second = build_wheel(sources, tmp_path / "two")
    assert first.path.name == second.path.name
    assert first.path.read_bytes() == second.path.read_bytes()
    assert [path.name for path in (tmp_path / "one").iterdir()] == [first.path.name]


def test_the_version_holds_the_content(sources: Path, tmp_path: Path) -> None:
    before = build_wheel(sources, tmp_path)
    (sources / "health_monitor" / "engine.py").write_text("ANSWER = 43\n")
    after = build_wheel(sources, tmp_path)
    assert before.version.startswith("0.1.0+") and before.version != after.version
    with zipfile.ZipFile(after.path) as archive:
        assert archive.read("health_monitor/engine.py") == b"ANSWER = 43\n"
        assert f'"{after.version}"'.encode() in archive.read("health_monitor/__init__.py")
        names = archive.namelist()
        entry_points = next(name for name in names if name.endswith("entry_points.txt"))
        assert b"train_model" in archive.read(entry_points)


def test_an_unchanged_wheel_is_not_built_again(sources: Path, tmp_path: Path) -> None:
    wheel = build_wheel(sources, tmp_path)
    wheel.path.write_bytes(b"was here before")
    assert build_wheel(sources, tmp_path).path.read_bytes() == b"was here before"


def test_a_failed_build_says_why_and_leaves_nothing(sources: Path, tmp_path: Path) -> None:
    (sources / "pyproject.toml").write_text("[project\n")
    with pytest.raises(WheelError, match="building the wheel failed"):
        build_wheel(sources, tmp_path / "wheels")
    assert list((tmp_path / "wheels").iterdir()) == []
