"""The joins of a metric view: LEFT OUTER, at most one match a row, nested as deep as written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.sql.catalog_store import CatalogStore
from emulator.sql.errors import not_supported
from emulator.sql.metric_spec import Join, invalid_definition
from emulator.sql.names import quote
from emulator.sql.tokens import Edits, Statement

if TYPE_CHECKING:
    from emulator.sql.metric_views import Source

_OPERATORS = {"AND", "OR", "BETWEEN", "IN", "LIKE", "NOT", "CASE", "IS", "NULL", "TRUE", "FALSE"}


@dataclass(frozen=True)
class _Place:
    """Where a join hangs: its alias in the generated text and the names that it may use."""

    alias: str
    scope: dict[str, str]


@dataclass
class _Condition:
    """One AND part of a join condition, and the joined table's columns in it."""

    text: str
    joined_columns: list[str]
    others: bool
    is_equality: bool


class JoinBuilder:
    """Builds SELECT source.*, struct(source.*) AS source, struct(ws.*) AS ws FROM ..."""

    def __init__(self, read_source: Callable[[str], Source], catalog: CatalogStore) -> None:
        self._read_source = read_source
        self._catalog = catalog
        self._tables: list[str] = []

    def select(self, source: Source, joins: list[Join]) -> str:
        star = _star("source", source, {"source", *(join.name.lower() for join in joins)})
        self._tables = [f"{source.sql} AS source"]
        root = _Place("source", {"source": "source"})
        structs = [self._struct(join, root, source) for join in joins]
        columns = ", ".join([star, "struct(source.*) AS source", *structs])
        return f"SELECT {columns} FROM {' '.join(self._tables)}"

    def _struct(self, join: Join, parent: _Place, parent_source: Source) -> str:
        """Adds the join to the tables; gives the struct that holds its columns."""
        path = join.name if parent.alias == "source" else f"{parent.alias.strip('`')}.{join.name}"
        alias = quote(path)
        scope = {**parent.scope, join.name.lower(): alias}
        source = self._read_source(join.source)
        conditions = self._conditions(join, source, alias, scope, parent)
        relation = self._at_most_one(join, source, alias, conditions)
        on = " AND ".join(f"({condition.text})" for condition in conditions)
        self._tables.append(f"LEFT JOIN {relation} AS {alias} ON {on}")
        nested = [self._struct(child, _Place(alias, scope), source) for child in join.joins]
        star = _star(alias, source, {child.name.lower() for child in join.joins})
        return f"struct({', '.join([star, *nested])}) AS {quote(join.name)}"

    def _conditions(
        self, join: Join, source: Source, alias: str, scope: dict[str, str], parent: _Place
    ) -> list[_Condition]:
        if join.using is not None:
            return [
                _Condition(f"{parent.alias}.{quote(c)} = {alias}.{quote(c)}", [c], True, True)
                for c in join.using
            ]
        statement = Statement(join.on or "")
        return [
            self._condition(statement, start, end, join, source, scope)
            for start, end in _and_parts(statement)
        ]

    def _condition(
        self,
        statement: Statement,
        start: int,
        end: int,
        join: Join,
        source: Source,
        scope: dict[str, str],
    ) -> _Condition:
        """Own names become aliases; a bare column is the joined table's."""
        edits = Edits(statement)
        own: list[str] = []
        others = False
        index = start
        while index < end:
            if not statement.is_name(index) or statement.word(index + 1) == "(":
                index += 1
                continue
            parts, after = statement.name(index)
            qualifier = parts[0].lower()
            if len(parts) > 1:
                if qualifier not in scope:
                    raise invalid_definition(
                        f"join `{join.name}`: `{'.'.join(parts)}` is neither of the source, nor "
                        "of a parent, nor of the joined table (nest the join instead)"
                    )
                edits.replace(index, index + 1, scope[qualifier])
                mine = qualifier == join.name.lower()
                own.extend(parts[1:2] if mine else [])
                others = others or not mine
            elif _is_column(source, parts[0]):
                edits.insert_before(index, f"{scope[join.name.lower()]}.")
                own.append(parts[0])
            elif not source.columns and statement.word(index) not in _OPERATORS:
                raise invalid_definition(
                    f"join `{join.name}`: write `{join.name}.{parts[0]}` or `source.{parts[0]}`"
                )
            index = after
        plain = _is_plain_equality(statement, start, end)
        return _Condition(_part(edits, statement, start, end), own, others, plain)

    def _at_most_one(
        self, join: Join, source: Source, alias: str, conditions: list[_Condition]
    ) -> str:
        """The joined relation, cut to one row a key unless it is known to have one."""
        keys = [c.joined_columns[0] for c in conditions if c.others and c.joined_columns]
        if join.rely.at_most_one_match or self._is_unique(source, keys):
            return source.sql
        matching = [c for c in conditions if c.others]
        if not matching or any(not c.is_equality or len(c.joined_columns) != 1 for c in matching):
            raise not_supported(
                f"Join `{join.name}`: a condition that is no plain equality, without "
                "`rely: {at_most_one_match: true}`,"
            )
        own = [f"({c.text})" for c in conditions if not c.others]
        where = f" WHERE {' AND '.join(own)}" if own else ""
        partition = ", ".join(f"{alias}.{quote(key)}" for key in keys)
        hashed = f"SELECT *, xxhash64(*) AS __order FROM {source.sql}"
        ranked = (
            f"SELECT {alias}.*, row_number() OVER (PARTITION BY {partition} "
            f"ORDER BY {alias}.__order) AS __rank FROM ({hashed}) AS {alias}{where}"
        )
        return f"(SELECT * EXCEPT (__order, __rank) FROM ({ranked}) WHERE __rank = 1)"

    def _is_unique(self, source: Source, keys: list[str]) -> bool:
        if source.table is None:
            return False
        primary = self._catalog.constraints.primary_key(source.table.full_name)
        if primary is None or not primary.rely:
            return False
        return {c.lower() for c in primary.columns} <= {key.lower() for key in keys}


