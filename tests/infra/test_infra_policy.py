"""Each rule of the policy: the project keeps it, and a change that breaks it is found."""

from __future__ import annotations

import copy
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.environment import available, load_environment
from infra.paths import DEFINITIONS
from infra.policy import rules
from infra.policy.checking import check
from infra.policy.configuration import Configuration, Stack
from infra.policy.exemptions import load_exemptions
from infra.policy.rule import Rule, all_rules
from tests.infra.conftest import Stacks, synthesize

CASES: dict[str, dict[str, list[dict[str, Any]]]] = {
    rule: cases
    for file in sorted((Path(__file__).parent / "policy").glob("*.yml"))
    for rule, cases in yaml.safe_load(file.read_text(encoding="utf-8")).items()
}
RULES = {rule.name(): rule for rule in all_rules()}
TODAY = date(2026, 12, 1)


def flat(kind: str) -> list[Any]:
    return [
        pytest.param(rule, case, id=f"{rule}-{number}")
        for rule, cases in CASES.items()
        for number, case in enumerate(cases.get(kind, []))
    ]


def merged(value: Any, patch: Any) -> Any:
    """The value after a JSON merge patch: null takes away."""
    if not isinstance(patch, dict):
        return patch
    base = dict(value) if isinstance(value, dict) else {}
    for key, item in patch.items():
        if item is None:
            base.pop(key, None)
        else:
            base[key] = merged(base.get(key), item)
    return base


def configuration(
    stacks: Stacks, environment: str, case: dict[str, Any] | None = None
) -> Configuration:
    """The environment as it is synthesized, changed as the case says."""
    found = copy.deepcopy(stacks)
    if case is not None:
        patch = case["patch"]
        for part in reversed(case["at"].split(".")):
            patch = {part: patch}
        found[case["stack"]] = merged(found[case["stack"]], patch)
    named = tuple(Stack(name, content) for name, content in found.items())
    return Configuration(load_environment(environment), named)


def broken(rule: Rule, checked: Configuration) -> set[tuple[str, str, str]]:
    """Where this one rule is broken: stack, address, message."""
    if not rule.applies(checked.environment):
        return set()
    return {(v.stack, v.address, v.message) for v in rule.violations(checked)}


def test_every_rule_has_a_case_that_breaks_it_and_every_case_a_rule() -> None:
    assert {rule for rule, cases in CASES.items() if cases["breaks"]} == set(RULES)


@pytest.mark.parametrize("environment", available())
def test_the_project_keeps_every_rule(stacks_of: dict[str, Stacks], environment: str) -> None:
    checked = configuration(stacks_of[environment], environment)
    assert check(checked, [], today=TODAY).violations == []


@pytest.mark.parametrize("environment", available())
def test_what_is_deployed_keeps_every_rule(tmp_path: Path, environment: str) -> None:
    """The definitions of the repository, not those of the tests; exemptions hold here."""
    stacks = synthesize(environment, tmp_path, DEFINITIONS)
    today = datetime.now(UTC).date()
    verdict = check(configuration(stacks, environment), load_exemptions(today), today)
    assert verdict.violations == []


@pytest.mark.parametrize(("rule", "case"), flat("breaks"))
def test_a_change_that_breaks_the_rule_is_found(
    stacks_of: dict[str, Stacks], rule: str, case: dict[str, Any]
) -> None:
    environment = case["environment"]
    stacks = stacks_of[environment]
    assert broken(RULES[rule], configuration(stacks, environment)) == set()
    address = case.get("address") or case["at"].removeprefix("resource.")
    assert broken(RULES[rule], configuration(stacks, environment, case)) == {
        (stack, address, f"{RULES[rule].message()}: {found}")
        for found in case["says"]
        for stack in case.get("stacks", [case["stack"]])
    }


@pytest.mark.parametrize(("rule", "case"), flat("allows"))
def test_what_the_rule_allows_passes(
    stacks_of: dict[str, Stacks], rule: str, case: dict[str, Any]
) -> None:
    environment = case["environment"]
    checked = configuration(stacks_of[environment], environment, case)
    assert checked != configuration(stacks_of[environment], environment)
    assert broken(RULES[rule], checked) == set()


def test_a_rule_is_its_docstring() -> None:
    for name, rule in RULES.items():
        assert len(rule.message()) > 10 and "\n" not in rule.message(), name
    with pytest.raises(TypeError, match="rule Silent has no docstring"):
        type("Silent", (Rule,), {})


ONE_MORE = '''
from infra.policy.rule import ResourceRule


class DashboardIsFinished(ResourceRule):
    """A dashboard has a final name."""

    kinds = ("databricks_dashboard",)

    def findings(self, resource, environment):
        if "draft" in resource.value("display_name"):
            yield "it is a draft"
'''


def test_one_more_rule_is_one_class(
    stacks_of: dict[str, Stacks], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one_more.py").write_text(ONE_MORE)
    monkeypatch.setattr(rules, "__path__", [*rules.__path__, str(tmp_path)])
    found = {rule.name(): rule for rule in all_rules.__wrapped__()}
    monkeypatch.delitem(sys.modules, f"{rules.__name__}.one_more")
    assert set(found) - set(RULES) == {"dashboard_is_finished"}
    case = {
        "stack": "semantic",
        "at": "resource.databricks_dashboard.dashboard_cost",
        "patch": {"display_name": "[Health Monitor dev] draft"},
    }
    checked = configuration(stacks_of["dev"], "dev", case)
    (violation,) = check(checked, [], TODAY, list(found.values())).violations
    assert str(violation) == (
        "semantic: databricks_dashboard.dashboard_cost: A dashboard has a final name: "
        "it is a draft (dashboard_is_finished)"
    )
