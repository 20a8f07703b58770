"""Puts the offline provider where ``terraform init`` finds it, and says whether it is needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emulator.provider.__main__ import CACHE_VARIABLE
from emulator.provider.bundle import PROVIDER_VERSION

PYTHON_VARIABLE = "EMULATOR_PROVIDER_PYTHON"
PATH_VARIABLE = "EMULATOR_PROVIDER_PATH"
PLUGIN_CACHE_VARIABLE = "TF_PLUGIN_CACHE_DIR"
_ADDRESS = "registry.terraform.io/databricks/databricks"
_PLATFORMS = ("linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64")
_REPOSITORY = Path(__file__).resolve().parents[2]

# These bytes enter the hash in Terraform's lock file: the same on every machine.
_LAUNCHER = f"""#!/bin/sh
: "${{{PYTHON_VARIABLE}:?must name the Python interpreter of the offline provider}}"
: "${{{PATH_VARIABLE}:?must name the folder that holds the package emulator}}"
PYTHONPATH="${PATH_VARIABLE}" exec "${PYTHON_VARIABLE}" -P -m emulator.provider
"""

_SCRATCH_CONFIGURATION = f"""terraform {{
  required_providers {{
    databricks = {{ source = "databricks/databricks", version = "{PROVIDER_VERSION}" }}
  }}
}}
"""


def write_mirror(folder: Path, python: Path) -> Path:
    """Write a filesystem mirror for all platforms; returns the file for TF_CLI_CONFIG_FILE.

    ``python`` must be able to import what the provider needs; the launcher finds it through
    the variables of ``environment``.
    """
    if not os.access(python, os.X_OK):
        raise FileNotFoundError(f"{python} is not a Python interpreter that can be run")
    mirror = folder.resolve() / "mirror"
    for platform in _PLATFORMS:
        package = mirror / _ADDRESS / PROVIDER_VERSION / platform
        package.mkdir(parents=True, exist_ok=True)
        launcher = package / f"terraform-provider-databricks_v{PROVIDER_VERSION}"
        launcher.write_text(_LAUNCHER)
        launcher.chmod(0o755)
    configuration = folder.resolve() / "terraform.rc"
    configuration.write_text(_mirror_configuration(mirror))
    return configuration


def environment(folder: Path, python: Path) -> dict[str, str]:
    """What Terraform needs in its environment to use the mirror in ``folder``."""
    return {
        "TF_CLI_CONFIG_FILE": str(write_mirror(folder, python)),
        # A shared plugin cache would hand the stand-in to deployments to real workspaces.
        PLUGIN_CACHE_VARIABLE: "",
        PYTHON_VARIABLE: str(python),
        PATH_VARIABLE: str(_REPOSITORY),
        CACHE_VARIABLE: str(folder.resolve() / "cache"),
    }


@dataclass(frozen=True)
class Availability:
    """True when the official provider can be had; else ``reason`` says why not.

    ``environment`` is what Terraform needs to find it, beside the user's own settings.
    """

    available: bool
    reason: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.available


def official_provider_available(timeout: float, folder: Path | None = None) -> Availability:
    """Whether ``terraform init`` finds the official provider: registry, mirror or plugin cache.

    A plugin cache without a registry works only as a mirror; its configuration file is written
    to ``folder``.
    """
    asked = _try_init(timeout, {})
    cache = os.environ.get(PLUGIN_CACHE_VARIABLE)
    if asked or folder is None or not cache:
        return asked
    if not (Path(cache) / _ADDRESS / PROVIDER_VERSION).is_dir():
        return asked
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder.resolve() / "plugin-cache.rc"
    configuration.write_text(_mirror_configuration(Path(cache).resolve()))
    settings = {"TF_CLI_CONFIG_FILE": str(configuration), PLUGIN_CACHE_VARIABLE: ""}
    return _try_init(timeout, settings)


def _try_init(timeout: float, settings: Mapping[str, str]) -> Availability:
    terraform = shutil.which("terraform")
    if terraform is None:
        return Availability(False, "terraform is not installed")
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "main.tf").write_text(_SCRATCH_CONFIGURATION)
        try:
            done = subprocess.run(
                [terraform, "init", "-backend=false", "-input=false", "-no-color"],
                cwd=scratch,
                env={**os.environ, **settings, "TF_DATA_DIR": f"{scratch}/data"},
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Availability(False, f"terraform init gave no answer within {timeout:g} s")
        if done.returncode != 0:
            return Availability(False, _reason(done.stderr))
        if any(_is_stand_in(path) for path in _installed(Path(scratch) / "data")):
            return Availability(False, "Terraform's settings name the offline stand-in itself")
        return Availability(True, environment=settings)


def _installed(data: Path) -> list[Path]:
    package = data / "providers" / _ADDRESS / PROVIDER_VERSION
    return [path for platform in package.iterdir() for path in platform.iterdir()]


def _is_stand_in(path: Path) -> bool:
    return path.stat().st_size == len(_LAUNCHER) and path.read_text() == _LAUNCHER


def _reason(text: str) -> str:
    """The message of Terraform's first error, without its frame."""
    lines = [line.strip(" │╷╵") for line in text.splitlines()]
    start = next((i for i, line in enumerate(lines) if line.startswith("Error:")), 0)
    return " ".join(line for line in lines[start:] if line)[:500] or "terraform init failed"


def _mirror_configuration(mirror: Path) -> str:
    return f"""provider_installation {{
  filesystem_mirror {{
    path    = "{mirror}"
    include = ["{_ADDRESS}"]
  }}
  direct {{
    exclude = ["{_ADDRESS}"]
  }}
}}
"""
