"""A state that somebody else writes: what a second command says, how a dead lock is released."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra import deploying
from infra.environment import load_environment
from infra.locks import Lock, lock_in
from infra.planning import Outcome, Planner
from infra.preflight import find
from infra.terraform import Terraform, current_variables
from tests.infra.test_infra_drift import state_bucket

ENVIRONMENT = load_environment("local").model_copy(update={"stacks": ["governance"]})
STACK = "governance-local"
PLAIN = """
{name}  ╷
{pad}│ Error: Error acquiring the state lock
{pad}│ Error message: operation error S3: PutObject, https response error
{pad}│ StatusCode: 412
{pad}│ Lock Info:
{pad}│   ID:        3c06d197-a2be-66a4-3671-8f26635be895
{pad}│   Path:      health-monitor-state/prod/ml.tfstate
{pad}│   Operation: OperationTypeApply
{pad}│   Who:       runner@ci-7
{pad}│   Version:   1.11.4
{pad}│   Created:   2026-11-27 01:48:07.973064194 +0000 UTC
"""


@pytest.mark.parametrize(("name", "pad"), [("", ""), ("ml-prod", "         ")])
def test_a_lock_is_read_from_what_terraform_and_cdktf_print(name: str, pad: str) -> None:
    lock = lock_in(PLAIN.format(name=name, pad=pad))
    assert lock is not None
    assert (lock.state, lock.operation, lock.who) == ("ml", "apply", "runner@ci-7")
    said = lock.message(Path("cdktf.out/stacks/ml-prod"))
    assert "locked by runner@ci-7 since 2026-11-27 01:48:07 (apply)" in said
    command = "terraform -chdir=cdktf.out/stacks/ml-prod force-unlock "
    assert f"{command}3c06d197-a2be-66a4-3671-8f26635be895" in said


@pytest.mark.parametrize("text", ["", "Error: no", "Error acquiring the state lock\nno network"])
def test_another_error_is_no_lock(text: str) -> None:
    assert lock_in(text) is None


def test_a_lock_says_what_it_does_not_know() -> None:
    lock = lock_in("Error acquiring the state lock\nLock Info:\n  ID: 7\n  Path: b/ml.tfstate\n")
    assert lock == Lock("7", "ml", "unknown operation", "somebody", "an unknown time")


class Deploys:
    """One stack with a state in S3, whose resource takes until it is let go."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        from cdktf import App, S3Backend, TerraformStack

        from infra.constructs.state_backend import state_settings

        self.folder = folder
        self.variables = variables
        self.made = folder / "made"
        self.go = folder / "go"
        app = App(outdir=str(folder / "cdktf.out"))
        stack = TerraformStack(app, STACK)
        # The buckets of a process outlive their server.
        key = {"bucket": "health-monitor-state", "key": f"{folder.name}/governance.tfstate"}
        S3Backend(stack, **state_settings(**key, region="us-east-1", is_aws=False))
        stack.add_override("terraform.backend.s3.use_lockfile", True)
        command = f"echo x >> {self.made}; until [ -e {self.go} ]; do sleep 0.1; done"
        resource = {"provisioner": [{"local-exec": {"command": command}}]}
        stack.add_override("resource.terraform_data.slow", resource)
        app.synth()
        settings = {"language": "python", "app": "false", "output": "cdktf.out"}
        (folder / "cdktf.json").write_text(json.dumps(settings))
        self.planner = Planner(ENVIRONMENT, Terraform.found(variables), folder / "cdktf.out")
        self.planner.terraform.init(self.stack)

    @property
    def stack(self) -> Path:
        return self.planner.folder("governance")

    @contextmanager
    def at_work(self) -> Iterator[subprocess.Popen[str]]:
        """A deploy that has got half-way."""
        process = subprocess.Popen(
            [self.planner.terraform.program, "apply", "-auto-approve", "-no-color"],
            cwd=self.stack,
            env=dict(self.planner.terraform.variables),
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            assert any("slow: Creating..." in line for line in process.stdout)
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)

    def deploy(self) -> tuple[int, str]:
        said: list[str] = []
        code = deploying.deploy(
            ENVIRONMENT, ["governance"], self.variables, self.folder, said.append
        )
        return code, "\n".join(said)


@pytest.fixture
def deploys(tmp_path: Path) -> Iterator[Deploys]:
    with state_bucket() as bucket:
        variables = current_variables()
        find("cdktf", variables)
        yield Deploys(tmp_path, {**variables, **bucket})


def lock_id(deploys: Deploys, said: str) -> str:
    """The id in the command that the message gives, which names the stack's folder."""
    command = f"terraform -chdir={deploys.stack} force-unlock "
    assert command in said, said
    return said.partition(command)[2].split()[0]


@pytest.mark.terraform
def test_of_two_deploys_the_second_is_refused_and_the_first_ends(deploys: Deploys) -> None:
    with deploys.at_work() as first:
        code, said = deploys.deploy()
        assert code == 1
        assert f"the state of {STACK} is locked by " in said and "(apply)" in said
        lock_id(deploys, said)
        (plan,) = deploys.planner.plan(["governance"])
        assert plan.outcome is Outcome.FAILED and "is locked by" in plan.errors[0]
        destroyed: list[str] = []
        assert (
            deploying.destroy(
                ENVIRONMENT,
                ["governance"],
                deploys.planner.terraform,
                deploys.planner.output,
                destroyed.append,
            )
            == 1
        )
        assert "is locked by" in destroyed[0]
        deploys.go.touch()
        assert first.wait(timeout=60) == 0
    assert deploys.deploy()[0] == 0
    assert deploys.made.read_text() == "x\n"


@pytest.mark.terraform
def test_the_lock_of_a_killed_deploy_is_released_as_the_message_says(deploys: Deploys) -> None:
    with deploys.at_work() as first:
        os.killpg(first.pid, signal.SIGKILL)
    deploys.go.touch()
    code, said = deploys.deploy()
    assert code == 1
    unlock = ["force-unlock", "-force", lock_id(deploys, said)]
    subprocess.run(
        [deploys.planner.terraform.program, f"-chdir={deploys.stack}", *unlock],
        env=dict(deploys.planner.terraform.variables),
        check=True,
        capture_output=True,
    )
    code, said = deploys.deploy()
    assert code == 0, said
    (plan,) = deploys.planner.plan(["governance"])
    assert plan.outcome is Outcome.UNCHANGED
