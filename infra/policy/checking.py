"""Checks a configuration against all rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from infra.environment import Environment
from infra.policy.configuration import Configuration, read_configuration
from infra.policy.exemptions import Exemption, load_exemptions
from infra.policy.rule import Rule, Violation, all_rules

# What a command of this program ends with when a rule is broken.
POLICY_DENIED = 4


@dataclass(frozen=True)
class Verdict:
    """What the rules say about an environment."""

    rules: int
    violations: list[Violation]
    exempted: list[tuple[Violation, Exemption]]


def check_output(environment: Environment, output: Path) -> Verdict:
    """What was synthesized there, against the rules and exemptions of the repository."""
    today = datetime.now(UTC).date()
    exemptions = load_exemptions(today)
    return check(read_configuration(environment, output), exemptions, today)


def check(
    configuration: Configuration,
    exemptions: Sequence[Exemption],
    today: date,
    rules: Sequence[Rule] | None = None,
) -> Verdict:
    """Every violation, but for those that an exemption covers today."""
    environment = configuration.environment
    candidates = all_rules() if rules is None else rules
    chosen = [rule for rule in candidates if rule.applies(environment)]
    own = [item for item in exemptions if environment.name in item.environments]
    found = sorted({v for rule in chosen for v in rule.violations(configuration)})
    denied, exempted = [], []
    for violation in found:
        exemption = next((item for item in own if item.covers(violation)), None)
        if exemption is None:
            denied.append(violation)
        elif exemption.is_over(today):
            denied.append(_expired(violation, exemption))
        else:
            exempted.append((violation, exemption))
    denied += [_needless(item) for item in own if not any(item.covers(v) for v in found)]
    return Verdict(len(chosen), sorted(denied), exempted)


def _expired(violation: Violation, exemption: Exemption) -> Violation:
    message = f"{violation.message}; its exemption ended on {exemption.expires}, ask its owner"
    return Violation(
        violation.stack, violation.address, f"{message} {exemption.owner}", violation.rule
    )


def _needless(exemption: Exemption) -> Violation:
    message = f"exempt from a rule that it keeps: remove line {exemption.line} of exemptions.yml"
    return Violation(exemption.stack, exemption.address, message, exemption.rule)
