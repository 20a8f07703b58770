"""TableInfo and FunctionInfo: what the REST API says of things that SQL made."""

from __future__ import annotations

import json

from emulator.sql.catalog_store import CatalogStore
from emulator.sql.records import Column, Constraint, Function, Parameter, Table
from emulator.workspace.values import Document


def table_info(table: Table, catalog: CatalogStore) -> Document:
    shown: Document = {
        "table_id": table.id,
        "table_type": table.table_type,
        "columns": [_column(column) for column in table.columns],
        "securable_type": "TABLE",
    }
    optional = {
        "data_source_format": table.data_source_format,
        "storage_location": table.storage_location,
        "view_definition": table.definition,
        "pipeline_id": table.pipeline_id,
    }
    shown.update({name: value for name, value in optional.items() if value is not None})
    constraints = [_constraint(c) for c in catalog.constraints.all(table.full_name)]
    if constraints:
        shown["table_constraints"] = constraints
    uses = {use.column: use for use in catalog.function_uses.all(table.full_name)}
    if "" in uses:
        row_filter = uses[""]
        shown["row_filter"] = {
            "function_name": row_filter.function,
            "input_column_names": list(row_filter.arguments),
        }
    for column in shown["columns"]:
        use = uses.get(column["name"].lower())
        if use is not None:
            column["mask"] = {"function_name": use.function}
    return shown


def _column(column: Column) -> Document:
    shown: Document = {
        "name": column.name,
        "type_text": column.type_text,
        "type_name": column.type_name,
        "type_json": column.type_json or _type_json(column),
        "position": column.position,
        "nullable": column.nullable,
    }
    if column.comment is not None:
        shown["comment"] = column.comment
    return shown


def _type_json(column: Column) -> str:
    field = {"name": column.name, "type": column.type_text, "nullable": column.nullable}
    return json.dumps({**field, "metadata": {}})


def _constraint(constraint: Constraint) -> Document:
    columns = list(constraint.columns)
    if constraint.type == "PRIMARY KEY":
        key: Document = {"name": constraint.name, "child_columns": columns}
        return {"primary_key_constraint": key}
    return {
        "foreign_key_constraint": {
            "name": constraint.name,
            "child_columns": columns,
            "parent_table": constraint.parent_table,
            "parent_columns": list(constraint.parent_columns),
        }
    }


def function_info(function: Function) -> Document:
    shown: Document = {
        "function_id": function.id,
        "specific_name": function.name,
        "data_type": "TABLE_TYPE" if function.return_columns else function.data_type.upper(),
        "full_data_type": function.data_type,
        "routine_body": "SQL",
        "routine_definition": function.body,
        "is_deterministic": function.deterministic,
        "sql_data_access": "CONTAINS_SQL",
        "security_type": "DEFINER",
        "parameter_style": "S",
        "input_params": {"parameters": [_parameter(p) for p in function.parameters]},
    }
    if function.return_columns:
        shown["return_params"] = {"parameters": [_parameter(p) for p in function.return_columns]}
    return shown


def _parameter(parameter: Parameter) -> Document:
    shown: Document = {
        "name": parameter.name,
        "type_text": parameter.type_text,
        "type_name": parameter.type_name,
        "position": parameter.position,
    }
    if parameter.default is not None:
        shown["parameter_default"] = parameter.default
    if parameter.comment is not None:
        shown["comment"] = parameter.comment
    return shown
