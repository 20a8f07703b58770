"""Creates the pipeline's tables and keeps their comments and properties as declared."""

from __future__ import annotations

from typing import Any

from emulator.compute.pipelines.delta_log import DeltaTable
from emulator.compute.pipelines.model import Dataset, PipelineError, TableName, quote

OWNER_PROPERTY = "pipelines.pipelineId"


def check_owner(table: DeltaTable, pipeline_id: str) -> None:
    """Refuse a table that something else made: writing to it would mix two owners' rows."""
    owner = table.properties.get(OWNER_PROPERTY)
    if owner == pipeline_id:
        return
    held = f"by pipeline {owner}" if owner else "outside of pipelines"
    raise PipelineError(
        f"table {table.name} already exists and is managed {held}; drop it, or use another name"
    )


def create(spark: Any, name: TableName, dataset: Dataset, schema: Any, pipeline_id: str) -> None:
    """CREATE TABLE, in Databricks' dialect, with all that the dataset declares."""
    properties = {OWNER_PROPERTY: pipeline_id, **dataset.table_properties}
    clauses = [
        f"CREATE TABLE IF NOT EXISTS {name.sql} ({_columns(dataset, schema)})",
        "USING DELTA",
    ]
    if dataset.partition_cols:
        clauses.append(f"PARTITIONED BY ({_list(dataset.partition_cols)})")
    if dataset.cluster_by_auto:
        clauses.append("CLUSTER BY AUTO")
    elif dataset.cluster_by:
        clauses.append(f"CLUSTER BY ({_list(dataset.cluster_by)})")
    if dataset.comment:
        clauses.append(f"COMMENT {literal(dataset.comment)}")
    clauses.append(f"TBLPROPERTIES ({_properties(properties)})")
    spark.sql("\n".join(clauses))


def update_declaration(spark: Any, name: TableName, dataset: Dataset, table: DeltaTable) -> None:
    """Bring an existing table's comment and properties to what the source code now says."""
    changed = {
        key: value
        for key, value in dataset.table_properties.items()
        if table.properties.get(key) != value
    }
    if changed:
        spark.sql(f"ALTER TABLE {name.sql} SET TBLPROPERTIES ({_properties(changed)})")
    if dataset.comment and dataset.comment != table.comment:
        spark.sql(f"COMMENT ON TABLE {name.sql} IS {literal(dataset.comment)}")


def add_missing_columns(spark: Any, name: TableName, have: Any, wanted: Any) -> None:
    """Columns that the rows have and the table lacks."""
    known = {field.name.lower() for field in have.fields}
    new = [field for field in wanted.fields if field.name.lower() not in known]
    if new:
        columns = ", ".join(f"{quote(field.name)} {field.dataType.simpleString()}" for field in new)
        spark.sql(f"ALTER TABLE {name.sql} ADD COLUMNS ({columns})")


def literal(text: str) -> str:
    """A string literal of Spark SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _columns(dataset: Dataset, schema: Any) -> str:
    if isinstance(dataset.schema, str):
        return dataset.schema
    fields = (dataset.schema or schema).fields
    if not fields:
        raise PipelineError(f"dataset {dataset.name!r} has no columns")
    return ", ".join(_column(field) for field in fields)


def _column(field: Any) -> str:
    comment = field.metadata.get("comment")
    suffix = f" COMMENT {literal(comment)}" if comment else ""
    return f"{quote(field.name)} {field.dataType.simpleString()}{suffix}"


def _properties(properties: dict[str, str]) -> str:
    return ", ".join(f"{literal(key)} = {literal(str(value))}" for key, value in properties.items())


def _list(columns: Any) -> str:
    return ", ".join(quote(column) for column in columns)