def _star(alias: str, source: Source, taken: set[str]) -> str:
    """All columns but those whose names a joined table's struct takes."""
    clashes = [quote(column) for column in source.columns if column.lower() in taken]
    return f"{alias}.* EXCEPT ({', '.join(clashes)})" if clashes else f"{alias}.*"


def _is_column(source: Source, name: str) -> bool:
    return any(column.lower() == name.lower() for column in source.columns)


def _is_plain_equality(statement: Statement, start: int, end: int) -> bool:
    """<name> = <name>, without functions or operators around them."""
    _, middle = statement.name(start) if statement.is_name(start) else ([], end)
    if statement.word(middle) != "=" or not statement.is_name(middle + 1):
        return False
    return statement.name(middle + 1)[1] == end


def _and_parts(statement: Statement) -> list[tuple[int, int]]:
    """The parts between the ANDs that stand outside brackets; the AND of BETWEEN stays."""
    parts: list[tuple[int, int]] = []
    depth = start = 0
    between = False
    for index in range(len(statement)):
        word = statement.word(index)
        depth += (word == "(") - (word == ")")
        between = between or (word == "BETWEEN" and depth == 0)
        if word == "OR" and depth == 0:
            return [(0, len(statement))]
        if word == "AND" and depth == 0:
            if between:
                between = False
                continue
            parts.append((start, index))
            start = index + 1
    return [*parts, (start, len(statement))]


def _part(edits: Edits, statement: Statement, start: int, end: int) -> str:
    """The edited text of one part."""
    first, last = statement.tokens[start].start, statement.tokens[end - 1].end + 1
    text = statement.text[first:last]
    for begin, stop, replacement in sorted(edits.changes, reverse=True):
        text = text[: begin - first] + replacement + text[stop - first :]
    return text
