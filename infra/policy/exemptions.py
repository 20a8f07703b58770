"""Exemptions: data with a reason, an owner and a day on which they end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from health_monitor.spec import Problem
from health_monitor.spec.documents import Document
from pydantic import Field

from infra.dated_entries import DatedEntry, load_entries
from infra.paths import ROOT
from infra.policy.rule import Violation, all_rules
from infra.stack_order import StackName

FILE = ROOT / "infra" / "policy" / "exemptions.yml"


class Exemption(DatedEntry):
    """A resource, or several (``*``), that may break one rule for a while."""

    rule: str
    stack: StackName
    address: Annotated[str, Field(pattern=r"^(\*|[a-z0-9_]+\.(\*|[a-z0-9_]+))$")]

    def covers(self, violation: Violation) -> bool:
        same = (self.rule, self.stack) == (violation.rule, violation.stack)
        return same and fnmatchcase(violation.address, self.address)


def load_exemptions(today: date, file: Path = FILE) -> list[Exemption]:
    """All exemptions; DefinitionErrors with every mistake of the file."""
    return load_entries(file, "exemptions", Exemption, today, _unknown_rule)


def _unknown_rule(document: Document, index: int, item: Exemption) -> Iterator[Problem]:
    rules = [rule.name() for rule in all_rules()]
    if item.rule not in rules:
        message = f"rule '{item.rule}' does not exist; there are: {', '.join(rules)}"
        yield document.problem(("exemptions", index, "rule"), message)
