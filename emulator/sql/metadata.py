"""Brings the catalog's entries up to date with what Spark has, one object at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql.types import StructType

from emulator.sql.catalog_store import CatalogStore
from emulator.sql.delta_log import DeltaLog
from emulator.sql.names import ObjectName, quote, string_literal
from emulator.sql.records import Column, Function, Schema, Table
from emulator.sql.routines import read_function

Sql = Callable[[str], Any]
_MISSING = {
    "TABLE_OR_VIEW_NOT_FOUND",
    "UNRESOLVED_ROUTINE",
    "ROUTINE_NOT_FOUND",
    "SCHEMA_NOT_FOUND",
    "NO_SUCH_DATABASE_EXCEPTION",
}
_KEPT_TYPES = {"STREAMING_TABLE", "MATERIALIZED_VIEW"}


def is_missing(error: AnalysisException) -> bool:
    condition = error.getCondition() or ""
    return condition.split(".")[0] in _MISSING


def table_information(sql: Sql, name: ObjectName) -> dict[str, str] | None:
    """What the metastore says of a table or view, such as its Location; None if there is none."""
    schema = f"{quote(name.catalog)}.{quote(name.schema)}"
    like = f"SHOW TABLE EXTENDED IN {schema} LIKE {string_literal(name.name)}"
    try:
        rows = sql(like).collect()
    except AnalysisException as error:
        if not is_missing(error):
            raise
        return None
    found = [r for r in rows if r.tableName.lower() == name.name and not r.isTemporary]
    return _about(found[0].information) if found else None


class SparkMetadata:
    """Answers from the catalog where it is fresh, else asks Spark and renews the entry."""

    def __init__(self, spark: Any, sql: Sql, catalog: CatalogStore) -> None:
        self._spark = spark
        self._sql = sql
        self._catalog = catalog

    def table(self, name: ObjectName) -> Table | None:
        known = self._catalog.table(name.full)
        if known is not None and is_fresh(known):
            return known
        return self.refresh_table(name)

    def function_exists(self, name: ObjectName) -> bool:
        if self._catalog.function(name.full) is not None:
            return True
        return self.refresh_function(name) is not None

    def schema_exists(self, full_name: str) -> bool:
        if self._catalog.schema(full_name) is not None:
            return True
        return self.refresh_schema(full_name) is not None

    def query_columns(self, query: str) -> list[str]:
        return list(self._sql(query).columns)

    def refresh_table(self, name: ObjectName) -> Table | None:
        """Read the table or view from Spark; an absent one leaves the catalog too."""
        about = table_information(self._sql, name)
        if about is None:
            self._catalog.drop_table(name.full)
            return None
        self.refresh_schema_if_new(f"{name.catalog}.{name.schema}")
        table = self._catalog.table(name.full) or Table(
            catalog_name=name.catalog, schema_name=name.schema, name=name.name
        )
        self._read(name, table, about)
        if table.table_type != "METRIC_VIEW":
            self._catalog.forget_metric_view(name.full)
        self._catalog.put(table)
        return table

    def _read(self, name: ObjectName, table: Table, about: dict[str, str]) -> None:
        kind = about.get("Type", "MANAGED")
        if table.table_type not in _KEPT_TYPES or kind not in ("MANAGED", "EXTERNAL"):
            table.table_type = kind  # type: ignore[assignment]
        if table.is_view:
            comments = {column.name: column.comment for column in table.columns}
            table.columns = _columns(self._spark.table(name.sql).schema, comments)
            table.data_source_format = None
            table.definition = about.get("View Text")
            table.comment = about.get("Comment")
            return
        table.data_source_format = about.get("Provider", "delta").upper()
        if table.data_source_format != "DELTA":
            table.columns = _columns(self._spark.table(name.sql).schema, {})
        elif not _read_log(table, about["Location"]):
            table.columns = _columns(self._spark.table(name.sql).schema, {})
            self._read_detail(name, table)

    def _read_detail(self, name: ObjectName, table: Table) -> None:
        detail = self._sql(f"DESCRIBE DETAIL {name.sql}").collect()[0]
        table.comment = detail.description
        table.properties = dict(detail.properties)
        table.storage_location = detail.location
        table.partition_by = list(detail.partitionColumns)
        if table.cluster_by != ["AUTO"]:
            table.cluster_by = list(detail.clusteringColumns)
        table.delta_version = DeltaLog(detail.location).latest

    def refresh_function(self, name: ObjectName) -> Function | None:
        try:
            rows = self._sql(f"DESCRIBE FUNCTION EXTENDED {name.sql}").collect()
        except AnalysisException as error:
            if not is_missing(error):
                raise
            self._catalog.drop_function(name.full)
            return None
        self.refresh_schema_if_new(f"{name.catalog}.{name.schema}")
        function = self._catalog.function(name.full) or Function(
            catalog_name=name.catalog, schema_name=name.schema, name=name.name
        )
        read_function(function, [row[0] for row in rows])
        self._catalog.put(function)
        return function

    def refresh_schema_if_new(self, full_name: str) -> None:
        if self._catalog.schema(full_name) is None:
            self.refresh_schema(full_name)

    def refresh_schema(self, full_name: str) -> Schema | None:
        catalog_name, name = full_name.split(".")
        quoted = f"{quote(catalog_name)}.{quote(name)}"
        try:
            rows = self._sql(f"DESCRIBE SCHEMA EXTENDED {quoted}").collect()
        except AnalysisException as error:
            if not is_missing(error):
                raise
            return None
        about = {row.info_name: row.info_value for row in rows}
        schema = self._catalog.schema(full_name) or Schema(catalog_name=catalog_name, name=name)
        schema.comment = about.get("Comment") or None
        self._catalog.put(schema)
        return schema


def _columns(schema: Any, view_comments: dict[str, str | None]) -> list[Column]:
    columns: list[Column] = []
    for position, item in enumerate(schema.fields):
        text = item.metadata.get("__CHAR_VARCHAR_TYPE_STRING") or item.dataType.simpleString()
        comment = item.metadata.get("comment") or view_comments.get(item.name)
        body = json.dumps(item.jsonValue())
        columns.append(Column(item.name, text, body, item.nullable, comment, position))
    return columns


def _about(information: str) -> dict[str, str]:
    """The "Key: value" lines of SHOW TABLE EXTENDED; a value may run over several lines."""
    about: dict[str, str] = {}
    key = ""
    for line in information.splitlines():
        found = re.match(r"^([A-Z][A-Za-z ]+): (.*)$", line)
        if found and not (key == "View Text" and found[1] not in _AFTER_VIEW_TEXT):
            key = found[1]
            about[key] = found[2]
        elif key:
            about[key] += "\n" + line
    return about


_AFTER_VIEW_TEXT = {"View Original Text", "View Schema Mode", "Language", "Table Properties"}


def _read_log(table: Table, location: str) -> bool:
    """Read a Delta table's entry from its log; whether the log tells all."""
    log = DeltaLog(location)
    found = log.describe()
    if found is None:
        return False
    schema = StructType.fromJson(json.loads(found.metadata["schemaString"]))
    table.columns = _columns(schema, {})
    table.comment = found.metadata.get("description")
    table.properties = found.properties
    table.storage_location = location
    table.partition_by = list(found.metadata["partitionColumns"])
    if table.cluster_by != ["AUTO"]:
        table.cluster_by = list(found.clustering)
    table.delta_version = log.latest
    return True


def is_fresh(table: Table) -> bool:
    """Whether no commit since the entry was read changed the table's metadata."""
    if table.storage_location is None:
        return table.is_view
    log = DeltaLog(table.storage_location)
    if log.latest < max(table.delta_version, 0):
        return False
    later = [version for version in log.versions if version > table.delta_version]
    is_complete = len(later) == log.latest - table.delta_version
    return is_complete and not any('"metaData"' in log.text(version) for version in later)
