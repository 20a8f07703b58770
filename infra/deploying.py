"""Deploys through the cdktf command, and destroys in the opposite order."""

from __future__ import annotations

import re
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.environment import Environment
from infra.locks import lock_in
from infra.naming import Naming
from infra.paths import OUTPUT
from infra.planning import error_text
from infra.preflight import find
from infra.stack_order import ALL_STACKS
from infra.terraform import Terraform, terraform_variables

Tell = Callable[[str], None]
# cdktf draws a status line again and again, also where nobody can see it move.
_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STATUS = re.compile(r"\d+ Stacks? deploying\s+\d+ Stacks? done")
_DONE = re.compile(
    r"(?P<address>\S+)(?: \([^)]*\))?: "
    r"(?P<what>Creation|Modifications|Destruction) complete after"
)
_SUMMARY = re.compile(r"Apply complete! Resources: (?P<counts>.+?)\.?$")
_VERBS = {"Creation": "created", "Modifications": "changed", "Destruction": "destroyed"}


@dataclass
class Progress:
    """What cdktf has done so far, read from its lines."""

    tell: Tell
    stacks: Sequence[str]
    done: dict[str, Counter[str]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    current: str = ""

    def line(self, text: str) -> None:
        """Take one line of cdktf's output: "stack  text", or indented and of the same stack."""
        clean = _CONTROL.sub("", text).rstrip()
        if not clean or _STATUS.search(clean):
            return
        self.kept.append(clean)
        first, _, rest = clean.partition(" ")
        if first in self.stacks:
            self.current = first
        elif first:
            return
        self._of_stack(self.current, rest)

    def _of_stack(self, stack: str, text: str) -> None:
        # Most lines are of a plan; to look for an address in them takes minutes of a large one.
        finished = _DONE.search(text) if " complete after" in text else None
        if finished:
            counts = self.done.setdefault(stack, Counter())
            counts[_VERBS[finished["what"]]] += 1
            self.tell(f"{stack}: {_counted(counts)}; {finished['address']}")
        elif summary := _SUMMARY.search(text):
            self.tell(f"{stack}: done, {summary['counts']}")
        elif "No changes. Your infrastructure matches the configuration" in text:
            self.tell(f"{stack}: done, nothing to do")

    def failure(self, output: Path) -> str:
        """The first error, at most a screen of it; the end of the output where there is none."""
        lock = lock_in("\n".join(self.kept))
        if lock is not None:
            refused = [stack for stack in self.stacks if stack.startswith(f"{lock.state}-")]
            return lock.message(output / "stacks" / (refused or list(self.stacks))[0])
        starts = [index for index, line in enumerate(self.kept) if "Error:" in line]
        return "\n".join(self.kept[starts[0] :][:40] if starts else self.kept[-40:])


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {verb}" for verb, number in counts.items())


def deploy(
    environment: Environment,
    stacks: Sequence[str],
    variables: dict[str, str],
    folder: Path,
    tell: Tell,
) -> int:
    """`cdktf deploy` of these stacks, from what was synthesized; cdktf's exit code."""
    naming = Naming(environment)
    names = [naming.stack(stack) for stack in ALL_STACKS if stack in stacks]
    find("terraform", variables)
    command = [find("cdktf", variables), "deploy", "--auto-approve", "--skip-synth", "--no-color"]
    # The lock file of a stack lies in its output folder and is made anew for each provider source,
    # so there are no hashes of other platforms to fetch.
    command.append("--skip-provider-lock")
    if len(names) == len(environment.stacks):
        return _run(command + names, names, variables, folder, tell)
    # With this flag cdktf forgets the order too, so one stack at a time.
    command.append("--ignore-missing-stack-dependencies")
    for name in names:
        code = _run([*command, name], [name], variables, folder, tell)
        if code != 0:
            return code
    return 0


def _run(
    command: list[str], names: list[str], variables: dict[str, str], folder: Path, tell: Tell
) -> int:
    process = subprocess.Popen(
        command,
        cwd=folder,
        # Where it believes in a person it draws its status anew many times a second.
        env={**terraform_variables(variables), "CI": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    progress = Progress(tell, names)
    try:
        for line in process.stdout or ():
            progress.line(line)
        code = process.wait()
    except KeyboardInterrupt:
        # Terraform got the signal too; it ends its work and releases the lock.
        process.send_signal(signal.SIGINT)
        process.wait()
        raise
    if code != 0:
        tell(progress.failure(folder / OUTPUT.name))
    return 0 if code == 0 else 1


def destroy(
    environment: Environment,
    stacks: Sequence[str],
    terraform: Terraform,
    output: Path,
    tell: Tell,
) -> int:
    """Destroy these stacks, the last one first; stops at the first that fails.

    Their folders are ready: ``Recovery.adopt`` has looked into their states.
    """
    naming = Naming(environment)
    for stack in reversed([name for name in ALL_STACKS if name in stacks]):
        name = naming.stack(stack)
        folder = output / "stacks" / name
        counts: Counter[str] = Counter()

        def watch(
            event: dict[str, Any],
            name: str = name,
            folder: Path = folder,
            counts: Counter[str] = counts,
        ) -> None:
            if event["type"] == "apply_complete":
                counts["destroyed"] += 1
                tell(f"{name}: {_counted(counts)}; {event['hook']['resource']['addr']}")
            if event["type"] == "diagnostic" and event["diagnostic"]["severity"] == "error":
                tell(f"{name}: {error_text(event['diagnostic'], folder)}")

        result = terraform.destroy(folder, watch)
        if result.code != 0:
            tell(f"{name}: destroy failed {result.text.strip()}")
            return 1
        tell(f"{name}: done, {counts['destroyed']} destroyed")
    return 0
