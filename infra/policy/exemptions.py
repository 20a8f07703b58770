"""Exemptions: data with a reason, an owner and a day on which they end."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from health_monitor.spec import DefinitionErrors, Problem
from health_monitor.spec.documents import Document, read_document
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.environment import available
from infra.environment_messages import explain
from infra.paths import ROOT
from infra.policy.rule import Violation, all_rules
from infra.stack_order import StackName

FILE = ROOT / "infra" / "policy" / "exemptions.yml"
LONGEST = timedelta(days=366)


class Exemption(BaseModel):
    """A resource, or several (``*``), that may break one rule for a while."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str
    environments: Annotated[list[str], Field(min_length=1)]
    stack: StackName
    address: Annotated[str, Field(pattern=r"^(\*|[a-z0-9_]+\.(\*|[a-z0-9_]+))$")]
    reason: Annotated[str, Field(min_length=10)]
    owner: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    expires: date
    line: int = 0

    def covers(self, violation: Violation) -> bool:
        same = (self.rule, self.stack) == (violation.rule, violation.stack)
        return same and fnmatchcase(violation.address, self.address)

    def is_over(self, today: date) -> bool:
        """It holds on its last day and no longer."""
        return today > self.expires


class ExemptionFile(BaseModel):
    """The file as it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    exemptions: list[Exemption]


def load_exemptions(today: date, file: Path = FILE) -> list[Exemption]:
    """All exemptions; DefinitionErrors with every mistake of the file."""
    shown = str(file.relative_to(ROOT)) if file.is_relative_to(ROOT) else str(file)
    document = read_document(shown, file.read_text(encoding="utf-8"))
    if document.problems:
        raise DefinitionErrors(document.problems)
    try:
        read = ExemptionFile.model_validate(document.data).exemptions
    except ValidationError as error:
        raise DefinitionErrors(
            [explain(document, ExemptionFile, item) for item in error.errors()]
        ) from error
    problems = [p for i, item in enumerate(read) for p in _problems(document, i, item, today)]
    if problems:
        raise DefinitionErrors(problems)
    return [
        item.model_copy(update={"line": document.line(("exemptions", index))})
        for index, item in enumerate(read)
    ]


def _problems(document: Document, index: int, item: Exemption, today: date) -> list[Problem]:
    place = ("exemptions", index)
    rules = [rule.name() for rule in all_rules()]
    problems = []
    if item.rule not in rules:
        problems.append(document.problem((*place, "rule"), _unknown("rule", item.rule, rules)))
    for number, name in enumerate(item.environments):
        if name not in available():
            where = (*place, "environments", number)
            problems.append(document.problem(where, _unknown("environment", name, available())))
    if item.expires - today > LONGEST:
        message = f"expires: an exemption holds for {LONGEST.days} days at most"
        problems.append(document.problem((*place, "expires"), message))
    return problems


def _unknown(what: str, given: str, allowed: Collection[str]) -> str:
    return f"{what} '{given}' does not exist; there are: {', '.join(allowed)}"
