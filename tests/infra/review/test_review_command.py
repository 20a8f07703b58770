"""`python -m infra review`: exit codes, messages, and a quick start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.__main__ import main as infra
from infra.paths import ROOT
from infra.review.benchmark import time_review
from tests.infra.review.recorded import PLANS, document, reviewed, written


def run(name: str, *options: str) -> int:
    return infra(["review", str(PLANS / f"{name}.json"), *options])


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("unchanged", 0),
        ("refresh_only_unchanged", 0),
        ("errored", 1),
        ("alerts", 2),
        ("moved", 2),
        ("outputs", 2),
        ("drift_and_heal", 2),
        ("drift", 3),
    ],
)
def test_exit_codes(name: str, code: int) -> None:
    assert run(name) == code


@pytest.mark.parametrize(
    ("name", "ceiling", "code"),
    [
        ("jobs", "medium", 2),
        ("jobs", "low", 5),
        ("alerts", "medium", 5),
        ("destroyed", "high", 5),
        ("destroyed", "critical", 2),
        ("unchanged", "low", 0),
        # What was done outside is not what an apply does.
        ("drift", "low", 3),
        ("errored", "low", 1),
    ],
)
def test_the_ceiling(name: str, ceiling: str, code: int) -> None:
    assert run(name, "--ceiling", ceiling) == code


def test_the_ceiling_of_an_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("replan", "--env", "prod") == 5
    assert "is above the ceiling medium" in capsys.readouterr().err
    assert run("replan", "--env", "prod", "--ceiling", "critical") == 2
    assert run("replan", "--env", "nowhere") == 1


def test_an_approval_holds_for_its_plan_only(capsys: pytest.CaptureFixture[str]) -> None:
    approved = reviewed("destroyed").hash
    options = ["--ceiling", "low", "--approved", approved]
    assert run("destroyed", *options) == 2
    assert run("alerts", *options) == 5
    said = capsys.readouterr().err
    assert "risk high is above the ceiling low" in said
    assert f"not one that was approved: it is {reviewed('alerts').hash}" in said
    # A plan that was made again is the same plan.
    again = ["--ceiling", "low", "--approved", reviewed("replan").hash]
    assert run("replan_again", *again) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON"),
        ("{", "not JSON: line 1"),
        ("[]", "no 'format_version'"),
        ("PK\x03\x04", "a binary plan, not its JSON"),
        ('{"@level":"info"}\n{"@level":"info"}', "the messages of `terraform plan -json`"),
        ('{"format_version": "2.0", "resource_changes": []}', "plan format 2.0; this review reads"),
        ('{"format_version": "1.0", "values": {}}', "a state or another document"),
        (
            '{"format_version": "1.2", "resource_changes": [{"address": 1}]}',
            "resource_changes.0.address",
        ),
    ],
)
def test_what_is_no_plan_is_one_message(
    content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "given.json"
    file.write_text(content)
    assert infra(["review", str(file)]) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith(f"{file}: ") and message in said.err


@pytest.mark.parametrize(
    "arguments", [["review"], ["review", "p", "--format", "x"], ["plan"], ["x"]]
)
def test_a_mistake_in_the_arguments_is_an_error_and_no_change(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        infra(arguments)
    assert caught.value.code == 1


def test_unknown_keys_and_a_later_minor_version_are_fine(tmp_path: Path) -> None:
    content = {**document("jobs"), "format_version": "1.9", "news": {"a": 1}}
    content["resource_changes"][0]["change"]["news"] = True
    assert infra(["review", str(written(tmp_path, content))]) == 2


def test_files_that_are_missing_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "missing.json")
    assert infra(["review", missing]) == 1
    assert run("jobs", "--configuration", missing, "--previous-configuration", missing) == 1
    assert run("jobs", "--assumptions", missing) == 1
    said = capsys.readouterr().err.splitlines()
    assert all(line.startswith(f"{missing}: cannot be read") for line in said) and len(said) == 3
    assert run("jobs", "--configuration", missing) == 1
    assert "are needed together" in capsys.readouterr().err


def test_the_output_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "review.json"
    assert run("jobs", "--format", "json", "--output", str(file)) == 2
    assert capsys.readouterr().out == ""
    assert json.loads(file.read_text())["risk"] == "medium"
    assert run("jobs", "--output", str(tmp_path / "no" / "x.md")) == 1


def test_a_plan_of_others_without_definitions(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("moved", "--format", "json", "--definitions", "/nowhere") == 2
    found = json.loads(capsys.readouterr().out)
    assert [change["source"] for change in found["changes"]] == [None, None]


def test_it_starts_without_what_it_does_not_need() -> None:
    script = (
        "import sys; from infra.__main__ import main; "
        f"code = main(['review', {str(PLANS / 'jobs.json')!r}, '--output', '/dev/null']); "
        "heavy = {'cdktf', 'jsii', 'sqlglot', 'health_monitor', 'pyspark'} & {*sys.modules}; "
        "print(code, sorted(heavy))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "2 []"


def test_a_thousand_changes_take_less_than_three_seconds(tmp_path: Path) -> None:
    timings = [time_review(PLANS / "jobs.json", tmp_path) for _ in range(2)]
    assert all(timing.changes == 1000 and timing.megabytes > 5 for timing in timings)
    # Of the processor: what the machine does meanwhile for others is not the review's.
    assert min(timing.cpu_seconds for timing in timings) < 3
