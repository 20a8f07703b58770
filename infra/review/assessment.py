"""All rules in order, and what they say of a change."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from infra.review import rules_access, rules_data, rules_governance, rules_other, rules_watch
from infra.review.assets import LOADER
from infra.review.changes import Action, Change
from infra.review.risk import Risk
from infra.review.rule import Facts, Finding, Rule
from infra.review.rules_other import Gone, NotJudged

RULES: tuple[type[Rule], ...] = (
    rules_data.DataDestroyed,
    rules_data.ForceDestroyOn,
    rules_data.PreventDestroyRemoved,
    rules_access.GrantWidened,
    rules_access.PiiTagRemoved,
    rules_access.PolicyWeakened,
    rules_access.ProtectionRemovedFromTable,
    rules_governance.PolicyFileWeakened,
    rules_governance.PiiMarkRemoved,
    rules_governance.GrantFileWidened,
    rules_governance.RoleGivenToGroup,
    rules_governance.SeenFromElsewhere,
    rules_governance.GovernedTagTaken,
    rules_watch.EndpointReplaced,
    rules_watch.AlertDeleted,
    rules_other.UnknownType,
    rules_watch.Paused,
    rules_watch.SubscriptionsEmptied,
    rules_watch.ThresholdLoosened,
    rules_watch.CronSlowed,
    rules_watch.MonitorRemoved,
    rules_other.Forgotten,
    rules_watch.ThresholdTightened,
    rules_watch.CronQuicker,
    rules_other.Created,
    rules_other.Described,
    rules_other.Reordered,
    rules_other.GrantNarrowed,
    rules_other.MovedOrImported,
)


@dataclass(frozen=True)
class Assessed:
    """A change, how risky it is, and why."""

    change: Change
    findings: Sequence[Finding]

    @property
    def risk(self) -> Risk:
        return max((finding.risk for finding in self.findings), default=Risk.LOW)

    @property
    def reasons(self) -> list[str]:
        """The reasons, the worst first, then what Terraform says itself."""
        change = self.change
        ordered = sorted(self.findings, key=lambda finding: -finding.risk)
        texts = [finding.text for finding in ordered]
        if not texts:
            texts.append("only what the API decides anew changes")
        if change.forced_by:
            texts.append(f"forced by: {', '.join(change.forced_by)}")
        if change.why:
            texts.append(change.why)
        if change.deposed:
            texts.append(f"deposed object {change.deposed}: left by a replace that failed")
        if change.is_drift:
            texts.append("done outside of Terraform")
        return list(dict.fromkeys(texts))


@functools.cache
def resource_types() -> dict[str, str]:
    """The types of resources that the rules know, in words."""
    text = Path(__file__).with_name("resource_types.yml").read_text(encoding="utf-8")
    known: dict[str, str] = yaml.load(text, LOADER)  # noqa: S506
    return known


class Assessor:
    """Applies every rule to a change."""

    def __init__(self, unprotected: frozenset[str] = frozenset()) -> None:
        facts = Facts(unprotected, resource_types())
        self._rules = [rule(facts) for rule in RULES]
        self._gone = Gone(facts)
        self._not_judged = NotJudged(facts)

    def assess(self, change: Change) -> Assessed:
        findings: list[Finding] = []
        covered: set[int] = set()
        for rule in self._rules:
            if rule.reads(change):
                for reason in rule.reasons(change):
                    findings.append(Finding(type(rule), reason.text))
                    covered |= {id(item) for item in reason.covers}
        findings += self._rest(change, findings, covered)
        return Assessed(change, findings)

    def _rest(self, change: Change, findings: list[Finding], covered: set[int]) -> list[Finding]:
        """What must be said although no rule has spoken of it."""
        if change.action in (Action.DELETE, Action.REPLACE):
            named = any(finding.rule is not rules_other.UnknownType for finding in findings)
            rule: Rule = self._gone
            rest = change
            if named:
                return []
        else:
            rule = self._not_judged
            open_items = [item for item in change.differences if id(item) not in covered]
            rest = replace(change, differences=open_items)
        return [Finding(type(rule), reason.text) for reason in rule.reasons(rest)]
