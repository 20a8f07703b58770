"""A table that must exist before anything has run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cdktf_cdktf_provider_databricks.sql_table import SqlTable as DatabricksSqlTable
from cdktf_cdktf_provider_databricks.sql_table import SqlTableColumn

from infra.constructs.base import Reference, address, keep


@dataclass(frozen=True)
class TableColumn:
    """A column as Unity Catalog shows it."""

    name: str
    type: str
    comment: str
    nullable: bool


class SqlTable:
    """Columns and comments; the gold engine adds keys and properties, and fills it."""

    def __init__(
        self,
        scope: Any,
        *,
        catalog: str,
        schema: str,
        name: str,
        comment: str,
        owner: Any,
        columns: Sequence[TableColumn],
        warehouse: Reference,
        prevent_destroy: bool,
    ) -> None:
        DatabricksSqlTable(
            scope,
            address(scope, "table", name),
            catalog_name=catalog,
            schema_name=schema,
            name=name,
            table_type="MANAGED",
            data_source_format="DELTA",
            comment=comment,
            owner=owner,
            column=[
                SqlTableColumn(
                    name=column.name,
                    type=column.type,
                    comment=column.comment,
                    nullable=column.nullable,
                )
                for column in columns
            ],
            warehouse_id=warehouse.text,
            # Another way to run the same DDL is no change of the table.
            lifecycle=keep(prevent_destroy, ["properties", "warehouse_id"]),
        )
