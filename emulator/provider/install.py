"""Puts the offline provider where ``terraform init`` finds it, and says whether it is needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from emulator.provider.__main__ import CACHE_VARIABLE
from emulator.provider.bundle import PROVIDER_VERSION

PYTHON_VARIABLE = "EMULATOR_PROVIDER_PYTHON"
PATH_VARIABLE = "EMULATOR_PROVIDER_PATH"
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
    configuration.write_text(
        f"""provider_installation {{
  filesystem_mirror {{
    path    = "{mirror}"
    include = ["{_ADDRESS}"]
  }}
  direct {{
    exclude = ["{_ADDRESS}"]
  }}
}}
"""
    )
    return configuration


def environment(folder: Path, python: Path) -> dict[str, str]:
    """What Terraform needs in its environment to use the mirror in ``folder``."""
    return {
        "TF_CLI_CONFIG_FILE": str(write_mirror(folder, python)),
        PYTHON_VARIABLE: str(python),
        PATH_VARIABLE: str(_REPOSITORY),
        CACHE_VARIABLE: str(folder.resolve() / "cache"),
    }


def official_provider_available(timeout: float) -> bool | str:
    """True when ``terraform init`` finds the official provider, else the reason why it does not.

    Asked with the user's own Terraform settings: registry, mirror or plugin cache.
    """
    terraform = shutil.which("terraform")
    if terraform is None:
        return "terraform is not installed"
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "main.tf").write_text(_SCRATCH_CONFIGURATION)
        try:
            done = subprocess.run(
                [terraform, "init", "-backend=false", "-input=false", "-no-color"],
                cwd=scratch,
                env={**os.environ, "TF_DATA_DIR": f"{scratch}/.terraform"},
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"terraform init gave no answer within {timeout:g} s"
    if done.returncode == 0:
        return True
    return _reason(done.stderr)


def _reason(text: str) -> str:
    """The message of Terraform's first error, without its frame."""
    lines = [line.strip(" │╷╵") for line in text.splitlines()]
    start = next((i for i, line in enumerate(lines) if line.startswith("Error:")), 0)
    return " ".join(line for line in lines[start:] if line)[:500] or "terraform init failed"
