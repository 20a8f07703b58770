"""Compiles a metric view of YAML 1.1 to the version 0.1 that open-source Spark takes.

The generated source selects the source's columns, the source as a struct, and each joined table
as a struct of the same name, so that `source.cost` and `ws.region.name` stay as they are
written; around it, each dimension becomes a column. Names of other fields inside expressions
are replaced by what they mean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlglot
import yaml
from sqlglot import exp
from sqlglot.errors import ParseError

from emulator.sql.errors import not_supported
from emulator.sql.metric_joins import JoinBuilder
from emulator.sql.metric_spec import (
    Dimension,
    Measure,
    MetricViewSpec,
    invalid_definition,
    read_spec,
)
from emulator.sql.names import ObjectName, quote
from emulator.sql.plan import Context
from emulator.sql.records import MetricField, MetricView, Table
from emulator.sql.tokens import Edits, Statement

MAX_EXPRESSION = 1024
_QUERY = re.compile(r"^\s*(\(|SELECT\b|WITH\b|FROM\b|TABLE\b|VALUES\b)", re.IGNORECASE)


@dataclass
class Compiled:
    """Text for Spark, the entry for the catalog, and the keys that Spark does not see."""

    spark_yaml: str
    record: MetricView
    comment: str | None
    left_out: list[str]


@dataclass(frozen=True)
class Source:
    """A relation in SQL, and the table behind it when it is one."""

    sql: str
    columns: list[str]
    table: Table | None = None


def compile_metric_view(name: ObjectName, text: str, context: Context) -> Compiled:
    """SqlError when the definition is wrong or uses what the emulator lacks."""
    spec = read_spec(text)
    source = read_source(spec.source, context)
    _check_names(spec)
    expressions = _Expressions(spec, {column.lower() for column in source.columns})
    builder = JoinBuilder(lambda text: read_source(text, context), context.catalog)
    relation = builder.select(source, spec.joins)
    if spec.filter is not None:
        condition = expressions.inline(spec.filter, "filter")
        relation = f"SELECT * FROM ({relation}) WHERE {condition}"
    document = {
        "version": "0.1",
        "source": _with_dimensions(relation, spec, source, expressions),
        "dimensions": [{"name": d.name, "expr": quote(d.name)} for d in spec.dimensions],
        "measures": [
            {"name": m.name, "expr": _short(m, expressions.measures[m.name.lower()])}
            for m in spec.measures
        ],
    }
    fields = [
        *(_field(d, "dimension") for d in spec.dimensions),
        *(_field(m, "measure") for m in spec.measures),
    ]
    record = MetricView(
        catalog_name=name.catalog,
        schema_name=name.schema,
        name=name.name,
        comment=spec.comment,
        yaml=text.strip("\n") + "\n",
        source=spec.source,
        filter=spec.filter,
        fields=fields,
    )
    spark_yaml = yaml.safe_dump(document, sort_keys=False, width=2**20, allow_unicode=True)
    return Compiled(spark_yaml, record, spec.comment, _left_out(spec))


def _with_dimensions(
    relation: str, spec: MetricViewSpec, source: Source, expressions: _Expressions
) -> str:
    """Each dimension as a column, in the place of a source column of that name."""
    if not spec.dimensions:
        return relation
    names = {d.name.lower() for d in spec.dimensions}
    hidden = [quote(column) for column in source.columns if column.lower() in names]
    star = f"* EXCEPT ({', '.join(hidden)})" if hidden else "*"
    columns = [
        f"{expressions.dimensions[d.name.lower()]} AS {quote(d.name)}" for d in spec.dimensions
    ]
    return f"SELECT {', '.join([star, *columns])} FROM ({relation})"


def _short(measure: Measure, expression: str) -> str:
    if len(expression) > MAX_EXPRESSION:
        raise not_supported(
            f"Measure `{measure.name}`: an expression of more than {MAX_EXPRESSION} characters "
            "with what it uses"
        )
    return expression


def _check_names(spec: MetricViewSpec) -> None:
    """A dimension takes the place of a column, so it cannot be called like a joined table."""
    relations = {"source", *(join.name.lower() for join in spec.joins)}
    for dimension in spec.dimensions:
        if dimension.name.lower() in relations:
            raise not_supported(f"A dimension with the name of a join (`{dimension.name}`)")


def read_source(text: str, context: Context) -> Source:
    """A table's quoted full name, or a query in brackets."""
    if _QUERY.match(text):
        query = text.strip().rstrip(";")
        return Source(f"({query})", context.metadata.query_columns(query))
    statement = Statement(text)
    parts, end = statement.name(0)
    if end != len(statement):
        raise invalid_definition(f"`{text}` is neither a table name nor a query")
    table = context.table(parts)
    if table.table_type == "METRIC_VIEW":
        raise not_supported("A metric view as the source of another")
    return Source(context.name(parts).sql, [column.name for column in table.columns], table)


