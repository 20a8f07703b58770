"""A review for programs: the JSON contract, and SARIF 2.1.0 for code scanning."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from infra.review.assessment import RULES
from infra.review.impact import GROUPS, Impact
from infra.review.reviewing import Review, Reviewed
from infra.review.risk import Risk
from infra.review.rule import Finding, Rule, shown
from infra.review.rules_other import Gone, NotJudged

SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {
    Risk.CRITICAL: "error",
    Risk.HIGH: "error",
    Risk.MEDIUM: "warning",
    Risk.LOW: "note",
    Risk.NONE: "none",
}
# What code scanning sorts by, from 0 to 10.
SEVERITIES = {Risk.CRITICAL: "9.5", Risk.HIGH: "8.0", Risk.MEDIUM: "5.0", Risk.LOW: "2.0"}
Json = dict[str, Any]


def as_json(review: Review) -> str:
    """The contract: risk, changes, drift, blast_radius and cost; the rest is beside it."""
    document = {
        "risk": review.risk.word,
        "changes": [change_document(item) for item in review.changes],
        "drift": [change_document(item) for item in review.drift],
        "blast_radius": _blast_radius(review.impacts),
        "cost": _cost(review),
        "hash": review.hash,
        "errored": review.errored,
        "outputs": [
            {"name": item.where, "action": item.kind.value, "after": shown(item.after)}
            for item in review.outputs
        ],
        "renames": [
            {"from": item.old, "to": item.new, "moved": item.block, "command": item.command}
            for item in review.renames
        ],
        "notes": review.notes,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def change_document(item: Reviewed) -> Json:
    """One change as the contract has it."""
    change = item.change
    return {
        "address": change.address,
        "type": change.type,
        "action": change.action.value,
        "risk": item.risk.word,
        "reasons": list(item.reasons),
        "source": None if item.source is None else str(item.source),
    }


def _blast_radius(impacts: list[Impact]) -> Json:
    groups = dict.fromkeys(GROUPS.values())
    total: Json = {
        group: sorted({name for impact in impacts for name in impact.assets.get(group, [])})
        for group in groups
    }
    total["resources"] = sorted({name for impact in impacts for name in impact.resources})
    total["owners"] = sorted({name for impact in impacts for name in impact.owners})
    total["subscribers"] = sorted({name for impact in impacts for name in impact.subscribers})
    total["by_change"] = {
        impact.address: {
            "stops": impact.stops,
            "resources": impact.resources,
            **impact.assets,
            "owners": impact.owners,
            "subscribers": impact.subscribers,
        }
        for impact in impacts
    }
    return total


def _cost(review: Review) -> Json:
    cost = review.cost
    return {
        "currency": cost.currency,
        "monthly_dbus": _rounded(cost.dbus),
        "monthly_cost": _rounded(cost.money),
        "items": [
            {
                "address": item.address,
                "what": item.what,
                "monthly_dbus": _rounded(item.dbus),
                "monthly_cost": "unpriced" if item.money is None else _rounded(item.money),
                "unpriced_because": item.unpriced,
            }
            for item in cost.items
        ],
        "unpriced": [item.address for item in cost.unpriced],
        "assumptions": json.loads(cost.assumptions.model_dump_json()),
    }


def _rounded(value: Decimal | None) -> float | None:
    return None if value is None else float(round(value, 2))


def as_sarif(review: Review, plan: str) -> str:
    """A result for each finding; what has no definition is placed at the plan."""
    rules: list[type[Rule]] = [*RULES, Gone, NotJudged]
    index = {rule: number for number, rule in enumerate(rules)}
    results = [
        _result(item, finding, index[finding.rule], plan)
        for item in (*review.changes, *review.drift)
        for finding in item.assessed.findings
    ]
    tool = {
        "driver": {
            "name": "infra review",
            "rules": [_rule(rule) for rule in rules],
        }
    }
    document = {
        "$schema": SARIF,
        "version": "2.1.0",
        "runs": [
            {
                "tool": tool,
                "results": results,
                "columnKind": "unicodeCodePoints",
                "properties": {"risk": review.risk.word, "hash": review.hash},
            }
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rule(rule: type[Rule]) -> Json:
    return {
        "id": rule.id(),
        "name": rule.__name__,
        "shortDescription": {"text": rule.message()},
        "defaultConfiguration": {"level": LEVELS[rule.risk]},
        "properties": {"security-severity": SEVERITIES[rule.risk], "risk": rule.risk.word},
    }


def _result(item: Reviewed, finding: Finding, index: int, plan: str) -> Json:
    change = item.change
    file, line = (plan, 1) if item.source is None else (item.source.file, item.source.line)
    where = "outside of Terraform: " if change.is_drift else ""
    return {
        "ruleId": finding.rule.id(),
        "ruleIndex": index,
        "level": LEVELS[finding.risk],
        "message": {"text": f"{where}{change.address} ({change.action.value}): {finding.text}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(file)},
                    "region": {"startLine": line},
                },
                "logicalLocations": [
                    {"fullyQualifiedName": change.address, "kind": "resource"},
                ],
            }
        ],
        # A finding stays the same when lines above it come or go.
        "partialFingerprints": {"ruleAndAddress/v1": f"{finding.rule.id()}:{change.address}"},
        "properties": {"action": change.action.value, "risk": finding.risk.word},
    }
