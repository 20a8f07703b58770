"""Make tables as definitions want them, and leave those alone that already are."""

from __future__ import annotations

from collections.abc import Iterable
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


def ensure_tables(spark: SparkSession, shapes: Iterable[TableShape], catalog: str) -> list[str]:
    """Create or complete tables; gives the names of those that were touched."""
    wanted = list(shapes)
    touched = []
    for shape in wanted:
        statements = [create_table(shape, catalog)]
        if exists(spark, catalog, shape.table):
            state = table_state(spark, catalog, shape.table, constrained=bool(shape.key))
            statements = alterations(shape, state, catalog)
        for statement in statements:
            spark.sql(statement)
        touched += [shape.table] if statements else []
    for shape in wanted:
        if shape.foreign_keys:
            state = table_state(spark, catalog, shape.table)
            for statement in foreign_keys(shape, state, catalog):
                spark.sql(statement)
    return touched


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


def table_state(
    spark: SparkSession, catalog: str, table: str, *, constrained: bool = True
) -> TableState:
    """What a table looks like now; one that is to have no constraints is not asked for them."""
    name = full_name(catalog, table)
    fields = spark.table(name).schema.fields
    detail = spark.sql(f"DESCRIBE DETAIL {name}").collect()[0]
    constraints = _constraints(spark, catalog, table) if constrained else frozenset()
    return TableState(
        comment=detail["description"],
        columns={field.name: field.metadata.get("comment") for field in fields},
        required=frozenset(field.name for field in fields if not field.nullable),
        properties=dict(detail["properties"] or {}),
        constraints=constraints,
    )


def _constraints(spark: SparkSession, catalog: str, table: str) -> frozenset[str]:
    schema, short_name = table.split(".")
    found = spark.sql(
        f"SELECT constraint_name FROM {quoted(catalog)}.information_schema.table_constraints "
        "WHERE table_schema = :schema AND table_name = :name",
        args={"schema": schema, "name": short_name},
    )
    return frozenset(row[0] for row in found.collect())