def _field(item: Dimension, role: str) -> MetricField:
    body = item.format.model_dump(exclude_none=True) if item.format else None
    return MetricField(
        item.name,
        item.expr,
        role,  # type: ignore[arg-type]
        item.display_name,
        item.comment,
        list(item.synonyms),
        body,
    )


def _left_out(spec: MetricViewSpec) -> list[str]:
    """What the catalog keeps because Spark's version 0.1 has no place for it."""
    clauses = [f"version: {spec.version}"] if spec.version != "0.1" else []
    for item in (*spec.dimensions, *spec.measures):
        kept = [
            key for key in ("comment", "display_name", "synonyms", "format") if getattr(item, key)
        ]
        clauses.extend(f"{key} of {item.name}" for key in kept)
    if spec.materialization is not None:
        clauses.append("materialization")
    return clauses


class _Expressions:
    """The expressions of all fields with other fields' names replaced, in order."""

    def __init__(self, spec: MetricViewSpec, source_columns: set[str]) -> None:
        self._columns = source_columns
        self.dimensions: dict[str, str] = {}
        self.measures: dict[str, str] = {}
        for dimension in spec.dimensions:
            self.dimensions[dimension.name.lower()] = self.inline(dimension.expr, dimension.name)
        for measure in self._ordered(spec):
            text = self._inline_measures(measure.expr, measure.name)
            known = {name: f"({value})" for name, value in self.measures.items()}
            known |= {name: quote(name) for name in self.dimensions}
            known |= {
                name: f"source.{quote(name)}" for name in self.dimensions.keys() & self._columns
            }
            self.measures[measure.name.lower()] = _replace(text, measure.name, known)

    def _ordered(self, spec: MetricViewSpec) -> list[Dimension]:
        """Measures after those that they use, whatever their order in the text."""
        by_name: dict[str, Dimension] = {m.name.lower(): m for m in spec.measures}
        ordered: list[Dimension] = []
        state: dict[str, bool] = {}

        def visit(name: str) -> None:
            if state.get(name):
                return
            if name in state:
                raise invalid_definition(f"measure `{by_name[name].name}` refers to itself")
            state[name] = False
            for _, _, used in measure_calls(Statement(by_name[name].expr)):
                if used in by_name:
                    visit(used)
            state[name] = True
            ordered.append(by_name[name])

        for name in by_name:
            visit(name)
        return ordered

    def _inline_measures(self, text: str, where: str) -> str:
        statement = Statement(text)
        edits = Edits(statement)
        for start, end, used in measure_calls(statement):
            if used not in self.measures:
                raise invalid_definition(f"`{where}` uses the measure `{used}`, which is unknown")
            edits.replace(start, end, f"({self.measures[used]})")
        return edits.apply()

    def inline(self, text: str, where: str) -> str:
        """Bare names of earlier dimensions become their expressions; a source column wins."""
        known = {n: f"({e})" for n, e in self.dimensions.items() if n not in self._columns}
        return _replace(text, where, known)


def _replace(text: str, where: str, known: dict[str, str]) -> str:
    present = {str(token.text).lower() for token in Statement(text).tokens}
    if not known.keys() & present:
        return text
    for start, end, name in sorted(bare_columns(text, where), reverse=True):
        if name in known:
            text = f"{text[:start]}{known[name]}{text[end:]}"
    return text


def measure_calls(statement: Statement) -> list[tuple[int, int, str]]:
    """MEASURE(name) and AGG(name): (start, end, name in lower case)."""
    calls: list[tuple[int, int, str]] = []
    for index in range(len(statement)):
        if statement.word(index) in ("MEASURE", "AGG") and statement.word(index + 1) == "(":
            close = statement.closing(index + 1)
            if close != index + 3:
                raise invalid_definition(
                    f"{statement.source(index, close + 1)}: MEASURE takes the name of a measure"
                )
            calls.append((index, close + 1, str(statement.tokens[index + 2].text).lower()))
    return calls


def bare_columns(text: str, where: str) -> list[tuple[int, int, str]]:
    """The unqualified column names of an expression: (start, end, name in lower case)."""
    prefix = "SELECT "
    try:
        tree = sqlglot.parse_one(prefix + text, dialect="databricks")
    except ParseError as error:
        message = f"the expression of `{where}` cannot be read: {text}"
        raise invalid_definition(message) from error
    found: list[tuple[int, int, str]] = []
    for column in tree.find_all(exp.Column):
        identifier = column.this
        if column.table or not isinstance(identifier, exp.Identifier):
            continue
        start = identifier.meta["start"] - len(prefix)
        end = identifier.meta["end"] + 1 - len(prefix)
        found.append((start, end, identifier.name.lower()))
    return found
