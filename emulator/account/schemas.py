"""The declared system tables: their columns, keys, and how their rows change."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

_FILE = Path(__file__).with_name("schemas.yml")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCALARS: dict[str, pa.DataType] = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "binary": pa.binary(),
}
_SPARK_NAMES = {arrow: name for name, arrow in _SCALARS.items()}


@dataclass(frozen=True)
class SystemTable:
    """One system table as Databricks documents it."""

    name: str
    changes: str
    key: tuple[str, ...]
    required: tuple[str, ...]
    arrow: pa.Schema

    @property
    def is_append_only(self) -> bool:
        return self.changes == "append"


@functools.cache
def system_tables() -> dict[str, SystemTable]:
    """All declared tables by ``<schema>.<table>``."""
    document = yaml.safe_load(_FILE.read_text())
    return {name: _table(name, entry) for name, entry in document["tables"].items()}


def table_of(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows of a declared table; what a row does not name is NULL."""
    return pa.Table.from_pylist(rows, schema=system_tables()[name].arrow)


def parse_type(text: str) -> pa.DataType:
    """The Arrow type of a Spark type such as ``map<string,string>``."""
    text = text.strip()
    if text in _SCALARS:
        return _SCALARS[text]
    if text.startswith("decimal("):
        precision, scale = text[8:-1].split(",")
        return pa.decimal128(int(precision), int(scale))
    outer, _, rest = text.partition("<")
    inner = _split(rest.strip().removesuffix(">"))
    if outer == "array":
        return pa.list_(parse_type(inner[0]))
    if outer == "map":
        return pa.map_(parse_type(inner[0]), parse_type(inner[1]))
    if outer == "struct":
        pairs = (part.split(":", 1) for part in inner)
        return pa.struct([(name.strip(), parse_type(type_)) for name, type_ in pairs])
    raise ValueError(f"unknown type {text!r}")


def spark_type(arrow: pa.DataType) -> str:
    """The Spark type of an Arrow type; ValueError when Spark has none."""
    if pa.types.is_struct(arrow):
        fields = (f"{quoted(field.name)}:{spark_type(field.type)}" for field in arrow)
        return f"struct<{','.join(fields)}>"
    if pa.types.is_map(arrow):
        return f"map<{spark_type(arrow.key_type)},{spark_type(arrow.item_type)}>"
    if pa.types.is_list(arrow):
        return f"array<{spark_type(arrow.value_type)}>"
    if pa.types.is_decimal128(arrow):
        return f"decimal({arrow.precision},{arrow.scale})"
    if arrow not in _SPARK_NAMES:
        raise ValueError(f"Spark has no type for {arrow}")
    return _SPARK_NAMES[arrow]


def spark_ddl(schema: pa.Schema) -> str:
    """``name type, ...`` as Spark's readers and CREATE TABLE take it."""
    return ", ".join(f"{quoted(field.name)} {spark_type(field.type)}" for field in schema)


def quoted(name: str) -> str:
    """A column name as a Spark identifier, whatever is in it."""
    return "`" + name.replace("`", "``") + "`"


def _table(name: str, entry: dict[str, object]) -> SystemTable:
    schema_name, _, table_name = name.partition(".")
    if not (_IDENTIFIER.fullmatch(schema_name) and _IDENTIFIER.fullmatch(table_name)):
        raise ValueError(f"{_FILE.name}: {name!r} is not <schema>.<table>")
    if entry["changes"] not in ("append", "replace"):
        raise ValueError(f"{_FILE.name}: {name}.changes must be append or replace")
    columns = entry["columns"]
    key, required = entry["key"], entry["required"]
    if not (isinstance(columns, dict) and isinstance(key, list) and isinstance(required, list)):
        raise ValueError(f"{_FILE.name}: {name} needs columns, key and required")
    unknown = [column for column in [*key, *required] if column not in columns]
    if unknown:
        raise ValueError(f"{_FILE.name}: {name} has no column {unknown[0]!r}")
    arrow = pa.schema([(column, parse_type(type_)) for column, type_ in columns.items()])
    return SystemTable(name, str(entry["changes"]), tuple(key), tuple(required), arrow)


def _split(text: str) -> list[str]:
    """Split at the commas that stand in no bracket."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "<(") - (character in ">)")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
