"""What a policy may ask about tags."""

from __future__ import annotations

from emulator.sql.errors import SqlError, syntax_error
from emulator.sql.tokens import Statement

# Name of the function in lower case -> how many strings it takes; two spellings of each.
FUNCTIONS = {"has_tag": 1, "hastag": 1, "has_tag_value": 2, "hastagvalue": 2}


def require_condition(statement: Statement, start: int, end: int) -> None:
    """Raise unless the tokens are tag functions joined by AND, OR, NOT and brackets."""
    found = _any_of(statement, start, end)
    if found != end:
        raise syntax_error(statement.source(found, found + 1) or "end of statement")


def _any_of(statement: Statement, index: int, end: int) -> int:
    index = _one(statement, index, end)
    while index < end and statement.word(index) in ("AND", "OR"):
        index = _one(statement, index + 1, end)
    return index


def _one(statement: Statement, index: int, end: int) -> int:
    """The index after one function, one truth value, or one bracket."""
    if index >= end:
        raise syntax_error("end of condition", "A condition on tags is expected.")
    word = statement.word(index)
    if word == "NOT":
        return _one(statement, index + 1, end)
    if word in ("TRUE", "FALSE"):
        return index + 1
    if word == "(":
        close = statement.closing(index)
        require_condition(statement, index + 1, close)
        return close + 1
    count = FUNCTIONS.get(word.lower())
    if count is None:
        known = ", ".join(name for name in FUNCTIONS if "_" in name)
        message = f"{statement.source(index, index + 1)} is no function of tags: {known}."
        raise SqlError("INVALID_PARAMETER_VALUE", message, "22023")
    close = statement.closing(index + 1)
    arguments = statement.items(index + 2, close)
    strings = [statement.is_string(first) and last - first == 1 for first, last in arguments]
    if len(arguments) != count or not all(strings):
        message = f"{word.lower()} takes {count} string literal{'s' if count > 1 else ''}."
        raise SqlError("INVALID_PARAMETER_VALUE", message, "22023")
    return close + 1
