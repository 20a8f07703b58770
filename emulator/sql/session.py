"""Runs Databricks SQL on a Spark Connect session, with the emulated Unity Catalog beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyspark.sql.types import StringType, StructField, StructType

from emulator.settings import CATALOG, USER_NAME
from emulator.sql.catalog_store import CatalogStore
from emulator.sql.dialect import plan as plan_statement
from emulator.sql.identifiers import Args, resolve_identifiers
from emulator.sql.information_schema import VIEWS, temp_view
from emulator.sql.metadata import SparkMetadata, is_fresh
from emulator.sql.names import Namespace, ObjectName, check_catalog, quote
from emulator.sql.parameters import bind
from emulator.sql.plan import Context, Plan
from emulator.sql.records import Schema, Table
from emulator.sql.tokens import split_statements

__all__ = [
    "Namespace",
    "create_missing_schemas",
    "execute",
    "install",
    "original_sql",
    "refresh_table",
    "split_statements",
    "sync",
]

_ORIGINAL = "_emulator_original_sql"
_ORIGINAL_TABLE = "_emulator_original_table"


def execute(
    spark: Any,
    statement: str,
    *,
    catalog: CatalogStore,
    args: Args = None,
    current: Namespace | None = None,
    frames: Mapping[str, Any] | None = None,
) -> Any:
    """Run one statement of Databricks SQL; gives a DataFrame, empty if there is no result.

    ``current`` becomes the session's schema, as USE would make it. ``frames`` are what the text
    names in braces, as PySpark's own keyword arguments.
    """
    sql = original_sql(spark)
    if current is not None:
        sql(f"USE {quote(check_catalog(current.catalog))}.{quote(current.schema)}")
    metadata = SparkMetadata(spark, sql, catalog)
    context = Context(catalog, metadata, lambda: _namespace(sql), USER_NAME)
    planned = plan_statement(bind(resolve_identifiers(statement, args), args), context)

    def send(text: str) -> Any:
        return sql(text, **(frames or {}))

    return _run(spark, send, statement, planned, metadata, catalog)


def _run(
    spark: Any,
    send: Callable[[str], Any],
    statement: str,
    planned: Plan,
    metadata: SparkMetadata,
    catalog: CatalogStore,
) -> Any:
    if planned.views:
        sync(spark, catalog)
        for view in planned.views:
            _create_view(spark, catalog, view)
    result = None
    for text in planned.sql:
        result = send(text)
    for kind, name in planned.touched:
        _refresh(metadata, kind, name)
    for record in planned.records:
        record(catalog)
    if planned.removed:
        catalog.log.add(statement, planned.removed)
    if planned.rows is not None:
        columns = planned.rows.columns
        if isinstance(columns, tuple):
            columns = StructType([StructField(name, StringType()) for name in columns])
        return spark.createDataFrame(planned.rows.rows, columns)
    return empty(spark) if result is None else result


def empty(spark: Any) -> Any:
    """The result of a statement that has none."""
    return spark.createDataFrame([], StructType([]))


def original_sql(spark: Any) -> Any:
    """Spark's own sql of a session, whether or not it takes the dialect."""
    return getattr(spark, _ORIGINAL, None) or spark.sql


def _namespace(sql: Any) -> Namespace:
    row = sql("SELECT current_catalog(), current_schema()").collect()[0]
    return Namespace(row[0], row[1])


def _refresh(metadata: SparkMetadata, kind: str, name: str) -> None:
    if kind == "table":
        metadata.refresh_table(ObjectName.parse(name))
    elif kind == "function":
        metadata.refresh_function(ObjectName.parse(name))
    else:
        metadata.refresh_schema(name)


def _create_view(spark: Any, catalog: CatalogStore, view: str) -> None:
    schema, rows = VIEWS[view]
    frame = spark.createDataFrame(list(rows(catalog)), schema)
    # What an account's export says of its other catalogs is a table in Spark.
    exported = f"{CATALOG}.information_schema.{view}"
    if spark.catalog.tableExists(exported):
        frame = frame.unionByName(spark.table(exported).select(frame.columns))
    frame.createOrReplaceTempView(temp_view(view))


def install(spark: Any, catalog: CatalogStore) -> None:
    """From now on spark.sql of this session takes Databricks SQL."""
    original = original_sql(spark)
    setattr(spark, _ORIGINAL, original)

    def sql(sqlQuery: str, args: Args = None, **kwargs: Any) -> Any:
        if kwargs:
            return original(sqlQuery, args=args, **kwargs)
        return execute(spark, sqlQuery, catalog=catalog, args=args)

    spark.sql = sql


def refresh_table(spark: Any, catalog: CatalogStore, full_name: str) -> Table | None:
    """Renew the entry of one table that a DataFrame wrote; None if Spark does not have it."""
    metadata = SparkMetadata(spark, original_sql(spark), catalog)
    return metadata.refresh_table(ObjectName.parse(full_name))


def create_missing_schemas(spark: Any, catalog: CatalogStore) -> None:
    """Give Spark the schemas that REST calls made while it was not running."""
    sql = original_sql(spark)
    present = {row[0].lower() for row in sql(f"SHOW SCHEMAS IN {CATALOG}").collect()}
    for schema in catalog.all(Schema, CATALOG):
        if schema.name not in present:
            sql(f"CREATE SCHEMA IF NOT EXISTS {CATALOG}.{quote(schema.name)}")


def table_names(spark: Any, schema: str) -> set[str]:
    """The tables and views that Spark's metastore has in a schema, in lower case."""
    rows = original_sql(spark)(f"SHOW TABLES IN {CATALOG}.{quote(schema)}").collect()
    return {row.tableName.lower() for row in rows if not row.isTemporary}


def sync(spark: Any, catalog: CatalogStore, schemas: Iterable[str] | None = None) -> None:
    """Renew the entries of tables that DataFrames wrote: new, changed and dropped ones."""
    sql = original_sql(spark)
    metadata = SparkMetadata(spark, sql, catalog)
    if schemas is None:
        schemas = [row[0] for row in sql(f"SHOW SCHEMAS IN {CATALOG}").collect()]
    for schema in schemas:
        full_name = f"{CATALOG}.{schema.lower()}"
        metadata.refresh_schema_if_new(full_name)
        present = table_names(spark, schema)
        known = {table.name: table for table in catalog.tables(full_name)}
        for name in sorted(set(known) - present):
            catalog.drop_table(known[name].full_name)
        for name in sorted(present):
            if name not in known or not is_fresh(known[name]):
                metadata.refresh_table(ObjectName(CATALOG, schema.lower(), name))
