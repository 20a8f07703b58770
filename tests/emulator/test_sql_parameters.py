"""Parameter markers become literals, and only where they are markers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from emulator.sql.errors import SqlError
from emulator.sql.identifiers import resolve_identifiers
from emulator.sql.parameters import bind, literal


def test_named_markers_are_replaced_outside_strings_casts_and_paths():
    text = (
        "SELECT :a, ':a', x::int, v:a.b, f(x):a, t.c[0]:a -- :a\nFROM t WHERE b=:a AND c = :other"
    )
    bound = bind(text, {"a": "it's \\"})
    assert bound == (
        "SELECT 'it\\'s \\\\', ':a', x::int, v:a.b, f(x):a, t.c[0]:a -- :a\n"
        "FROM t WHERE b='it\\'s \\\\' AND c = :other"
    )


def test_positional_markers_need_as_many_values():
    assert bind("SELECT ?, '?', ?::int", [1, "b"]) == "SELECT 1, '?', 'b'::int"
    with pytest.raises(SqlError, match="2 markers, but 1 values"):
        bind("SELECT ?, ?", [1])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        (-5, "(-5)"),
        (2**40, "1099511627776L"),
        (0.1, "CAST('0.1' AS DOUBLE)"),
        (Decimal("-1.50"), "CAST('-1.50' AS DECIMAL(3, 2))"),
        (Decimal("0.005"), "CAST('0.005' AS DECIMAL(3, 3))"),
        (Decimal("1E+3"), "CAST('1000' AS DECIMAL(4, 0))"),
        (date(2026, 1, 2), "DATE'2026-01-02'"),
        (datetime(2026, 1, 2, 3, tzinfo=UTC), "TIMESTAMP'2026-01-02 03:00:00+00:00'"),
        (b"\x0a", "X'0a'"),
        (["a", 1], "array('a', 1)"),
        ({"k": 1}, "map('k', 1)"),
    ],
)
def test_literals(value, text):
    assert literal(value) == text


def test_what_is_no_value_is_refused():
    with pytest.raises(SqlError, match="object is no SQL argument"):
        literal(object())


def test_identifiers_of_literals_and_markers_become_names():
    text = "SELECT * FROM IDENTIFIER(:c || '.gold.`x y`') WHERE IDENTIFIER(d) = IDENTIFIER(:e)"
    assert resolve_identifiers(text, {"c": "a"}) == (
        "SELECT * FROM `a`.`gold`.`x y` WHERE IDENTIFIER(d) = IDENTIFIER(:e)"
    )
    with pytest.raises(SqlError, match="IDENTIFIER_INVALID"):
        resolve_identifiers("SELECT * FROM IDENTIFIER(:t)", {"t": "a; DROP TABLE b"})
