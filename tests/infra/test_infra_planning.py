"""Exit codes of a plan, with a Terraform of our own and, once, with the real one."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from infra.environment import load_environment
from infra.planning import Outcome, Planner, StackPlan, exit_code
from infra.reporting import show_plans
from infra.terraform import Terraform, TerraformError, terraform_variables

# Answers from plan.json of the stack's folder: {"code", "events", "resources"}.
FAKE = f"""#!{sys.executable}
import json, pathlib, sys
answer = json.loads(pathlib.Path("answer.json").read_text())
command = sys.argv[1]
if command == "init":
    print(answer.get("init", ""))
    sys.exit(1 if "init" in answer else 0)
if command == "state":
    print(json.dumps({{"version": 4, "resources": answer["resources"]}}))
if command == "plan":
    assert "-detailed-exitcode" in sys.argv and "-input=false" in sys.argv
    for event in answer["events"]:
        print(json.dumps(event))
    sys.exit(answer["code"])
"""


def change(address: str, action: str, kind: str = "planned_change") -> dict[str, Any]:
    return {"type": kind, "change": {"resource": {"addr": address}, "action": action}}


def error(summary: str, detail: str = "") -> dict[str, Any]:
    diagnostic = {"severity": "error", "summary": summary, "detail": detail}
    return {"type": "diagnostic", "diagnostic": diagnostic}


class Workbench:
    """A planner with a fake Terraform whose answers a test writes."""

    def __init__(self, folder: Path) -> None:
        program = folder / "terraform"
        program.write_text(FAKE)
        program.chmod(0o755)
        terraform = Terraform(str(program), terraform_variables(os.environ))
        self.planner = Planner(load_environment("local"), terraform, folder)

    def answer(
        self, stack: str, code: int, *events: dict[str, Any], reads: str = "", deployed: bool = True
    ) -> None:
        folder = self.planner.folder(stack)
        folder.mkdir(parents=True, exist_ok=True)
        resources = [{"type": "databricks_job"}] if deployed else []
        answer = {"code": code, "events": list(events), "resources": resources}
        (folder / "answer.json").write_text(json.dumps(answer))
        configuration: dict[str, Any] = {"resource": {"databricks_job": {"job_a": {}, "job_b": {}}}}
        if reads:
            configuration["data"] = {"terraform_remote_state": {reads: {}}}
        (folder / "cdk.tf.json").write_text(json.dumps(configuration))

    def plan(self, *stacks: str) -> list[StackPlan]:
        return self.planner.plan(stacks)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


def test_nothing_to_do_is_0_only_for_every_stack(bench: Workbench) -> None:
    bench.answer("governance", 0, change("databricks_job.job_a", "noop"))
    bench.answer("ml", 0)
    plans = bench.plan("ml", "governance")
    assert [plan.stack for plan in plans] == ["governance", "ml"]
    assert all(plan.changes == [] for plan in plans)
    assert exit_code(plans) == 0
    bench.answer("ml", 2, change("databricks_job.job_a", "update"))
    assert exit_code(bench.plan("governance", "ml")) == 2


def test_an_error_is_1_whatever_the_others_say(bench: Workbench) -> None:
    bench.answer("governance", 2, change("databricks_schema.schema_gold", "create"))
    bench.answer("ml", 1, error("cannot read job", "it is on fire"))
    bench.answer("pipelines", 0)
    plans = bench.plan("governance", "ml", "pipelines")
    assert exit_code(plans) == 1
    assert [plan.outcome for plan in plans] == [Outcome.CHANGED, Outcome.FAILED, Outcome.UNCHANGED]
    assert plans[1].errors == ["cannot read job\nit is on fire"]


def test_the_first_plan_counts_what_waits_for_another_stack(bench: Workbench) -> None:
    missing = error("Unable to find remote state", "No stored state was found")
    bench.answer("ml", 2, change("databricks_job.job_x", "create"), deployed=False)
    bench.answer("pipelines", 1, missing, reads="ml", deployed=False)
    bench.answer("semantic", 1, missing, reads="pipelines", deployed=False)
    _, pipelines, semantic = bench.plan("ml", "pipelines", "semantic")
    assert (pipelines.outcome, pipelines.waits_for) == (Outcome.WAITING, ["ml"])
    assert (semantic.outcome, semantic.waits_for) == (Outcome.WAITING, ["pipelines"])
    assert pipelines.counts["create"] == 2
    assert exit_code([pipelines, semantic]) == 2
    # The same holds when only the later stack is asked for.
    (alone,) = bench.plan("pipelines")
    assert alone.waits_for == ["ml"]


def test_a_missing_state_of_a_deployed_stack_is_an_error(bench: Workbench) -> None:
    missing = error("Unable to find remote state")
    bench.answer("ml", 0)
    bench.answer("pipelines", 1, missing, reads="ml")
    for plans in (bench.plan("ml", "pipelines"), bench.plan("pipelines")):
        assert plans[-1].outcome is Outcome.FAILED
        assert exit_code(plans) == 1


def test_another_error_beside_a_missing_state_is_not_hidden(bench: Workbench) -> None:
    bench.answer("ml", 2, change("databricks_job.job_x", "create"), deployed=False)
    bench.answer("pipelines", 1, error("Unable to find remote state"), error("bad"), reads="ml")
    assert bench.plan("ml", "pipelines")[1].outcome is Outcome.FAILED


def test_a_failed_init_shows_terraforms_words(bench: Workbench) -> None:
    bench.answer("ml", 0)
    answer = bench.planner.folder("ml") / "answer.json"
    answer.write_text(json.dumps({"init": "no such bucket"}))
    with pytest.raises(TerraformError, match="no such bucket"):
        bench.plan("ml")


def test_the_report_names_what_changes_and_what_changed_outside(bench: Workbench) -> None:
    bench.answer(
        "ml",
        2,
        change("databricks_job.job_a", "update"),
        change("databricks_job.job_b", "delete"),
        change("databricks_job.job_a", "update", "resource_drift"),
    )
    console = Console(width=100, record=True, file=io.StringIO())
    show_plans(console, bench.plan("ml"))
    text = console.export_text()
    assert "~ databricks_job.job_a" in text and "- databricks_job.job_b" in text
    assert "changed outside: databricks_job.job_a" in text


@pytest.mark.terraform
def test_with_the_real_terraform(tmp_path: Path) -> None:
    """Built-in resources need no provider: not deployed 2, deployed 0, changed 2, broken 1."""
    program = shutil.which("terraform")
    assert program, "terraform is not on PATH"
    terraform = Terraform(program, terraform_variables(os.environ))
    planner = Planner(load_environment("local"), terraform, tmp_path)
    write(planner, "ml", value="a")
    state = str(planner.folder("ml") / "terraform.tfstate")
    write(planner, "pipelines", value="${data.terraform_remote_state.ml.outputs.id}", reads=state)
    plans = planner.plan(["ml", "pipelines"])
    assert [plan.outcome for plan in plans] == [Outcome.CHANGED, Outcome.WAITING]
    assert plans[1].counts["create"] == 1
    for stack in ("ml", "pipelines"):
        apply(program, planner.folder(stack))
    assert exit_code(planner.plan(["ml", "pipelines"])) == 0
    write(planner, "ml", value="b")
    plans = planner.plan(["ml", "pipelines"])
    assert [plan.outcome for plan in plans] == [Outcome.CHANGED, Outcome.UNCHANGED]
    assert plans[0].changes[0].address == "terraform_data.it"
    plans_folder = tmp_path / "plans"
    saving = Planner(planner.environment, terraform, tmp_path, plans_folder)
    assert exit_code(saving.plan(["ml", "pipelines"])) == 2
    assert sorted(path.name for path in plans_folder.iterdir()) == ["ml.json", "pipelines.json"]
    kept = json.loads((plans_folder / "ml.json").read_text())
    (changed,) = kept["resource_changes"]
    assert (kept["format_version"], changed["change"]["actions"]) == ("1.2", ["update"])
    assert (plans_folder / "ml.json").stat().st_mode & 0o077 == 0
    write(planner, "ml", value="${nothing.there}")
    assert exit_code(planner.plan(["ml"])) == 1


def write(planner: Planner, stack: str, value: str, reads: str = "") -> None:
    folder = planner.folder(stack)
    folder.mkdir(parents=True, exist_ok=True)
    configuration: dict[str, Any] = {
        "resource": {"terraform_data": {"it": {"input": value}}},
        "output": {"id": {"value": "${terraform_data.it.id}"}},
    }
    if reads:
        state = {"backend": "local", "config": {"path": reads}}
        configuration["data"] = {"terraform_remote_state": {"ml": state}}
    (folder / "cdk.tf.json").write_text(json.dumps(configuration))


def apply(program: str, folder: Path) -> None:
    command = [program, "apply", "-auto-approve", "-input=false"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
