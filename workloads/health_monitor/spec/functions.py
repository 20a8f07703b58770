"""CREATE FUNCTION statements: name, parameters, comments and what they return."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import Token, TokenType

from health_monitor.spec.sql import SqlError, tokens

OPEN = (TokenType.L_PAREN, TokenType.LT)
CLOSE = (TokenType.R_PAREN, TokenType.GT)


@dataclass(frozen=True)
class ParsedFunction:
    """The parts of a CREATE FUNCTION statement."""

    name: str
    parameters: list[dict[str, str | None]]
    columns: dict[str, str]
    comment: str
    query: str
    query_line: int


@dataclass(frozen=True)
class ScalarFunction:
    """The parts of a CREATE FUNCTION statement that gives one value; types in lower case."""

    name: str
    parameters: dict[str, str]
    returns: str
    comment: str
    body: str


def parse_scalar_function(sql: str) -> ScalarFunction:
    """Read ``CREATE OR REPLACE FUNCTION s.f(x type) RETURNS type COMMENT '...' RETURN ...``."""
    sequence, words, start, end = _head(sql)
    body = _body(sequence, words, end)
    if words[end + 1] != "RETURNS" or words[end + 2] == "TABLE":
        raise SqlError("expected RETURNS and a type after the parameters", sequence[end].line)
    after = next((i for i in range(end + 2, body) if words[i] == "COMMENT"), body)
    parameters = [_item(sql, part) for part in _items(sequence, start, end)]
    return ScalarFunction(
        name=_name(sequence, start),
        parameters={str(p["name"]): _type(str(p["type"])) for p in parameters},
        returns=_type(sql[sequence[end + 2].start : sequence[after - 1].end + 1]),
        comment=_comment(sequence[after:body]),
        body=sql[sequence[body + 1].start :].rstrip().rstrip(";").rstrip(),
    )


def _type(text: str) -> str:
    return "".join(text.lower().split())


def parse_function(sql: str) -> ParsedFunction:
    """Read ``CREATE OR REPLACE FUNCTION s.f(...) RETURNS TABLE(...) ... RETURN SELECT ...``."""
    sequence, words, start, end = _head(sql)
    name = _name(sequence, start)
    if words[end + 1 : end + 3] != ["RETURNS", "TABLE"]:
        raise SqlError("expected RETURNS TABLE (...) after the parameters", sequence[end].line)
    returns_end = _closing(sequence, end + 3)
    body = _body(sequence, words, returns_end)
    comment = _comment(sequence[returns_end:body])
    query = sequence[body + 1]
    text = sql[query.start :].rstrip().rstrip(";")
    returned = [_item(sql, part) for part in _items(sequence, end + 3, returns_end)]
    return ParsedFunction(
        name=name,
        parameters=[_item(sql, part) for part in _items(sequence, start, end)],
        columns={str(item["name"]): str(item["comment"] or "") for item in returned},
        comment=comment,
        query=text,
        query_line=query.line,
    )


def _head(sql: str) -> tuple[list[Token], list[str], int, int]:
    """The tokens, their words in upper case, and where the parameters begin and end."""
    sequence = tokens(sql)
    words = [token.text.upper() for token in sequence]
    if words[:4] != ["CREATE", "OR", "REPLACE", "FUNCTION"]:
        raise SqlError("expected CREATE OR REPLACE FUNCTION")
    start = _index(sequence, TokenType.L_PAREN, 4)
    return sequence, words, start, _closing(sequence, start)


def _name(sequence: list[Token], start: int) -> str:
    return "".join(token.text for token in sequence[4:start]).lower()


def _body(sequence: list[Token], words: list[str], start: int) -> int:
    """Where RETURN stands."""
    body = next((i for i in range(start, len(words)) if words[i] == "RETURN"), None)
    if body is None or body + 1 >= len(sequence):
        raise SqlError("expected RETURN and what it gives at the end", sequence[-1].line)
    return body


def _index(sequence: list[Token], kind: TokenType, begin: int) -> int:
    for index in range(begin, len(sequence)):
        if sequence[index].token_type == kind:
            return index
    raise SqlError("expected ( after the function's name")


def _closing(sequence: list[Token], start: int) -> int:
    depth = 0
    for index in range(start, len(sequence)):
        if sequence[index].token_type in OPEN:
            depth += 1
        elif sequence[index].token_type in CLOSE:
            depth -= 1
            if depth == 0:
                return index
    raise SqlError("a bracket is not closed", sequence[start].line)


def _items(sequence: list[Token], start: int, end: int) -> list[list[Token]]:
    """The tokens between two brackets, cut at the commas of the top level."""
    items: list[list[Token]] = [[]]
    depth = 0
    for token in sequence[start + 1 : end]:
        depth += (token.token_type in OPEN) - (token.token_type in CLOSE)
        if token.token_type == TokenType.COMMA and depth == 0:
            items.append([])
        else:
            items[-1].append(token)
    return [item for item in items if item]


def _item(sql: str, part: list[Token]) -> dict[str, str | None]:
    words = [token.text.upper() for token in part]
    comment_at = words.index("COMMENT") if "COMMENT" in words else len(part)
    default_at = words.index("DEFAULT") if "DEFAULT" in words else comment_at
    default = part[default_at + 1 : comment_at]
    return {
        "name": part[0].text.lower(),
        "type": sql[part[1].start : part[default_at - 1].end + 1],
        "default": sql[default[0].start : default[-1].end + 1] if default else None,
        "comment": _comment(part[comment_at:]),
    }


def _comment(part: list[Token]) -> str:
    for index, token in enumerate(part[:-1]):
        if token.text.upper() == "COMMENT" and part[index + 1].token_type == TokenType.STRING:
            return part[index + 1].text
    return ""
