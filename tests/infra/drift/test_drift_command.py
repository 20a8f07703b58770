"""The command from plans to exit code, with a Terraform that shows recorded plans."""

from __future__ import annotations

import json
import os
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient

from infra.drift import command
from infra.drift.known import Acceptance
from infra.environment import load_environment
from infra.planning import Planner
from infra.terraform import Terraform, terraform_variables
from tests.infra.review.recorded import PLANS

ENVIRONMENT = load_environment("local").model_copy(update={"stacks": ["pipelines"]})
FAKE = f"""#!{sys.executable}
import pathlib, sys
options = sys.argv[2:]
if sys.argv[1] == "plan":
    if "-refresh=false" in options:
        sys.exit(0)
    out = next(o[len("-out="):] for o in options if o.startswith("-out="))
    name = "drift" if "-refresh-only" in options else "drift_and_heal"
    pathlib.Path(out).write_text(name)
    sys.exit(2)
if sys.argv[1] == "show":
    name = pathlib.Path(options[-1]).read_text()
    print((pathlib.Path({str(PLANS)!r}) / (name + ".json")).read_text())
"""


def test_from_plans_to_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(host: str) -> WorkspaceClient:
        raise ValueError(f"no credentials for {host}")

    monkeypatch.setattr(command, "workspace_client", refuse)
    program = tmp_path / "terraform"
    program.write_text(FAKE)
    program.chmod(0o755)
    terraform = Terraform(str(program), terraform_variables(os.environ))
    planner = Planner(ENVIRONMENT, terraform, tmp_path)
    planner.folder("pipelines").mkdir(parents=True)
    (planner.folder("pipelines") / "cdk.tf.json").write_text("{}")
    accepted = Acceptance([], date(2026, 11, 27))
    variables = {"DATABRICKS_HOST": "the host"}
    assert command.drift(planner, ["pipelines"], accepted, variables, "json") == 3
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert len(document["drift"]) == 3
    assert document["notes"][0].endswith("was not asked: no credentials for the host")
