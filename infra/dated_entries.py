"""Entries of a file that hold for a while: each has a reason, an owner and a last day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, TypeVar

from health_monitor.spec import DefinitionErrors, Problem
from health_monitor.spec.documents import Document, read_document
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from infra.environment import available
from infra.environment_messages import explain
from infra.paths import ROOT

LONGEST = timedelta(days=366)


class DatedEntry(BaseModel):
    """What all such entries have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    environments: Annotated[list[str], Field(min_length=1)]
    reason: Annotated[str, Field(min_length=10)]
    owner: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    expires: date
    line: int = 0

    def is_over(self, today: date) -> bool:
        """It holds on its last day and no longer."""
        return today > self.expires


Entry = TypeVar("Entry", bound=DatedEntry)
MoreProblems = Callable[[Document, int, Entry], Iterator[Problem]]


def shown(file: Path) -> str:
    """The file as messages name it."""
    return str(file.relative_to(ROOT)) if file.is_relative_to(ROOT) else str(file)


def load_entries(
    file: Path, key: str, model: type[Entry], today: date, more: MoreProblems[Entry]
) -> list[Entry]:
    """The entries below the file's one key; DefinitionErrors with every mistake of the file."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        message = f"cannot be read: {error.strerror}; without entries it holds `{key}: []`"
        raise DefinitionErrors([Problem(shown(file), 1, message)]) from error
    document = read_document(shown(file), text)
    if document.problems:
        raise DefinitionErrors(document.problems)
    whole = create_model(key, __config__=DatedEntry.model_config, **{key: (list[model], ...)})  # type: ignore[call-overload,valid-type]
    try:
        entries: list[Entry] = getattr(whole.model_validate(document.data), key)
    except ValidationError as error:
        problems = [explain(document, whole, item) for item in error.errors()]
        raise DefinitionErrors(problems) from error
    problems = [
        problem
        for index, entry in enumerate(entries)
        for problem in (
            *more(document, index, entry),
            *_problems(document, (key, index), entry, today),
        )
    ]
    if problems:
        raise DefinitionErrors(problems)
    return [
        entry.model_copy(update={"line": document.line((key, index))})
        for index, entry in enumerate(entries)
    ]


def _problems(
    document: Document, place: tuple[str | int, ...], entry: DatedEntry, today: date
) -> Iterator[Problem]:
    environments = available()
    for number, name in enumerate(entry.environments):
        if name not in environments:
            message = f"environment '{name}' does not exist; there are: {', '.join(environments)}"
            yield document.problem((*place, "environments", number), message)
    if entry.expires - today > LONGEST:
        message = f"expires: an entry holds for {LONGEST.days} days at most"
        yield document.problem((*place, "expires"), message)
