"""A small stack with a state in S3, deployed by real processes that a test can stop or kill."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from infra import deploying
from infra.environment import load_environment
from infra.planning import Planner
from infra.terraform import Terraform
from tests.infra.review.make_plans import PROVIDER, Json

ENVIRONMENT = load_environment("local").model_copy(update={"stacks": ["governance"]})
STACK = "governance-local"


class Deploys:
    """The stack ends with a resource that takes until it is let go."""

    def __init__(
        self, folder: Path, variables: dict[str, str], resources: Json | None = None
    ) -> None:
        self.folder = folder
        self.variables = variables
        self.made = folder / "made"
        self.go = folder / "go"
        self.planner = Planner(ENVIRONMENT, Terraform.found(variables), folder / "cdktf.out")
        settings = {"language": "python", "app": "false", "output": "cdktf.out"}
        (folder / "cdktf.json").write_text(json.dumps(settings))
        self.configure(resources or {})
        self.planner.terraform.init(self.stack)

    def configure(self, resources: Json) -> None:
        """Synthesize the stack; the slow resource comes after all others."""
        from cdktf import App, S3Backend, TerraformStack

        from infra.constructs.state_backend import state_settings

        app = App(outdir=str(self.folder / "cdktf.out"))
        stack = TerraformStack(app, STACK)
        # The buckets of a process outlive their server.
        key = {"bucket": "health-monitor-state", "key": f"{self.folder.name}/governance.tfstate"}
        S3Backend(stack, **state_settings(**key, region="us-east-1", is_aws=False))
        stack.add_override("terraform.backend.s3.use_lockfile", True)
        for block, values in (PROVIDER if resources else {}).items():
            stack.add_override(f"terraform.{block}", values)
        for type_, bodies in resources.items():
            stack.add_override(f"resource.{type_}", bodies)
        command = f"echo x >> {self.made}; until [ -e {self.go} ]; do sleep 0.1; done"
        addresses = [f"{type_}.{name}" for type_, named in resources.items() for name in named]
        slow = {"provisioner": [{"local-exec": {"command": command}}], "depends_on": addresses}
        # With other resources it is another one, so that it takes its time again.
        name = f"slow_{len(addresses)}"
        stack.add_override(f"resource.terraform_data.{name}", slow)
        app.synth()

    @property
    def stack(self) -> Path:
        return self.planner.folder("governance")

    @contextmanager
    def at_work(self) -> Iterator[subprocess.Popen[str]]:
        """A deploy that has made everything but the slow resource."""
        self.go.unlink(missing_ok=True)
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
            lines = []
            for line in process.stdout:
                lines.append(line)
                if "Provisioning with 'local-exec'" in line:
                    break
            else:
                raise AssertionError("".join(lines))
            yield process
        finally:
            kill(process.pid)
            process.wait(timeout=30)

    @contextmanager
    def command_at_work(self) -> Iterator[subprocess.Popen[str]]:
        """The same through cdktf, as `python -m infra deploy` does it."""
        self.go.unlink(missing_ok=True)
        before = self.made.read_text() if self.made.exists() else ""
        code = (
            "import os; from pathlib import Path; from infra import deploying; "
            "from tests.infra.drift.deploys import ENVIRONMENT; "
            "deploying.deploy(ENVIRONMENT, ['governance'], dict(os.environ), "
            f"Path({str(self.folder)!r}), print)"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**self.variables, "PYTHONPATH": ":".join(sys.path)},
            stdout=subprocess.DEVNULL,
            text=True,
        )
        try:
            deadline = time.monotonic() + 120
            while not self.made.exists() or self.made.read_text() == before:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.1)
            yield process
        finally:
            kill(process.pid)
            process.wait(timeout=30)

    def deploy(self) -> tuple[int, str]:
        said: list[str] = []
        code = deploying.deploy(
            ENVIRONMENT, ["governance"], self.variables, self.folder, said.append
        )
        return code, "\n".join(said)

    def lock_id(self, said: str) -> str:
        """The id in the command that the message gives, which names the stack's folder."""
        command = f"terraform -chdir={self.stack} force-unlock "
        assert command in said, said
        return said.partition(command)[2].split()[0]

    def unlock(self, said: str) -> None:
        """What the message says, without its question."""
        unlock = ["force-unlock", "-force", self.lock_id(said)]
        subprocess.run(
            [self.planner.terraform.program, f"-chdir={self.stack}", *unlock],
            env=dict(self.planner.terraform.variables),
            check=True,
            capture_output=True,
        )


def kill(pid: int) -> None:
    """SIGKILL a process and all below it, those in sessions of their own too."""
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return
    # From the top: one whose child is gone may end by itself, and in good order.
    family = [process, *process.children(recursive=True)]
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(family, timeout=30)
