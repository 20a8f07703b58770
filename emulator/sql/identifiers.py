"""IDENTIFIER(...) of literals and parameters, resolved before a statement is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from emulator.sql.errors import SqlError
from emulator.sql.names import quote
from emulator.sql.tokens import Edits, Statement

Args = Mapping[str, Any] | Sequence[Any] | None


def resolve_identifiers(text: str, args: Args) -> str:
    """IDENTIFIER(:catalog || '.gold.t') becomes the name; other expressions stay for Spark."""
    if "IDENTIFIER" not in text.upper():
        return text
    values = args if isinstance(args, Mapping) else {}
    statement = Statement(text)
    edits = Edits(statement)
    for index in range(len(statement)):
        if statement.word(index) != "IDENTIFIER" or statement.word(index + 1) != "(":
            continue
        close = statement.closing(index + 1)
        name = _value(statement, index + 2, close, values)
        if name is not None:
            edits.replace(index, close + 1, _quoted(name))
    return edits.apply()


def _value(statement: Statement, index: int, end: int, values: Mapping[str, Any]) -> str | None:
    text = ""
    while index < end:
        if statement.is_string(index):
            part, index = statement.string(index)
        elif statement.word(index) == ":" and index + 1 < end:
            name = str(statement.tokens[index + 1].text)
            if name not in values:
                return None
            part, index = str(values[name]), index + 2
        else:
            return None
        text += part
        if index < end:
            if statement.word(index) != "||":
                return None
            index += 1
    return text


def _quoted(name: str) -> str:
    statement = Statement(name)
    parts, end = statement.name(0)
    if end != len(statement):
        raise SqlError("IDENTIFIER_INVALID", f"'{name}' is no identifier.", "42602")
    return ".".join(quote(part) for part in parts)
