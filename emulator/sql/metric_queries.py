"""HAVING MEASURE(m) and SELECT DISTINCT over a metric view, in words that Spark understands.

Spark has MEASURE in a select list only. The measure becomes a hidden column there, HAVING
names that column, and an outer SELECT leaves it out.
"""

from __future__ import annotations

from emulator.sql.errors import SqlError
from emulator.sql.plan import Context, Plan
from emulator.sql.records import MetricView
from emulator.sql.tokens import Edits, Statement

_SET_OPERATORS = {"UNION", "EXCEPT", "INTERSECT", "MINUS"}
_AFTER_HAVING = {"ORDER", "LIMIT", "OFFSET", "WINDOW", "QUALIFY", "SORT", "CLUSTER", "DISTRIBUTE"}


def rewrite_having(sql: str, context: Context, plan: Plan) -> str:
    upper = sql.upper()
    if "HAVING" not in upper or "MEASURE" not in upper:
        return sql
    start = 0
    while True:
        statement = Statement(sql)
        having = _next_having(statement, start)
        if having is None:
            return sql
        sql = _rewrite_block(statement, having)
        start = having + 1


def check_queries(sql: str, context: Context, plan: Plan) -> str:
    """What Databricks refuses on a metric view: `*`, a bare measure, a join."""
    if not context.catalog.has_metric_views():
        return sql
    statement = Statement(sql)
    for index in range(len(statement)):
        if statement.word(index) not in ("FROM", "JOIN"):
            continue
        view = _metric_view(statement, index + 1, context)
        if view is not None:
            _check_query(statement, index, view)
    return sql


def _check_query(statement: Statement, from_: int, view: MetricView) -> None:
    _, after = statement.name(from_ + 1)
    end = _end(statement, after, _SET_OPERATORS | _AFTER_HAVING | {"WHERE", "GROUP", "HAVING"})
    joined = statement.word(from_) == "JOIN" or any(
        statement.word(place) == "JOIN" for place in range(after, end)
    )
    if joined:
        message = f"The metric view {view.full_name} cannot be joined; aggregate it in a CTE."
        raise SqlError("METRIC_VIEW_JOIN_NOT_SUPPORTED", message, "0A000")
    select, _ = _select_of(statement, from_ - 1)
    measures = {field.name.lower() for field in view.fields if field.role == "measure"}
    for place in range(max(select, 0) + 1, from_):
        before = statement.word(place - 1)
        bare = before in ("SELECT", ",", "DISTINCT", "(", "+", "-", "*", "/")
        if statement.word(place) == "*" and before in ("SELECT", ","):
            raise _missing_measure("*", view)
        in_call = before == "(" and statement.word(place - 2) in ("MEASURE", "AGG")
        text = str(statement.tokens[place].text)
        if bare and not in_call and statement.is_name(place) and text.lower() in measures:
            raise _missing_measure(text, view)


def _missing_measure(what: str, view: MetricView) -> SqlError:
    message = f"`{what}` of {view.full_name}: a measure is read with MEASURE(...)."
    return SqlError("METRIC_VIEW_MISSING_MEASURE_FUNCTION", message, "42803")


def rewrite_distinct(sql: str, context: Context, plan: Plan) -> str:
    """SELECT DISTINCT <dimensions> FROM <metric view> groups by them instead."""
    if "DISTINCT" not in sql.upper():
        return sql
    statement = Statement(sql)
    edits = Edits(statement)
    for index in range(len(statement)):
        if not statement.words(index, "SELECT", "DISTINCT"):
            continue
        end = _end(statement, index, _SET_OPERATORS)
        from_ = _end(statement, index, {"FROM"})
        if from_ >= end or not _metric_view(statement, from_ + 1, context):
            continue
        before = _end(statement, from_, _SET_OPERATORS | _AFTER_HAVING | {"HAVING", "GROUP"})
        if statement.word(before) in ("HAVING", "GROUP") or _measures(statement, index, end):
            continue
        edits.remove(index + 1, index + 2)
        edits.insert_after(before - 1, " GROUP BY ALL")
    return edits.apply()


def _metric_view(statement: Statement, index: int, context: Context) -> MetricView | None:
    if not statement.is_name(index):
        return None
    parts, _ = statement.name(index)
    if len(parts) > 3:
        return None
    last = parts[-1].lower()
    if not any(view.name == last for view in context.catalog.all(MetricView)):
        return None
    return context.catalog.metric_view(context.name(parts).full)


def _next_having(statement: Statement, start: int) -> int | None:
    for index in range(start, len(statement)):
        if statement.word(index) == "HAVING":
            end = _end(statement, index, _SET_OPERATORS | _AFTER_HAVING)
            if _measures(statement, index, end):
                return index
    return None


def _end(statement: Statement, index: int, words: set[str]) -> int:
    """The index where the query block of index ends, or one of the words at its depth."""
    depth = 0
    for place in range(index, len(statement)):
        word = statement.word(place)
        if word == ")" and depth == 0:
            return place
        if depth == 0 and word in words:
            return place
        depth += (word == "(") - (word == ")")
    return len(statement)


def _measures(statement: Statement, start: int, end: int) -> list[tuple[int, int]]:
    """The MEASURE(...) calls between two indexes."""
    found: list[tuple[int, int]] = []
    for index in range(start, end):
        if statement.word(index) == "MEASURE" and statement.word(index + 1) == "(":
            found.append((index, statement.closing(index + 1) + 1))
    return found


def _select_of(statement: Statement, index: int) -> tuple[int, int]:
    """SELECT and FROM of the block in which index stands."""
    depth, from_ = 0, -1
    for place in range(index, -1, -1):
        word = statement.word(place)
        depth += (word == ")") - (word == "(")
        if depth == 0 and word == "FROM":
            from_ = place
        if depth == 0 and word == "SELECT":
            return place, from_
    return -1, from_


def _rewrite_block(statement: Statement, having: int) -> str:
    select, from_ = _select_of(statement, having)
    if select < 0 or from_ < 0:
        return statement.text
    edits = Edits(statement)
    hidden: dict[str, str] = {}
    block_end = _end(statement, having, _SET_OPERATORS)
    for start, end in _measures(statement, having, block_end):
        call = statement.source(start, end)
        name = hidden.setdefault(call, f"__having_{having}_{len(hidden)}")
        edits.replace(start, end, name)
    columns = "".join(f", {call} AS {name}" for call, name in hidden.items())
    edits.insert_after(from_ - 1, columns)
    edits.insert_before(select, f"SELECT * EXCEPT ({', '.join(hidden.values())}) FROM (")
    edits.insert_after(block_end - 1, ")")
    return edits.apply()
