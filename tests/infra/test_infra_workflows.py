"""CI: workflows that GitHub takes, without stored credentials, and what they run."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import commands as command
from infra.environment import available, load_environment
from infra.paths import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))
SCRIPT = GITHUB / "on_environment.sh"
REUSED = "on_environment.yml"
# A tag can be moved to other code, a commit cannot; people read the version beside it.
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
# Where notifications go. Every credential is made for one job from GitHub's identity token.
SECRETS = {"SLACK_URL", "PAGERDUTY_KEY"}


def load(file: Path) -> dict[str, Any]:
    # As text, for YAML takes the key `on` for a truth value.
    content: dict[str, Any] = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506
    return content


def jobs(file: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load(file)["jobs"]
    return found


def uses(value: Any) -> Iterator[str]:
    """Every action and workflow that is used, however deep."""
    if isinstance(value, dict):
        if isinstance(value.get("uses"), str):
            yield value["uses"]
        for item in value.values():
            yield from uses(item)
    elif isinstance(value, list):
        for item in value:
            yield from uses(item)


def calls(file: Path) -> dict[str, dict[str, Any]]:
    """The jobs that run something on an environment."""
    return {name: job for name, job in jobs(file).items() if job.get("uses", "").endswith(REUSED)}


def validated(schema: str, *files: Path) -> subprocess.CompletedProcess[str]:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    return subprocess.run(
        [*check, *map(str, files)], capture_output=True, text=True, check=False, cwd=ROOT
    )


def test_github_takes_workflows_and_actions() -> None:
    assert len(WORKFLOWS) == 4 and ACTIONS
    for schema, files in (("github-workflows", WORKFLOWS), ("github-actions", ACTIONS)):
        result = validated(schema, *files)
        assert result.returncode == 0, result.stdout + result.stderr


def test_the_schema_finds_what_github_would_refuse(tmp_path: Path) -> None:
    text = (GITHUB / "workflows" / "drift.yml").read_text(encoding="utf-8")
    broken = tmp_path / "drift.yml"
    for old, new in (("id-token: write", "id-tokens: write"), ("matrix:", "matrices:")):
        assert old in text
        broken.write_text(text.replace(old, new), encoding="utf-8")
        assert validated("github-workflows", broken).returncode == 1, new


def test_actions_are_pinned_by_commit() -> None:
    found = [
        (name, line)
        for file in [*WORKFLOWS, *ACTIONS]
        for name in uses(load(file))
        for line in file.read_text(encoding="utf-8").splitlines()
        if f"uses: {name}" in line
    ]
    assert len({name for name, _ in found}) > 5
    for name, line in found:
        local = name.startswith("./") and (ROOT / name).exists()
        assert local or PINNED.search(line), line
    # One version of an action, everywhere.
    pinned = {name for name, _ in found if "@" in name}
    assert len({name.partition("@")[0] for name in pinned}) == len(pinned)


def test_no_credential_is_stored() -> None:
    for file in WORKFLOWS:
        text = file.read_text(encoding="utf-8")
        assert set(re.findall(r"secrets\.(\w+)", text)) <= SECRETS, file.name
        assert "pull_request_target" not in text, file.name
        for forbidden in ("DATABRICKS_TOKEN", "CLIENT_SECRET", "AWS_SECRET_ACCESS_KEY"):
            assert forbidden not in text, file.name


def test_permissions_are_the_least() -> None:
    for file in WORKFLOWS:
        if file.name == REUSED:
            continue
        assert load(file)["permissions"] == {"contents": "read"}, file.name
        for name, job in jobs(file).items():
            wanted = None
            if name in calls(file):
                wanted = {"contents": "read", "id-token": "write"}
                if file.name == "pull_request.yml":
                    wanted["pull-requests"] = "write"
            assert job.get("permissions") == wanted, f"{file.name} {name}"


def environments_of(name: str, called: str) -> list[str]:
    """The environments on which a workflow runs a command, a matrix spread out."""
    found = []
    for job in calls(GITHUB / "workflows" / name).values():
        if job["with"]["command"] == called:
            matrix = job.get("strategy", {}).get("matrix", {})
            spread = [item["environment"] for item in matrix.get("include", [])]
            spread += matrix.get("environment", [])
            found += spread or [job["with"]["environment"]]
    return found


def test_every_real_environment_is_reviewed_deployed_and_watched() -> None:
    real = [e for e in available() if not load_environment(e).workspace.loopback_only]
    assert sorted(environments_of("pull_request.yml", "review")) == real
    assert environments_of("deploy.yml", "deploy") == ["dev", "staging", "prod"]
    assert sorted(environments_of("drift.yml", "drift")) == real == ["dev", "prod", "staging"]


def test_a_deploy_waits_for_the_environment_before_and_for_its_approval() -> None:
    chain = jobs(GITHUB / "workflows" / "deploy.yml")
    order = ["prod", "review-prod", "staging", "review-staging", "dev", "test"]
    for name, before in itertools.pairwise(order):
        assert chain[name]["needs"] == before
    # GitHub asks the reviewers of the environment that a job names.
    for name in ("dev", "staging", "prod"):
        assert chain[name]["with"]["identity"] == name
    job = jobs(GITHUB / "workflows" / REUSED)["run"]
    assert job["environment"] == "${{ inputs.identity }}"


def test_only_a_deploy_has_an_identity_that_may_write() -> None:
    for file in WORKFLOWS:
        for name, job in calls(file).items():
            identity, called = job["with"]["identity"], job["with"]["command"]
            assert identity.endswith("-plan") is (called != "deploy"), f"{file.name} {name}"


def test_the_job_sets_every_variable_that_an_environment_needs() -> None:
    given = set(jobs(GITHUB / "workflows" / REUSED)["run"]["env"])
    for name in available():
        environment = load_environment(name)
        if not environment.workspace.loopback_only:
            assert set(environment.required_variables) <= given, name


# -- the script -------------------------------------------------------------------------------

# Answers with the codes of answers.json: by command, or by stack for a review.
FAKE_PYTHON = f"""#!{sys.executable}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
codes = json.loads((here / "codes.json").read_text())
command, *rest = sys.argv[3:]
with (here / "calls").open("a") as calls:
    calls.write(" ".join([command, *(a for a in rest if not a.startswith("/"))]) + "\\n")
