"""Real Terraform against the emulated workspace: provider, variables and command."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import httpx
import psutil

from emulator.provider.install import environment, official_provider_available
from tools.console import DriverError
from tools.paths import CACHE, NODE_BIN, PYTHON, ROOT, RUN
from tools.services import (
    BUCKET,
    SERVERS,
    Workspace,
    running,
    start_state_backend,
    start_workspace,
    write_variables,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PROVIDER_CHECK_SECONDS = 15
# Spark may have to start first.
AUDIT_SECONDS = 300


def choose_provider() -> tuple[str, dict[str, str]]:
    """("official" | "offline", the variables that make Terraform use it)."""
    folder = CACHE / "provider"
    official = official_provider_available(timeout=PROVIDER_CHECK_SECONDS, folder=folder)
    if official:
        return "official", dict(official.environment)
    return "offline", environment(folder, PYTHON)


def variables(workspace: Workspace, state_endpoint: str) -> dict[str, str]:
    """What environments/local.yml expects to find in the environment."""
    return {
        "DATABRICKS_HOST": workspace.host,
        "DATABRICKS_TOKEN": workspace.token,
        "AWS_ENDPOINT_URL_S3": state_endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "CHECKPOINT_DISABLE": "1",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
        "PATH": _path(),
    }


def keep_for_clients(environment: dict[str, str]) -> None:
    """Write the variables to .local/workspace.env; a shell's own PATH is not theirs to set."""
    write_variables({name: text for name, text in environment.items() if name != "PATH"})


def _path() -> str:
    return os.pathsep.join([str(NODE_BIN), str(PYTHON.parent), os.environ["PATH"]])


def run_infra(arguments: list[str], environment: dict[str, str], say: Callable[[str], None]) -> int:
    """Run ``python -m infra ...``, passing its lines to ``say``; its exit code.

    A Ctrl-C reaches the command's own process group once, so that Terraform can end its work and
    release the state lock.
    """
    log = RUN / f"infra-{arguments[0]}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(PYTHON), "-m", "infra", *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            for line in process.stdout or ():
                output.write(line)
                if line.strip():
                    say(line.strip())
            return process.wait()
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=60)
            raise


def deploy(environment: dict[str, str], say: Callable[[str], None]) -> bool:
    """`cdktf deploy` of every stack; whether anything changed. DriverError when it fails."""
    release_stale_locks(environment, say)
    code = run_infra(["deploy", "--env", "local"], environment, say)
    log = RUN / "infra-deploy.log"
    text = log.read_text()
    if code != 0:
        lines = [line for line in text.splitlines() if line.strip()]
        raise DriverError(
            "The deploy failed:\n" + "\n".join(lines[-25:]),
            str(log),
            "mend what it names and run `make local` again; what was deployed is kept",
        )
    counts = re.findall(r"(\d+) (?:added|changed|destroyed)", text)
    return any(int(count) for count in counts)


def resources_by_stack(environment: dict[str, str]) -> dict[str, int]:
    """How many resources each stack's state holds, read from the state backend."""
    client = _state_client(environment)
    found = {}
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        state = json.loads(client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read())
        managed = [r for r in state.get("resources", []) if r["mode"] == "managed"]
        name = Path(item["Key"]).name.removesuffix(".tfstate").removesuffix("-local")
        found[name] = sum(len(resource["instances"]) for resource in managed)
    return found


def release_stale_locks(environment: dict[str, str], say: Callable[[str], None]) -> None:
    """Remove state locks that a killed deploy left; never while a Terraform of ours runs."""
    client = _state_client(environment)
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        if not item["Key"].endswith(".tflock"):
            continue
        if _terraform_runs():
            raise DriverError(
                "Another deploy of this checkout is running",
                item["Key"],
                "wait until it ends, or stop it",
            )
        say(f"releasing the lock of an interrupted deploy: {item['Key']}")
        client.delete_object(Bucket=BUCKET, Key=item["Key"])


def _state_client(environment: dict[str, str]) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL_S3"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
    )


def _terraform_runs() -> bool:
    for process in psutil.process_iter(["name", "cwd"]):
        folder = process.info["cwd"]
        if process.info["name"] == "terraform" and folder and Path(folder).is_relative_to(ROOT):
            return True
    return False


def _deliver_audit_log(workspace: Workspace) -> None:
    """Databricks delivers it by itself, and late; who changed what shall be known here at once."""
    answer = httpx.post(
        f"{workspace.host}/emulator/v1/audit/deliver",
        headers={"Authorization": f"Bearer {workspace.token}"},
        timeout=AUDIT_SECONDS,
    )
    if answer.status_code != httpx.codes.OK:
        raise DriverError(f"The audit log was not delivered: {answer.text}", workspace.host)


def run_in_environment(arguments: list[str], say: Callable[[str], None]) -> int:
    """``python -m infra ...``; for the local environment with its servers and variables."""
    environment: dict[str, str] = {"PATH": _path()}
    if "local" in arguments:
        if running() != list(SERVERS):
            raise DriverError("The local workspace does not run", todo="make local")
        _, extra = choose_provider()
        workspace = start_workspace()
        environment = variables(workspace, start_state_backend()) | extra
        keep_for_clients(environment)
        if "drift" in arguments:
            _deliver_audit_log(workspace)
    return run_infra(arguments, environment, say)
