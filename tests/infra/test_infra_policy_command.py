"""What the policy denies is neither planned nor deployed; exemptions are data that ends."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from health_monitor.spec import DefinitionErrors

from infra import commands as command
from infra import deploying
from infra import main as app
from infra.environment import Environment, load_environment
from infra.policy.checking import check
from infra.policy.configuration import Configuration, Stack
from infra.policy.exemptions import FILE, load_exemptions
from infra.policy.rule import Violation
from infra.recovery import Recovery
from infra.terraform import Terraform
from tests.infra.conftest import Stacks
from tests.infra.test_infra_policy import TODAY, configuration

JOB = "databricks_job.job_gold_refresh"
EXEMPTION = f"""exemptions:
  - rule: job_has_timeout
    environments: [prod]
    stack: pipelines
    address: {JOB}
    reason: The first load takes longer than anybody can say
    owner: platform_team
    expires: {TODAY}
"""


def without_cost_center() -> Environment:
    """Production as it is, but for the tag that says who pays for it."""
    environment = load_environment("prod")
    tags = {name: value for name, value in environment.tags.items() if name != "cost_center"}
    return environment.model_copy(update={"tags": tags})


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    """The command, with an environment that breaks a rule, and a folder of its own."""
    environment = without_cost_center()
    for name in environment.required_variables:
        monkeypatch.setenv(name, "https://health-monitor.invalid")
    monkeypatch.setattr(command, "load_environment", lambda name: environment)
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "OUTPUT", tmp_path / "out")
    return environment


@pytest.mark.parametrize("name", ["synth", "policy", "plan", "deploy"])
def test_what_breaks_a_rule_ends_with_4_before_anything_is_asked_or_changed(
    denied: Environment, monkeypatch: pytest.MonkeyPatch, capsys: Any, name: str
) -> None:
    def not_reached(*arguments: Any) -> Any:
        raise AssertionError("went on in spite of the policy")

    monkeypatch.setattr(deploying, "deploy", not_reached)
    monkeypatch.setattr(Terraform, "found", not_reached)
    assert command.main([name, "--env", "prod"]) == 4
    said = capsys.readouterr().out.splitlines()
    rule = "Tags say whose a thing is and who pays: project, environment, owner, cost_center"
    assert f"pipelines: {JOB}: {rule}: tag cost_center is missing (tags_say_whose)" in said
    assert said[-1].startswith("policy of prod: ") and ", denied: " in said[-1]


def test_what_breaks_a_rule_can_be_destroyed_with_what_no_state_holds(
    denied: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, Any]] = []

    def destroy(environment: Environment, stacks: Any, *rest: Any) -> int:
        done.append(("destroy", stacks))
        return 0

    monkeypatch.setattr(Terraform, "found", lambda variables: None)
    monkeypatch.setattr(Recovery, "adopt", lambda _, stacks: done.append(("adopt", stacks)))
    monkeypatch.setattr(deploying, "destroy", destroy)
    assert command.main(["destroy", "--env", "prod"]) == 0
    assert done == [("adopt", denied.stacks), ("destroy", denied.stacks)]


def test_the_policy_alone_ends_with_0(
    denied: Environment, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(command, "load_environment", load_environment)
    for name in denied.required_variables:
        monkeypatch.delenv(name)
    assert command.main(["policy", "--env", "staging"]) == 0
    assert "policy of staging: " in capsys.readouterr().out


def test_plain_cdktf_is_denied_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    monkeypatch.setattr(app, "load_environment", lambda name: without_cost_center())
    output, synth = str(tmp_path / "out"), app.synth
    monkeypatch.setattr(app, "synth", lambda environment: synth(environment, output))
    assert app.main() == 4
    assert "tag cost_center is missing" in capsys.readouterr().err


def exempted(folder: Path, text: str) -> Any:
    file = folder / "exemptions.yml"
    file.write_text(text, encoding="utf-8")
    return load_exemptions(TODAY, file)


def untimed(stacks: Stacks) -> Configuration:
    """Production with one job that has no timeout."""
    patch = {"timeout_seconds": None, "health": None}
    case = {"stack": "pipelines", "at": f"resource.{JOB}", "patch": patch}
    return configuration(stacks, "prod", case)


def test_an_exemption_holds_until_its_last_day_and_for_its_rule_only(
    stacks_of: dict[str, Stacks], tmp_path: Path
) -> None:
    exemptions = exempted(tmp_path, EXEMPTION)
    checked = untimed(stacks_of["prod"])
    verdict = check(checked, exemptions, TODAY)
    assert [v.rule for v in verdict.violations] == ["job_tells_of_slowness"]
    assert [(v.rule, e.owner) for v, e in verdict.exempted] == [
        ("job_has_timeout", "platform_team")
    ]
    after = check(checked, exemptions, TODAY + timedelta(days=1))
    (ended,) = (v for v in after.violations if v.rule == "job_has_timeout")
    assert ended.message.endswith(
        f"timeout_seconds is not set; its exemption ended on {TODAY}, ask its owner platform_team"
    )


@pytest.mark.parametrize(
    ("address", "covered"),
    [("*", 2), ("databricks_job.*", 1), ("databricks_pipeline.*", 1), (JOB, 1)],
)
def test_an_exemption_may_name_several_resources(
    tmp_path: Path, address: str, covered: int
) -> None:
    (exemption,) = exempted(tmp_path, EXEMPTION.replace(f"address: {JOB}", f"address: '{address}'"))
    found = [
        Violation("pipelines", JOB, "m", "job_has_timeout"),
        Violation("pipelines", "databricks_pipeline.pipeline_silver", "m", "job_has_timeout"),
        Violation("ml", JOB, "m", "job_has_timeout"),
        Violation("pipelines", JOB, "m", "job_waits_in_queue"),
    ]
    assert sum(exemption.covers(violation) for violation in found) == covered


def test_an_exemption_that_nothing_needs_is_a_violation(
    stacks_of: dict[str, Stacks], tmp_path: Path
) -> None:
    exemptions = exempted(tmp_path, EXEMPTION)
    checked = configuration(stacks_of["prod"], "prod")
    (needless,) = check(checked, exemptions, TODAY).violations
    assert str(needless) == (
        f"pipelines: {JOB}: exempt from a rule that it keeps: remove line 2 of exemptions.yml "
        "(job_has_timeout)"
    )
    # It speaks of production only.
    dev = configuration(stacks_of["dev"], "dev")
    assert check(dev, exemptions, TODAY).violations == []


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("job_has_timeout", "job_has_timeouts", 2, "rule 'job_has_timeouts' does not exist"),
        ("[prod]", "[production]", 3, "environment 'production' does not exist; there are: dev"),
        ("stack: pipelines", "stack: jobs", 4, "allowed: 'governance', 'ml', 'pipelines'"),
        ("databricks_job.", "", 5, "it must match"),
        ("    reason: The first load takes longer than anybody can say\n", "", 2,
         "key 'exemptions[0].reason' is missing"),
        ("owner: platform_team", "owner: jane@example.com", 7, "it must match"),
        (f"expires: {TODAY}", "expires: 2099-01-01", 8, "an entry holds for 366 days at most"),
        (f"expires: {TODAY}", "expires: soon", 8, "exemptions[0].expires: 'soon' is not allowed"),
        ("    owner: platform_team", "    owners: platform_team", 7, "did you mean 'owner'?"),
    ],
)  # fmt: skip
def test_a_wrong_exemption_is_refused_at_its_line(
    tmp_path: Path, old: str, new: str, line: int, expected: str
) -> None:
    assert old in EXEMPTION
    with pytest.raises(DefinitionErrors) as caught:
        exempted(tmp_path, EXEMPTION.replace(old, new, 1))
    said = [str(problem).removeprefix(str(tmp_path)) for problem in caught.value.problems]
    assert any(s.startswith(f"/exemptions.yml:{line}: ") and expected in s for s in said), said


def test_the_example_in_the_file_is_right(tmp_path: Path) -> None:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    start = lines.index("# exemptions:")
    example = [line.removeprefix("# ") for line in lines[start:] if line.startswith("#")]
    (exemption,) = exempted(tmp_path, "\n".join(example))
    assert exemption.expires > date(2026, 1, 1)


def test_a_stack_without_resources_breaks_nothing() -> None:
    state = {"backend": {"s3": {"use_lockfile": True, "encrypt": True, "key": "a"}}}
    checked = Configuration(load_environment("dev"), (Stack("ml", {"terraform": state}),))
    assert check(checked, [], TODAY).violations == []
