"""SQL text as tokens with their places, and edits on the text between them.

The text is never printed from a parse tree: what a clause module does not touch reaches Spark
as its author wrote it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlglot.dialects.databricks import Databricks
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from emulator.sql.errors import syntax_error


class _Tokenizer(Databricks.Tokenizer):
    """One word, one token: no multi-word keywords, no statements kept whole."""

    KEYWORDS = {
        word: kind for word, kind in Databricks.Tokenizer.KEYWORDS.items() if " " not in word
    }
    COMMANDS = set()


class _OwnTokenizer(threading.local):
    """A tokenizer keeps its place in the text, so each thread has one of its own."""

    def __init__(self) -> None:
        self.tokenizer = _Tokenizer(dialect=Databricks())


_OWN = _OwnTokenizer()
_STRINGS = {TokenType.STRING, TokenType.RAW_STRING, TokenType.HEREDOC_STRING}
_OPENING = {"(", "["}
_CLOSING = {")", "]"}


def angle_change(word: str) -> int:
    """How a token opens or closes the angle brackets of a type."""
    if word == "<":
        return 1
    return -len(word) if word and set(word) == {">"} else 0


def _dollar_bodies(sql: str) -> Iterator[tuple[int, int]]:
    """The places of $$...$$ bodies, quotes and comments outside them respected."""
    place = 0
    while place < len(sql):
        if sql.startswith("$$", place):
            end = sql.find("$$", place + 2)
            if end < 0:
                raise syntax_error("$$", "The body is not closed.")
            yield place, end + 2
            place = end + 2
        elif sql[place] in "'\"`":
            place = _after_quote(sql, place)
        elif sql.startswith("--", place):
            end = sql.find("\n", place)
            place = len(sql) if end < 0 else end
        elif sql.startswith("/*", place):
            end = sql.find("*/", place + 2)
            place = len(sql) if end < 0 else end + 2
        else:
            place += 1


def _after_quote(sql: str, start: int) -> int:
    mark = sql[start]
    place = start + 1
    while place < len(sql):
        if sql[place] == "\\" and mark != "`":
            place += 2
        elif sql[place] == mark:
            return place + 1
        else:
            place += 1
    return len(sql)


def tokenize(sql: str) -> list[Token]:
    """Tokens of Databricks SQL; a $$ body is one string token of its full length."""
    masked = sql
    for start, end in _dollar_bodies(sql):
        masked = masked[:start] + "'" + "x" * (end - start - 2) + "'" + masked[end:]
    try:
        return list(_OWN.tokenizer.tokenize(masked))
    except TokenError as error:
        raise syntax_error(str(error)) from error


@dataclass
class Statement:
    """One statement: its text, its tokens, and what is to be changed in the text."""

    text: str
    tokens: list[Token] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tokens = tokenize(self.text)
        while self.tokens and self.tokens[-1].token_type == TokenType.SEMICOLON:
            last = self.tokens.pop()
            self.text = self.text[: last.start]

    def __len__(self) -> int:
        return len(self.tokens)

    def word(self, index: int) -> str:
        """The token in upper case, or '' for a literal, a quoted name, or none."""
        if not 0 <= index < len(self.tokens):
            return ""
        token = self.tokens[index]
        if token.token_type in _STRINGS or token.token_type == TokenType.IDENTIFIER:
            return ""
        return str(token.text).upper()

    def words(self, index: int, *expected: str) -> bool:
        """Whether these words stand at index."""
        return all(self.word(index + n) == word for n, word in enumerate(expected))

    def is_string(self, index: int) -> bool:
        return 0 <= index < len(self.tokens) and self.tokens[index].token_type in _STRINGS

    def is_name(self, index: int) -> bool:
        """Whether the token can be (a part of) a name."""
        if not 0 <= index < len(self.tokens):
            return False
        token = self.tokens[index]
        if token.token_type == TokenType.IDENTIFIER:
            return True
        return token.token_type not in _STRINGS and token.text.replace("_", "a").isalnum()

    def name(self, index: int) -> tuple[list[str], int]:
        """The dotted name at index, and the index after it."""
        parts: list[str] = []
        while True:
            if not self.is_name(index):
                raise syntax_error(self.source(index, index + 1) or "end of statement")
            parts.append(str(self.tokens[index].text))
            if self.word(index + 1) != ".":
                return parts, index + 1
            index += 2

    def string(self, index: int) -> tuple[str, int]:
        """The string literal at index; two touching ones are one with a quote in between."""
        if not self.is_string(index):
            raise syntax_error(self.source(index, index + 1), "A string literal is expected.")
        text = str(self.tokens[index].text)
        while self.is_string(index + 1) and self._touches(index):
            index += 1
            text += self.text[self.tokens[index].start] + str(self.tokens[index].text)
        return text, index + 1

    def _touches(self, index: int) -> bool:
        return bool(self.tokens[index].end + 1 == self.tokens[index + 1].start)

    def source(self, start: int, end: int) -> str:
        """The text from token start up to, not including, token end."""
        if start >= end or start >= len(self.tokens):
            return ""
        return self.text[self.tokens[start].start : self.tokens[end - 1].end + 1]

    def closing(self, index: int) -> int:
        """The index of the bracket that closes the one at index."""
        depth = 0
        for place in range(index, len(self.tokens)):
            word = self.word(place)
            depth += (word in _OPENING) - (word in _CLOSING)
            if depth == 0:
                return place
        raise syntax_error(self.source(index, index + 1), "The bracket is not closed.")

    def items(self, start: int, end: int, *, types: bool = False) -> list[tuple[int, int]]:
        """The ranges between the commas at the depth of start; types: <> are brackets too."""
        ranges: list[tuple[int, int]] = []
        depth = angles = 0
        first = start
        for index in range(start, end):
            word = self.word(index)
            depth += (word in _OPENING) - (word in _CLOSING)
            if types and depth == 0:
                angles += angle_change(word)
            if word == "," and depth == 0 and angles == 0:
                ranges.append((first, index))
                first = index + 1
        if first < end:
            ranges.append((first, end))
        return ranges

    def body(self, index: int) -> str:
        """What stands between the $$ at index."""
        source = self.source(index, index + 1)
        if not source.startswith("$$"):
            raise syntax_error(source, "A $$ body is expected.")
        return source[2:-2]

    def names_in_brackets(self, index: int) -> tuple[list[str], int]:
        """A bracketed list of plain names at index, and the index after it."""
        if self.word(index) != "(":
            raise syntax_error(self.source(index, index + 1) or "end of statement", "Expected (.")
        close = self.closing(index)
        names: list[str] = []
        for start, end in self.items(index + 1, close):
            if end - start != 1 or not self.is_name(start):
                raise syntax_error(self.source(start, end), "A column name is expected.")
            names.append(str(self.tokens[start].text))
        return names, close + 1


@dataclass
class Edits:
    """Changes to one statement's text, by token ranges; they must not overlap."""

    statement: Statement
    changes: list[tuple[int, int, str]] = field(default_factory=list)

    def remove(self, start: int, end: int) -> str:
        """Take tokens start..end out of the text; gives what was removed."""
        return self.replace(start, end, "")

    def replace(self, start: int, end: int, text: str) -> str:
        tokens = self.statement.tokens
        first, last = tokens[start].start, tokens[end - 1].end + 1
        self.changes.append((first, last, text))
        return self.statement.text[first:last]

    def insert_before(self, index: int, text: str) -> None:
        place = self.statement.tokens[index].start
        self.changes.append((place, place, text))

    def insert_after(self, index: int, text: str) -> None:
        place = self.statement.tokens[index].end + 1
        self.changes.append((place, place, text))

    def apply(self) -> str:
        text = self.statement.text
        for first, last, replacement in sorted(self.changes, reverse=True):
            text = text[:first] + replacement + text[last:]
        return text


