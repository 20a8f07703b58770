"""`python -m infra`: one clear message and exit code 1 for all that a person can mend."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra import __main__ as command
from infra.deploying import Progress, deploy
from infra.environment import load_environment
from infra.paths import ROOT
from infra.preflight import PreflightError, check, find, is_loopback

LOCAL = {
    "DATABRICKS_HOST": "http://127.0.0.1:8080",
    "DATABRICKS_TOKEN": "t",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
}


def test_all_missing_variables_are_named_at_once() -> None:
    environment = load_environment("local")
    check(environment, LOCAL)
    with pytest.raises(PreflightError) as caught:
        check(environment, {**LOCAL, "DATABRICKS_TOKEN": "", "AWS_ENDPOINT_URL_S3": ""})
    assert str(caught.value).endswith("DATABRICKS_TOKEN, AWS_ENDPOINT_URL_S3")


def test_local_refuses_a_real_workspace_and_dev_takes_it() -> None:
    host = "https://adb-1234567890123456.7.azuredatabricks.net"
    with pytest.raises(PreflightError, match="takes loopback hosts only"):
        check(load_environment("local"), {**LOCAL, "DATABRICKS_HOST": host})
    dev = load_environment("dev")
    check(dev, dict.fromkeys(dev.required_variables, host))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("http://127.0.0.1:1", True),
        ("localhost", True),
        ("http://[::1]:80", True),
        ("https://127.0.0.1.example.com", False),
        ("http://localhost.example.com", False),
        ("http://user@10.0.0.1", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_a_missing_program_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.preflight.NODE_BIN", Path("/nowhere"))
    for program in ("terraform", "cdktf", "node"):
        with pytest.raises(PreflightError, match=f"{program} is not on PATH; get it: "):
            find(program, {"PATH": "/nowhere"})


def test_an_unknown_environment_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["plan", "--env", "nope"]) == 1
    said = capsys.readouterr().err
    assert (
        "environments/nope.yml:1: no such environment; there are: dev, local, prod, staging" in said
    )


def test_what_cdktf_runs_fails_without_synth_when_a_file_is_wrong(tmp_path: Path) -> None:
    """As `cdktf` calls it: all problems on stderr, exit code 1, nothing written."""
    repository = tmp_path / "repository"
    for name in ("infra", "workloads", "environments"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, repository / name, ignore=ignored)
    file = repository / "environments" / "local.yml"
    text = file.read_text().replace("currency: USD", "currency: 7").replace("2X-Small", "Huge")
    file.write_text(text)
    variables = {**os.environ, "HEALTH_MONITOR_ENV": "local"}
    result = subprocess.run(
        [sys.executable, "-m", "infra.main"],
        cwd=repository,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    said = [line for line in result.stderr.splitlines() if line.startswith("environments/")]
    assert [line.split(": ")[1] for line in said] == ["currency", "warehouse.size"]
    assert not (repository / "cdktf.out").exists()


def test_progress_is_read_from_what_cdktf_prints(tmp_path: Path) -> None:
    lines = [
        "5 Stacks deploying     0 Stacks done     0 Stacks waiting\n",
        "\x1b[2K\x1b[1A\x1b[Gml-local  databricks_job.job_a (job_a): Creating...\n",
        "          databricks_job.job_a (job_a): Creation complete after 0s [id=1]\n",
        "ml-local  databricks_job.job_b (job_b): Modifications complete after 1s [id=2]\n",
        "governance-local  No changes. Your infrastructure matches the configuration.\n",
        "ml-local  Apply complete! Resources: 1 added, 1 changed, 0 destroyed.\n",
        "ml-local  Error: cannot create job: too many\n",
        "          BAD_REQUEST: too many\n",
    ]
    said: list[str] = []
    progress = Progress(said.append, ["governance-local", "ml-local"])
    for line in lines:
        progress.line(line)
    assert said == [
        "ml-local: 1 created; databricks_job.job_a",
        "ml-local: 1 created, 1 changed; databricks_job.job_b",
        "governance-local: done, nothing to do",
        "ml-local: done, 1 added, 1 changed, 0 destroyed",
    ]
    assert progress.failure(tmp_path).splitlines() == [
        "ml-local  Error: cannot create job: too many",
        "          BAD_REQUEST: too many",
    ]


def test_deploy_gives_cdktf_its_stacks_in_order_and_reports_failure(tmp_path: Path) -> None:
    record = tmp_path / "calls"
    fail_for_ml = 'case "$*" in *ml*) echo "ml-local  Error: no"; exit 1;; esac'
    for name, text in (
        ("cdktf", f'echo "$@" >> {record}; {fail_for_ml}'),
        ("terraform", "exit 0"),
    ):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    variables = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    environment = load_environment("local")
    said: list[str] = []

    def run(*stacks: str) -> tuple[int, list[str]]:
        record.write_text("")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("infra.preflight.NODE_BIN", tmp_path)
            code = deploy(environment, stacks, variables, tmp_path, said.append)
        return code, record.read_text().splitlines()

    code, calls = run("semantic", "governance")
    assert code == 0
    assert [call.split()[-1] for call in calls] == ["governance-local", "semantic-local"]
    code, calls = run(*environment.stacks)
    assert code == 1 and "ml-local  Error: no" in said
    assert len(calls) == 1 and "--ignore-missing-stack-dependencies" not in calls[0]
    assert "--auto-approve" in calls[0]
