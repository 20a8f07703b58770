"""Statement heads as readable patterns: "ALTER TABLE <name> [ALTER] COLUMN <column> SET TAGS".

Words match themselves, A|B either, [ ... ] is optional, <name> is a dotted name, <column> an
identifier. A pattern matches from a statement's first token.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from emulator.sql.errors import SqlError
from emulator.sql.tokens import Statement


@dataclass
class Match:
    """Where a pattern matched: the names in it, the words of A|B, and the index after it."""

    statement: Statement
    end: int = 0
    names: list[list[str]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    options: set[str] = field(default_factory=set)

    @property
    def name(self) -> list[str]:
        return self.names[0]

    @property
    def column(self) -> str:
        return self.columns[0]


@dataclass(frozen=True)
class _Part:
    kind: str
    text: str = ""
    options: tuple[str, ...] = ()


@cache
def _compile(pattern: str) -> tuple[_Part, ...]:
    parts: list[_Part] = []
    optional: list[str] | None = None
    for piece in pattern.replace("[", " [ ").replace("]", " ] ").split():
        if piece == "[":
            optional = []
        elif piece == "]":
            parts.append(_Part("optional", " ".join(optional or ()), tuple(optional or ())))
            optional = None
        elif optional is not None:
            optional.append(piece)
        elif piece.startswith("<"):
            parts.append(_Part(piece.strip("<>")))
        else:
            parts.append(_Part("word", piece, tuple(piece.split("|"))))
    return tuple(parts)


def match(pattern: str, statement: Statement) -> Match | None:
    """The match of a pattern at the statement's start, or None."""
    found = Match(statement)
    for part in _compile(pattern):
        if not _take(part, found):
            return None
    return found


def _take(part: _Part, found: Match) -> bool:
    statement = found.statement
    if part.kind == "word":
        word = statement.word(found.end)
        if word not in part.options:
            return False
        if len(part.options) > 1:
            found.words.append(word)
        found.end += 1
        return True
    if part.kind == "optional":
        if statement.words(found.end, *part.options):
            found.options.add(part.text)
            found.end += len(part.options)
        return True
    if part.kind == "column":
        if not statement.is_name(found.end):
            return False
        found.columns.append(str(statement.tokens[found.end].text))
        found.end += 1
        return True
    try:
        name, found.end = statement.name(found.end)
    except SqlError:
        return False
    found.names.append(name)
    return True
