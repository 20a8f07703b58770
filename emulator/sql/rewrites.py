"""Functions and relations that Spark lacks, rewritten in any statement's text.

A pass takes text and gives text; the next one is one function and one row of PASSES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from emulator.settings import CATALOG
from emulator.sql.errors import SqlError, no_such_catalog
from emulator.sql.information_schema import VIEWS, temp_view
from emulator.sql.metric_queries import check_queries, rewrite_distinct, rewrite_having
from emulator.sql.names import quote, string_literal
from emulator.sql.plan import Context, Plan
from emulator.sql.tokens import Edits, Statement

_RELATION_WORDS = {"FROM", "JOIN", "INTO", "UPDATE", "USING"}
_FROM_IS_NO_RELATION = {
    "EXTRACT", "TRIM", "SUBSTRING", "SUBSTR", "OVERLAY", "POSITION", "LTRIM", "RTRIM", "BTRIM",
}  # fmt: skip
_NO_ALIAS = {
    "", "WHERE", "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "ON", "USING", "GROUP",
    "ORDER", "HAVING", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "QUALIFY", "WINDOW", "LATERAL",
    "PIVOT", "UNPIVOT", "TABLESAMPLE", "SORT", "CLUSTER", "DISTRIBUTE", "OFFSET", "NATURAL",
    "ANTI", "SEMI", "SELECT", "MINUS",
}  # fmt: skip


def rewrite(sql: str, context: Context, plan: Plan) -> str:
    """All passes in order."""
    for rewriter in PASSES:
        sql = rewriter(sql, context, plan)
    return sql


def _bin_floor(arguments: list[str], context: Context) -> str:
    """BIN_FLOOR(value, width [, offset]): the lower edge of the value's bin."""
    if len(arguments) not in (2, 3):
        raise SqlError("WRONG_NUM_ARGS", "BIN_FLOOR takes a value and a width.", "42605")
    value, width = arguments[:2]
    if len(arguments) == 2:
        return f"(FLOOR(({value}) / ({width})) * ({width}))"
    offset = arguments[2]
    return f"(FLOOR((({value}) - ({offset})) / ({width})) * ({width}) + ({offset}))"


def _is_group_member(arguments: list[str], context: Context) -> str:
    """Membership as it is now: a stored function keeps it until it is created again."""
    if len(arguments) != 1:
        raise SqlError("WRONG_NUM_ARGS", "is_account_group_member takes a group.", "42605")
    groups = ", ".join(string_literal(group) for group in context.catalog.groups.of(context.user))
    return f"array_contains(array({groups}), {arguments[0]})"


FUNCTIONS: dict[str, Callable[[list[str], Context], str]] = {
    "BIN_FLOOR": _bin_floor,
    "IS_ACCOUNT_GROUP_MEMBER": _is_group_member,
    "IS_MEMBER": _is_group_member,
}


def rewrite_functions(sql: str, context: Context, plan: Plan) -> str:
    """Calls of FUNCTIONS, the innermost first."""
    while any(name in sql.upper() for name in FUNCTIONS):
        statement = Statement(sql)
        calls = [
            index
            for index in range(len(statement) - 1)
            if statement.word(index) in FUNCTIONS
            and statement.word(index + 1) == "("
            and statement.word(index - 1) != "."
        ]
        if not calls:
            return sql
        start = calls[-1]
        close = statement.closing(start + 1)
        arguments = [statement.source(*item) for item in statement.items(start + 2, close)]
        edits = Edits(statement)
        edits.replace(start, close + 1, FUNCTIONS[statement.word(start)](arguments, context))
        sql = edits.apply()
    return sql


def relations(statement: Statement) -> Iterator[list[str]]:
    """The names that follow FROM, JOIN and the like."""
    callers: list[str] = []
    for index in range(len(statement)):
        word = statement.word(index)
        if word == "(":
            callers.append(statement.word(index - 1))
        elif word == ")" and callers:
            callers.pop()
        starts = word in _RELATION_WORDS and statement.word(index - 1) != "DISTINCT"
        if starts and callers and callers[-1] in _FROM_IS_NO_RELATION:
            starts = False
        if starts and statement.is_name(index + 1):
            yield statement.name(index + 1)[0]


def names(statement: Statement) -> Iterator[tuple[int, list[str], int]]:
    """Every dotted name: (index, parts, index after)."""
    index = 0
    while index < len(statement):
        if statement.is_name(index) and statement.word(index + 1) == ".":
            try:
                parts, end = statement.name(index)
            except SqlError:  # a.* is no name
                index += 2
                continue
            yield index, parts, end
            index = end
        else:
            index += 1


def check_catalogs(sql: str, context: Context, plan: Plan) -> str:
    """A relation of another catalog is refused as Databricks refuses a catalog it lacks."""
    for parts in relations(Statement(sql)):
        foreign = len(parts) == 3 and parts[0].lower() != CATALOG
        if foreign and "information_schema" not in (parts[0].lower(), parts[1].lower()):
            raise no_such_catalog(parts[0])
    return sql


def rewrite_information_schema(sql: str, context: Context, plan: Plan) -> str:
    """[<catalog>.]information_schema.<view> becomes a temporary view of the catalog's content."""
    if "information_schema" not in sql.lower():
        return sql
    statement = Statement(sql)
    edits = Edits(statement)
    for start, parts, end in names(statement):
        lowered = [part.lower() for part in parts]
        if "information_schema" not in lowered[:2]:
            continue
        place = lowered.index("information_schema")
        if place == 1 and lowered[0] not in (CATALOG, "system"):
            raise no_such_catalog(parts[0])
        rest = lowered[place + 1 :]
        if len(rest) == 1:
            edits.replace(start, end, _relation(statement, end, rest[0], plan))
        elif len(rest) > 1:
            edits.replace(start, end, ".".join(quote(part) for part in rest))
    return edits.apply()


def _relation(statement: Statement, end: int, view: str, plan: Plan) -> str:
    if view not in VIEWS:
        message = f"The view information_schema.{view} is not in this emulator."
        raise SqlError("TABLE_OR_VIEW_NOT_FOUND", message, "42P01")
    if view not in plan.views:
        plan.views.append(view)
    aliased = statement.is_name(end) and statement.word(end) not in _NO_ALIAS
    return quote(temp_view(view)) + ("" if aliased else f" AS {quote(view)}")


PASSES: tuple[Callable[[str, Context, Plan], str], ...] = (
    check_catalogs,
    rewrite_information_schema,
    rewrite_functions,
    check_queries,
    rewrite_distinct,
    rewrite_having,
)
