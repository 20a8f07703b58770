"""SQL text without a Spark: names in it, columns in it, statements around it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.dialects.databricks import Databricks
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope

SCHEMAS = frozenset(
    {"bronze", "silver", "gold", "gold_monitoring", "ml", "platform", "information_schema"}
)
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Shapes = Mapping[str, frozenset[str]]
"""Two-part table name -> its columns."""


class SqlError(ValueError):
    """SQL that cannot be read; ``line`` counts from 1 in its text."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Finding:
    """A name in SQL that is not there."""

    line: int
    message: str


def quoted(name: str) -> str:
    """An identifier as SQL takes it."""
    return name if PLAIN.fullmatch(name) else "`" + name.replace("`", "``") + "`"


def unused_name(wanted: str, names: Iterable[str]) -> str:
    """The wanted name, made longer until no column has it; Spark's names know no case."""
    taken = {name.lower() for name in names}
    while wanted.lower() in taken:
        wanted += "_"
    return wanted


def tokens(sql: str) -> list[Token]:
    """The tokens of Databricks SQL; comments are none."""
    try:
        return Databricks().tokenize(sql)
    except SqlglotError as error:
        raise SqlError(f"not readable as SQL: {error}") from error


def qualify(sql: str, catalog: str) -> str:
    """Put the catalog before every two-part name of ours; strings and comments stay."""
    prefix = quoted(catalog) + "."
    pieces: list[str] = []
    end = 0
    sequence = tokens(sql)
    for before, token, after in zip(
        [None, *sequence], sequence, [*sequence[1:], None], strict=False
    ):
        if token.text.lower() not in SCHEMAS or token.token_type == TokenType.STRING:
            continue
        dotted = before is not None and before.token_type == TokenType.DOT
        if after is None or after.token_type != TokenType.DOT or dotted:
            continue
        pieces += [sql[end : token.start], prefix]
        end = token.start
    return "".join([*pieces, sql[end:]])


@lru_cache(maxsize=16)
def parse(sql: str) -> exp.Query:
    """One SELECT as a tree, which all who ask about one text in a row share: do not change it."""
    try:
        tree = sqlglot.parse_one(sql, dialect="databricks")
    except SqlglotError as error:
        details = getattr(error, "errors", None) or [{}]
        line = int(details[0].get("line") or 1)
        what = details[0].get("description") or str(error)
        raise SqlError(f"not readable as SQL: {what}", line) from error
    if not isinstance(tree, exp.Query):
        raise SqlError("expected one SELECT")
    return tree


def parse_expression(text: str) -> exp.Expr:
    """One scalar or aggregate expression as a tree."""
    try:
        return sqlglot.parse_one(text, dialect="databricks")
    except SqlglotError as error:
        raise SqlError(f"'{text}' is not readable as an SQL expression") from error


def expression_columns(text: str) -> set[str]:
    """The columns that an expression names, without their qualifiers and fields."""
    return {
        column.parts[0].name.lower() if column.table else column.name.lower()
        for column in parse_expression(text).find_all(exp.Column)
    }


@dataclass
class Checker:
    """Looks up every table and column of a query."""

    shapes: Shapes
    functions: frozenset[str] = frozenset()
    extra: frozenset[str] = frozenset()
    findings: list[Finding] = field(default_factory=list)

    def check(self, sql: str) -> list[Finding]:
        tree = parse(sql)
        for scope in traverse_scope(tree):
            self._tables(scope)
            self._columns(scope)
        return self.findings

    def _tables(self, scope: Scope) -> None:
        for table in scope.tables:
            name = _table_name(table)
            if isinstance(table.this, exp.Func) or "." not in name:
                self._function(table)
            elif name not in self.shapes:
                known = ", ".join(sorted(self.shapes))
                self._add(table, f"table {name} does not exist; there are: {known}")

    def _function(self, table: exp.Table) -> None:
        if not isinstance(table.this, exp.Anonymous) or not table.db:
            return
        name = f"{table.db}.{table.this.name}".lower()
        if name not in self.functions:
            known = ", ".join(sorted(self.functions)) or "none"
            self._add(table, f"function {name} does not exist; there are: {known}")

    def _columns(self, scope: Scope) -> None:
        sources = {alias: self._source(source) for alias, source in scope.sources.items()}
        tree = scope.expression
        selects = tree.selects if isinstance(tree, exp.Query) else []
        aliases = {select.alias.lower() for select in selects if select.alias}
        for column in scope.columns:
            self._column(column, sources, aliases)

    def _source(self, source: exp.Expr | Scope) -> frozenset[str] | None:
        """The columns of a source, None when they cannot be known."""
        if isinstance(source, exp.Table):
            return self.shapes.get(_table_name(source))
        if not isinstance(source, Scope) or not isinstance(source.expression, exp.Query):
            return None
        names = source.expression.named_selects
        return None if "*" in names else frozenset(name.lower() for name in names)

    def _column(
        self, column: exp.Column, sources: dict[str, frozenset[str] | None], aliases: set[str]
    ) -> None:
        first = column.parts[0].name
        if len(column.parts) > 1 and first in sources:
            known = sources[first]
            wanted = column.parts[1].name.lower()
            if known is not None and wanted not in known:
                self._missing(column, wanted, known)
            return
        unknown = any(known is None for known in sources.values())
        if unknown or not sources or column.find_ancestor(exp.Lambda):
            return
        known = frozenset().union(*(known or frozenset() for known in sources.values()))
        if first.lower() not in known | aliases | self.extra:
            self._missing(column, first.lower(), known)

    def _missing(self, column: exp.Column, name: str, known: frozenset[str]) -> None:
        self._add(column, f"column {name} does not exist; there are: {', '.join(sorted(known))}")

    def _add(self, node: exp.Expr, message: str) -> None:
        line = next((n.meta["line"] for n in node.walk() if "line" in n.meta), 1)
        self.findings.append(Finding(int(line), message))


def _table_name(table: exp.Table) -> str:
    return ".".join(part.name for part in table.parts).lower()


def output_columns(sql: str) -> list[str]:
    """The names of a query's columns; with a star among them they cannot be known."""
    return [name.lower() for name in parse(sql).named_selects]


def tables_of(sql: str) -> set[str]:
    """The two-part names of the tables that a query reads."""
    names = {_table_name(table) for table in parse(sql).find_all(exp.Table)}
    return {name for name in names if "." in name}


def parameters(sql: str) -> set[str]:
    """The names of a query's parameter markers, as in ``:name``."""
    return {marker.name for marker in parse(sql).find_all(exp.Placeholder)}