if command == "plan" and "--save" in rest:
    folder = pathlib.Path(rest[rest.index("--save") + 1])
    for stack in codes["stacks"]:
        (folder / f"{{stack}}.json").write_text("{{}}")
if command == "review":
    stack = pathlib.Path(rest[0]).stem
    pathlib.Path(rest[rest.index("--output") + 1]).write_text("#" * codes.get("length", 9))
    command = f"review {{stack}}"
sys.exit(codes.get(command, 0))
"""
FAKE_GH = f"""#!{sys.executable}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
with (here / "comments").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if "--paginate" in sys.argv:
    print("77" if "prod/ml" in sys.argv[-1] else "")
"""


class Runner:
    """The script with a Python and a gh whose answers a test writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (("python", FAKE_PYTHON), ("gh", FAKE_GH)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)

    def run(self, *arguments: str, pull_request: str = "", **codes: Any) -> int:
        codes = {name.replace("_", " "): code for name, code in codes.items()}
        (self.folder / "codes.json").write_text(json.dumps({"stacks": [], **codes}))
        for name in ("calls", "comments", "summary"):
            (self.folder / name).write_text("")
        variables = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "PYTHON": str(self.folder / "python"),
            "TMPDIR": str(self.folder),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "GITHUB_REPOSITORY": "team/health",
            "PULL_REQUEST": pull_request,
        }
        result = subprocess.run(
            [str(SCRIPT), *arguments], env=variables, capture_output=True, text=True, check=False
        )
        assert not list(self.folder.glob("tmp.*")), "plans were left behind"
        return result.returncode

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    @property
    def comments(self) -> list[list[str]]:
        written = (self.folder / "comments").read_text().splitlines()
        sent = [json.loads(line) for line in written]
        return [arguments for arguments in sent if "--method" in arguments]


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def test_a_review_plans_once_and_writes_a_comment_for_each_stack(runner: Runner) -> None:
    stacks = ["governance", "ml"]
    code = runner.run("review", "prod", pull_request="12", plan=2, stacks=stacks)
    assert code == 0
    review = "review --format markdown --output --env prod"
    assert runner.calls == ["plan --env prod --save", review, review]
    posted, patched = runner.comments
    assert posted[2:4] == ["POST", "repos/team/health/issues/12/comments"]
    assert posted[5] == "body=<!-- review: prod/governance -->\n#########"
    # The comment on this stack is there already.
    assert patched[2:4] == ["PATCH", "repos/team/health/issues/comments/77"]
    assert (runner.folder / "summary").read_text() == "#" * 18


def test_without_a_pull_request_nothing_is_commented(runner: Runner) -> None:
    assert runner.run("review", "prod", plan=2, stacks=["ml"]) == 0
    assert runner.calls[1] == "review --format markdown --output --env prod"
    assert runner.comments == []


def test_a_review_that_is_too_long_is_left_in_the_summary(runner: Runner) -> None:
    runner.run("review", "prod", pull_request="12", plan=2, stacks=["ml"], length=65_536)
    assert "is too long for a comment" in runner.comments[0][5]
    assert len((runner.folder / "summary").read_text()) == 65_536


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ({"plan": 0}, 0),
        ({"plan": 1}, 1),
        ({"plan": 4}, 4),
        ({"plan": 2, "stacks": ["governance", "ml"], "review_governance": 5}, 5),
        ({"plan": 2, "stacks": ["governance", "ml"], "review_governance": 1}, 1),
        ({"plan": 2, "stacks": ["ml"], "review_ml": 2}, 0),
        ({"plan": 0, "stacks": ["ml"], "review_ml": 3}, 0),
    ],
)
def test_exit_codes_of_a_review(runner: Runner, codes: dict[str, Any], expected: int) -> None:
    assert runner.run("review", "prod", **codes) == expected
    # What is above the ceiling in one stack does not hide the others.
    if expected == 5:
        assert len(runner.calls) == 3


def test_a_deploy_is_done_when_nothing_is_left_to_change(runner: Runner) -> None:
    assert runner.run("deploy", "dev") == 0
    assert runner.calls == ["deploy --env dev", "plan --env dev"]
    assert runner.run("deploy", "dev", plan=2) == 2
    assert runner.run("deploy", "dev", deploy=4) == 4
    assert runner.calls == ["deploy --env dev"]


def test_drift_keeps_its_code_and_another_word_is_refused(runner: Runner) -> None:
    assert runner.run("drift", "prod", drift=3) == 3
    assert runner.run("destroy", "prod") == 1
    assert runner.calls == []


def test_ci_gives_commands_what_they_take() -> None:
    parser = command._parser()
    taken = ("policy --env prod", "plan --env dev --save plans", "deploy --env staging")
    for text in (*taken, "drift --env prod"):
        assert parser.parse_args(text.split()).env in available()
    said = SCRIPT.read_text(encoding="utf-8")
    assert set(re.findall(r"\binfra (\w+) (?:--env|\")", said)) == {
        "plan", "review", "deploy", "drift",
    }  # fmt: skip
