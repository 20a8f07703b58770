"""The programs that must be on a machine before anything is installed (standard library only)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """A program, how to ask for its version, the least version, and how to get it."""

    name: str
    command: tuple[str, ...]
    least: tuple[int, ...]
    how: str


PROGRAMS = (
    Program("Python", (sys.executable, "--version"), (3, 11), "python.org, or pyenv install 3.11"),
    Program("Node", ("node", "--version"), (20,), "nodejs.org, or nvm install 20"),
    Program(
        "Java",
        ("java", "-version"),
        (17,),
        "apt-get install openjdk-17-jre-headless, or brew install openjdk@17",
    ),
    Program(
        "Terraform",
        ("terraform", "version"),
        (1, 6),
        "developer.hashicorp.com/terraform/install, or tfenv install 1.11.4",
    ),
)


def problem_with(program: Program) -> str | None:
    """What is wrong with a program on this machine, in one line; None when nothing is."""
    needed = ".".join(str(part) for part in program.least)
    advice = f"needed: {needed} or newer; get it: {program.how}"
    if shutil.which(program.command[0]) is None:
        return f"{program.name}: not found; {advice}"
    answer = subprocess.run(program.command, capture_output=True, text=True, check=False)
    version = _version_in(answer.stdout + answer.stderr)
    if version is None:
        return f"{program.name}: gave no version ({' '.join(program.command)}); {advice}"
    if version < program.least:
        found = ".".join(str(part) for part in version)
        return f"{program.name}: found {found}; {advice}"
    return None


def problems() -> list[str]:
    """The problems of all programs, at once."""
    return [found for program in PROGRAMS if (found := problem_with(program)) is not None]


def _version_in(text: str) -> tuple[int, ...] | None:
    match = re.search(r"(?:^|[\sv\"])(\d+(?:\.\d+)+)", text)
    return tuple(int(part) for part in match.group(1).split(".")) if match else None
