"""Chromium and its driver for the browser tests: found, or installed where that is allowed."""

from __future__ import annotations

import os
import shutil
import subprocess

from tools.console import DriverError, Steps

PACKAGES = ("chromium", "chromium-driver")
PROGRAMS = (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",))


def missing() -> list[str]:
    """The programs that are not on this machine."""
    return [names[0] for names in PROGRAMS if not any(shutil.which(name) for name in names)]


def ensure(steps: Steps) -> None:
    """Install what is missing with apt, as root on Debian or Ubuntu; else say how to get it."""
    if not missing():
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise DriverError(
            f"The browser tests need {' and '.join(missing())}",
            todo="install Chromium and ChromeDriver (Debian: apt-get install chromium "
            "chromium-driver; macOS: brew install --cask chromium chromedriver)",
        )
    with steps.step("Chromium from Debian's packages"):
        _apt("update", "-qq")
        _apt("install", "-y", "-qq", "--no-install-recommends", *PACKAGES)
    if missing():
        raise DriverError(f"apt-get installed no {' and '.join(missing())}")


def _apt(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", *arguments]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        last = (result.stderr or result.stdout).strip().splitlines()[-1:]
        raise DriverError(f"{' '.join(command)} failed: {' '.join(last)}")
