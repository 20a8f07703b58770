"""Drives the real terraform with the offline provider in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from emulator.provider.install import environment

Json = dict[str, Any]


class Terraform:
    """One configuration, as Terraform JSON, and its state."""

    def __init__(self, folder: Path, mirror: Path, host: str, token: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.environment = {
            **os.environ,
            **environment(mirror, Path(sys.executable)),
            "DATABRICKS_HOST": host,
            "DATABRICKS_TOKEN": token,
            "CHECKPOINT_DISABLE": "1",
        }
        self._initialized = False

    def write(self, resources: Json, data: Json | None = None, outputs: Json | None = None) -> None:
        required = {"databricks": {"source": "databricks/databricks", "version": "1.99.0"}}
        document: Json = {"terraform": {"required_providers": required}, "resource": resources}
        if data:
            document["data"] = data
        if outputs:
            document["output"] = {name: {"value": value} for name, value in outputs.items()}
        (self.folder / "main.tf.json").write_text(json.dumps(document, indent=1))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        if not self._initialized:
            self._initialized = True
            done = self.run("init", "-input=false", "-no-color")
            assert done.returncode == 0, done.stdout + done.stderr
        return subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def apply(self, *arguments: str) -> None:
        done = self.run("apply", "-auto-approve", "-input=false", "-no-color", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr

    def fails(self, *arguments: str) -> str:
        """The text of a command that must fail, as one line without Terraform's frame."""
        done = self.run(*arguments, "-no-color")
        assert done.returncode == 1, done.stdout + done.stderr
        return " ".join(done.stderr.replace("│", " ").split())

    def destroy(self) -> None:
        self.apply("-destroy")

    def plan(self, *arguments: str) -> tuple[int, str]:
        """Exit code (0: nothing to change, 2: changes) and text of a plan."""
        done = self.run("plan", "-input=false", "-no-color", "-detailed-exitcode", *arguments)
        assert done.returncode in (0, 2), done.stdout + done.stderr
        return done.returncode, done.stdout

    def changes(self) -> dict[str, str]:
        """What a plan would do (create, update, replace, delete), by address; {} when nothing."""
        done = self.run("plan", "-input=false", "-json")
        assert done.returncode == 0, done.stdout + done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        changes = [line["change"] for line in lines if line["type"] == "planned_change"]
        planned = {change["resource"]["addr"]: change["action"] for change in changes}
        return {address: action for address, action in planned.items() if action != "import"}

    def state(self, address: str) -> Json:
        shown = json.loads(self.run("show", "-json").stdout)
        resources = shown["values"]["root_module"]["resources"]
        values: Json = next(r["values"] for r in resources if r["address"] == address)
        return values
