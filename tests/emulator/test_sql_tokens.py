"""Tokens keep their places, so that edits leave everything else as it was written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from emulator.sql.errors import SqlError
from emulator.sql.patterns import match
from emulator.sql.tokens import Edits, Statement, split_statements, tokenize


def test_statements_end_at_semicolons_outside_literals_comments_and_bodies() -> None:
    script = """
        SELECT ';' AS "a;b" -- not; here
        ; /* nor; here */ CREATE VIEW v WITH METRICS LANGUAGE YAML AS $$
          comment: it's; one
        $$;
        ;BEGIN SELECT CASE WHEN 1 = 1 THEN 1 END; SELECT 2; END; SELECT 3
    """
    parts = split_statements(script)
    assert [part.split()[0] for part in parts] == ["SELECT", "CREATE", "BEGIN", "SELECT"]
    assert parts[1].endswith("$$")
    assert parts[2].endswith("SELECT 2; END")


def test_empty_scripts_have_no_statements() -> None:
    assert split_statements(" ; -- nothing\n;") == []


def test_a_doubled_quote_is_a_quote() -> None:
    statement = Statement("COMMENT ON TABLE t IS 'it''s' ;")
    assert statement.string(5) == ("it's", 7)
    assert len(statement) == 7


def test_a_body_keeps_quotes_that_are_not_closed() -> None:
    statement = Statement("ALTER VIEW v AS $$\nname: Ada's\n$$")
    assert statement.body(4) == "\nname: Ada's\n"


def test_an_open_body_is_an_error() -> None:
    with pytest.raises(SqlError, match="PARSE_SYNTAX_ERROR"):
        Statement("ALTER VIEW v AS $$ name: x")


def test_items_are_split_outside_brackets_and_types() -> None:
    text = "(a struct<x:int, y:array<array<int>>>, b decimal(18, 2), c int DEFAULT (1 < 2))"
    statement = Statement(text)
    items = statement.items(1, statement.closing(0), types=True)
    assert [statement.source(*item)[0] for item in items] == ["a", "b", "c"]


def test_edits_change_only_what_they_name() -> None:
    statement = Statement("SELECT  a ,/* kept */ b\nFROM t")
    edits = Edits(statement)
    edits.replace(1, 2, "x")
    edits.insert_after(3, " AS y")
    assert edits.apply() == "SELECT  x ,/* kept */ b AS y\nFROM t"


def test_patterns_take_names_columns_options_and_alternatives() -> None:
    pattern = "ALTER TABLE|VIEW <name> ALTER [COLUMN] <column> SET TAGS"
    found = match(pattern, Statement("alter table a.`b c`.d alter COLUMN `x y` set tags ('k')"))
    assert found is not None
    assert (found.name, found.column, found.words) == (["a", "b c", "d"], "x y", ["TABLE"])
    assert found.options == {"COLUMN"}
    assert match(pattern, Statement("ALTER TABLE t ALTER c SET TAGS ('k')")) is not None
    assert match(pattern, Statement("ALTER TABLE t ALTER c SET MASK f")) is None
    assert match("GRANT", Statement("'GRANT'")) is None


def test_threads_read_their_own_texts() -> None:
    def words(number: int) -> bool:
        text = f"SELECT 'a {number}' AS x{number} FROM t{number} " * 40
        return [token.text for token in tokenize(text)] == expected[number]

    expected = {
        number: ["SELECT", f"a {number}", "AS", f"x{number}", "FROM", f"t{number}"] * 40
        for number in range(8)
    }
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(words, [number % 8 for number in range(400)]))
