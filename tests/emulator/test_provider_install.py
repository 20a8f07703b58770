"""Where Terraform finds a provider: the mirror with the stand-in, and the official one."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from emulator.provider.install import (
    environment,
    official_provider_available,
    write_mirror,
)

PACKAGE = "registry.terraform.io/databricks/databricks/1.99.0"
NAME = "terraform-provider-databricks_v1.99.0"
MACHINE = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine()]
PLATFORM = f"{platform.system().lower()}_{MACHINE}"


def launchers(folder: Path) -> dict[str, bytes]:
    found = (folder / "mirror" / PACKAGE).rglob(NAME)
    return {path.parent.name: path.read_bytes() for path in found}


def test_launchers_are_the_same_everywhere_and_name_no_path(tmp_path: Path) -> None:
    python = Path(sys.executable)
    configuration = write_mirror(tmp_path / "one", python)
    write_mirror(tmp_path / "two" / "deep", python)
    one, two = launchers(tmp_path / "one"), launchers(tmp_path / "two" / "deep")
    assert one == two and len(set(one.values())) == 1
    assert set(one) == {"linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"}
    text = one["linux_amd64"].decode()
    assert str(tmp_path) not in text and str(python) not in text
    assert str((tmp_path / "one" / "mirror").resolve()) in configuration.read_text()


def test_a_missing_interpreter_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no-python"):
        write_mirror(tmp_path, tmp_path / "no-python")


@pytest.mark.terraform
def test_the_stand_in_is_never_taken_for_the_official_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(tmp_path, Path(sys.executable)).items():
        monkeypatch.setenv(name, value)
    found = official_provider_available(timeout=30)
    assert not found and "stand-in" in found.reason


@pytest.mark.terraform
def test_a_mirror_of_the_user_is_respected_and_its_lack_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    settings = tmp_path / "user.rc"
    settings.write_text(f'provider_installation {{ filesystem_mirror {{ path = "{mirror}" }} }}')
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(settings))
    found = official_provider_available(timeout=30)
    assert not found and "databricks/databricks" in found.reason

    binary = mirror / PACKAGE / PLATFORM / NAME
    binary.parent.mkdir(parents=True)
    binary.write_text("#!/bin/sh\n# stands for the official provider; init does not run it\n")
    binary.chmod(0o755)
    assert official_provider_available(timeout=30)

    # The same folder as a plugin cache, without a registry.
    nowhere = tmp_path / "empty"
    nowhere.mkdir()
    settings.write_text(f'provider_installation {{ filesystem_mirror {{ path = "{nowhere}" }} }}')
    assert not official_provider_available(timeout=30)
    monkeypatch.setenv("TF_PLUGIN_CACHE_DIR", str(mirror))
    cached = official_provider_available(timeout=30, folder=tmp_path / "made")
    assert cached, cached.reason
    assert cached.environment["TF_CLI_CONFIG_FILE"].startswith(str(tmp_path / "made"))
