"""What make gives to the commands that it runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_no_process_compiles_again_what_another_compiled() -> None:
    """An image that forbids bytecode made each of a hundred task processes compile PySpark."""
    surroundings = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["make", "--no-print-directory", "--eval", "probe:\n\t@env", "probe"]
    done = subprocess.run(
        command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=True
    )
    given = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert given["PYTHONPYCACHEPREFIX"] == str(ROOT / ".local" / "cache" / "pycache")
    assert "PYTHONDONTWRITEBYTECODE" not in given