def split_statements(script: str) -> list[str]:
    """The statements of a script; a BEGIN ... END block is one statement."""
    tokens = tokenize(script)
    statements: list[str] = []
    start, depth = 0, 0
    for index, token in enumerate(tokens):
        depth += _block_change(tokens, index, start)
        if token.token_type == TokenType.SEMICOLON and depth == 0:
            statements.append(_slice(script, tokens, start, index))
            start = index + 1
    statements.append(_slice(script, tokens, start, len(tokens)))
    return [statement for statement in statements if statement]


def _slice(script: str, tokens: Sequence[Token], start: int, end: int) -> str:
    if start >= end:
        return ""
    return script[tokens[start].start : tokens[end - 1].end + 1]


def _block_change(tokens: Sequence[Token], index: int, start: int) -> int:
    """+1 where a block of SQL scripting opens, -1 where it closes; 0 outside scripts."""
    if str(tokens[start].text).upper() != "BEGIN":
        return 0
    word = str(tokens[index].text).upper()
    before = str(tokens[index - 1].text).upper() if index > start else ""
    after = str(tokens[index + 1].text).upper() if index + 1 < len(tokens) else ""
    if word == "BEGIN" or (word == "CASE" and before != "END"):
        return 1
    if word == "END" and after not in {"IF", "WHILE", "FOR", "LOOP", "REPEAT"}:
        return -1
    return 0
