"""Make tables as definitions want them, and leave those alone that already are."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from health_monitor.ddl import (
    BASE_PROPERTIES,
    TableShape,
    TableState,
    alterations,
    create_table,
    foreign_keys,
)
from health_monitor.runtime import full_name
from health_monitor.spec.base import Column
from health_monitor.spec.platform import PLATFORM_TABLES
from health_monitor.spec.sql import quoted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

AT_ONCE = 4


def ensure_tables(spark: SparkSession, shapes: Iterable[TableShape], catalog: str) -> list[str]:
    """Create or complete tables, several at a time; gives the names of those that were touched."""
    wanted = list(shapes)
    constrained = any(shape.key or shape.foreign_keys for shape in wanted)
    constraints = _constraints(spark, catalog) if constrained else {}

    def ensure(shape: TableShape) -> bool:
        return _ensure(spark, shape, catalog, constraints.get(shape.table, frozenset()))

    with ThreadPoolExecutor(AT_ONCE) as threads:
        outcomes = list(threads.map(ensure, wanted))
    for shape in wanted:
        known = constraints.get(shape.table, frozenset())
        for statement in foreign_keys(shape, known, catalog):
            spark.sql(statement)
    return [shape.table for shape, touched in zip(wanted, outcomes, strict=True) if touched]


def _ensure(
    spark: SparkSession, shape: TableShape, catalog: str, constraints: frozenset[str]
) -> bool:
    """Create or complete one table, without its foreign keys; whether there was anything to do."""
    statements = [create_table(shape, catalog)]
    if exists(spark, catalog, shape.table):
        state = _state(spark, catalog, shape.table, constraints)
        statements = alterations(shape, state, catalog)
    for statement in statements:
        spark.sql(statement)
    return bool(statements)


def ensure_platform_tables(spark: SparkSession, catalog: str) -> None:
    """The platform's own tables."""
    ensure_tables(spark, [platform_shape(name) for name in PLATFORM_TABLES], catalog)


def platform_shape(name: str) -> TableShape:
    """What one of the platform's own tables should look like."""
    table = PLATFORM_TABLES[name]
    columns = [Column(name=n, type=c.type, comment=c.comment) for n, c in table.columns.items()]
    return TableShape(name, table.comment, columns, properties=BASE_PROPERTIES)


def exists(spark: SparkSession, catalog: str, table: str) -> bool:
    return bool(spark.catalog.tableExists(full_name(catalog, table)))


def _state(
    spark: SparkSession, catalog: str, table: str, constraints: frozenset[str]
) -> TableState:
    """What a table looks like now."""
    name = full_name(catalog, table)
    fields = spark.table(name).schema.fields
    detail = spark.sql(f"DESCRIBE DETAIL {name}").collect()[0]
    return TableState(
        comment=detail["description"],
        columns={field.name: field.metadata.get("comment") for field in fields},
        required=frozenset(field.name for field in fields if not field.nullable),
        properties=dict(detail["properties"] or {}),
        constraints=constraints,
    )


def _constraints(spark: SparkSession, catalog: str) -> dict[str, frozenset[str]]:
    """The names of the constraints of each table that has some: asked once, not table by table."""
    found = spark.sql(
        "SELECT table_schema, table_name, constraint_name "
        f"FROM {quoted(catalog)}.information_schema.table_constraints"
    )
    names: dict[str, set[str]] = {}
    for schema, table, name in found.collect():
        names.setdefault(f"{schema}.{table}", set()).add(name)
    return {table: frozenset(known) for table, known in names.items()}
