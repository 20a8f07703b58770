"""A gold table's query, ready to run: names, parameters and listed rows filled in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlglot import TokenType

from health_monitor.runtime import literal
from health_monitor.spec import Gold
from health_monitor.spec.sql import quoted, tokens

FIRST_DAY, LAST_DAY = date(1, 1, 1), date(9999, 1, 1)


def query_of(definition: Gold) -> str:
    """The SELECT with its listed rows; our tables have no catalog yet."""
    if not definition.rows:
        return definition.sql
    return with_relation(definition.sql, "listed", _listed(definition))


def parameters(query: str, currency: str, touched: Sequence[Any] | None) -> dict[str, Any]:
    """Values for the parameters that a query names; Spark refuses values without a parameter.

    ``first_day`` and ``last_day`` enclose what is computed again, so that a query can leave the
    rest of a large table unread where Spark cannot find that out from the result's filter.
    """
    days = [value for value in touched or () if isinstance(value, date)]
    values = {
        "currency": currency,
        "first_day": min(days, default=FIRST_DAY),
        "last_day": max(days, default=LAST_DAY),
    }
    named = {token.text for token in tokens(query)}
    return {name: value for name, value in values.items() if name in named}


def with_relation(sql: str, name: str, relation: str) -> str:
    """A query with something else in place of a relation of one word."""
    pieces: list[str] = []
    end = 0
    for token in tokens(sql):
        if token.text == name and token.token_type != TokenType.STRING:
            pieces += [sql[end : token.start], relation]
            end = token.end + 1
    return "".join([*pieces, sql[end:]])


def _listed(definition: Gold) -> str:
    fields = ", ".join(f"{quoted(c.name)}: {c.type}" for c in definition.columns.values())
    rows = json.dumps(definition.rows, default=_iso, sort_keys=True)
    return f"(SELECT INLINE(FROM_JSON({literal(rows)}, {literal(f'array<struct<{fields}>>')})))"


def _iso(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{value!r} cannot stand among the rows of a definition")
