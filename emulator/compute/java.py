"""Finds the Java that Spark will use, and says plainly when there is none."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

MINIMUM = 17
HOW_TO_GET_IT = (
    "install a JDK 17 (Debian or Ubuntu: apt-get install openjdk-17-jre-headless; "
    "macOS: brew install openjdk@17) and have JAVA_HOME or PATH point at it"
)


class JavaMissingError(RuntimeError):
    """No Java, or one that is too old; the message says what was found and what to do."""


def require_java() -> str:
    """The java program of JAVA_HOME or PATH, checked to be new enough."""
    java = _find()
    version = _version(java)
    if version < MINIMUM:
        raise JavaMissingError(
            f"Spark needs Java {MINIMUM} or newer, but {java} is Java {version}: {HOW_TO_GET_IT}"
        )
    return java


def _find() -> str:
    home = os.environ.get("JAVA_HOME")
    if home:
        candidate = Path(home) / "bin" / "java"
        if not candidate.is_file():
            raise JavaMissingError(f"JAVA_HOME is {home}, but {candidate} is no file")
        return str(candidate)
    found = shutil.which("java")
    if found is None:
        raise JavaMissingError(f"Spark needs Java {MINIMUM}, and none was found: {HOW_TO_GET_IT}")
    return found


def _version(java: str) -> int:
    # macOS has a /usr/bin/java that only says where to download one, and fails.
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    if answer.returncode != 0 or match is None:
        raise JavaMissingError(
            f"{java} -version does not work (exit code {answer.returncode}): {HOW_TO_GET_IT}"
        )
    return int(match[1])
