"""Parameter markers (``:name`` and ``?``) replaced by literals.

Delta's SQL parser drops the values that Spark 4.2 hands it, so a statement with markers fails;
what reaches Spark must have none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from emulator.sql.errors import SqlError
from emulator.sql.identifiers import Args
from emulator.sql.tokens import Edits, Statement

_INT_RANGE = range(-(2**31), 2**31)
_LONG_RANGE = range(-(2**63), 2**63)


def bind(text: str, args: Args) -> str:
    """The statement with each marker that ``args`` has a value for written as a literal."""
    if not args:
        return text
    statement = Statement(text)
    edits = Edits(statement)
    if isinstance(args, Mapping):
        for index, name in _named_markers(statement):
            if name in args:
                edits.replace(index, index + 2, literal(args[name]))
        return edits.apply()
    places = [index for index in range(len(statement)) if statement.word(index) in ("?", "?::")]
    if len(places) != len(args):
        raise SqlError(
            "UNBOUND_SQL_PARAMETER",
            f"The statement has {len(places)} markers, but {len(args)} values were given.",
            "42P02",
        )
    for index, value in zip(places, args, strict=True):
        edits.replace(index, index + 1, literal(value) + statement.word(index)[1:])
    return edits.apply()


def _named_markers(statement: Statement) -> Iterator[tuple[int, str]]:
    tokens = statement.tokens
    for index in range(len(statement) - 1):
        touches_name = tokens[index].end + 1 == tokens[index + 1].start
        if statement.word(index) != ":" or not touches_name or not statement.is_name(index + 1):
            continue
        # ``column:path`` is a path into JSON; a marker touches no operand on its left.
        before = index - 1
        operand = before >= 0 and (
            statement.is_name(before) or statement.word(before) in (")", "]")
        )
        if not (operand and tokens[before].end + 1 == tokens[index].start):
            yield index, str(tokens[index + 1].text)


def literal(value: Any) -> str:
    """A Python value as a literal of its own SQL type."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bytes | bytearray):
        return f"X'{value.hex()}'"
    if isinstance(value, datetime):
        return f"TIMESTAMP'{value.isoformat(sep=' ')}'"
    if isinstance(value, date):
        return f"DATE'{value.isoformat()}'"
    if isinstance(value, list | tuple):
        return f"array({', '.join(literal(member) for member in value)})"
    if isinstance(value, Mapping):
        pairs = (f"{literal(key)}, {literal(member)}" for key, member in value.items())
        return f"map({', '.join(pairs)})"
    raise SqlError(
        "INVALID_SQL_ARG", f"A value of type {type(value).__name__} is no SQL argument.", "42K08"
    )


def _number(value: int | float | Decimal) -> str:
    if isinstance(value, int):
        if value not in _LONG_RANGE:
            raise SqlError("INVALID_SQL_ARG", f"{value} does not fit into a BIGINT.", "42K08")
        text = str(value) if value in _INT_RANGE else f"{value}L"
        return f"({text})" if value < 0 else text
    if isinstance(value, float):
        name = str(value) if math.isfinite(value) else f"{value}".replace("inf", "Infinity")
        return f"CAST('{name}' AS DOUBLE)"
    if not value.is_finite():
        raise SqlError("INVALID_SQL_ARG", f"{value} is no DECIMAL.", "42K08")
    _, digits, exponent = value.as_tuple()
    scale = max(-int(exponent), 0)
    precision = max(len(digits) + max(int(exponent), 0), scale)
    return f"CAST('{value:f}' AS DECIMAL({precision}, {scale}))"


def _string(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
