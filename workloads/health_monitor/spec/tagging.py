"""The Unity Catalog tags that follow from definitions, but for the owner's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from health_monitor.spec import kinds
from health_monitor.spec.base import PII, PII_TYPE, Column, TableDefinition
from health_monitor.spec.loader import Definitions

TRUE = "true"
# All of them, so that the first personal number is no change of the whole account.
BASE_TYPES = (
    "array", "bigint", "binary", "boolean", "date", "decimal", "double", "float", "int", "map",
    "smallint", "string", "struct", "timestamp", "timestamp_ntz", "tinyint", "variant",
)  # fmt: skip


@dataclass(frozen=True)
class Tagged:
    """A table with its tags, and those of its columns; others have none."""

    table: str
    type: str
    """The word of ALTER: TABLE, VIEW or STREAMING TABLE."""
    tags: dict[str, str]
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    """The columns that the definition names; a table may have others, from an earlier one."""


def column_tags(column: Column) -> dict[str, str]:
    """The tags of a column; the base type of one with PII decides which function masks it."""
    if not column.contains_pii:
        return dict(column.tags)
    return {**column.tags, PII: TRUE, PII_TYPE: base_type(column.type)}


def base_type(text: str) -> str:
    """A type without its precision and fields, in lower case."""
    return text.partition("<")[0].partition("(")[0].strip().lower()


def tagged(definitions: Definitions) -> Iterator[Tagged]:
    """Every table and view that definitions make, layer by layer."""
    for bronze in definitions.bronze.values():
        yield _tagged(bronze, "TABLE", _bronze_columns(bronze))
    for silver in definitions.silver.values():
        source = definitions.bronze[silver.reads.removeprefix("bronze_")]
        columns = {**_bronze_columns(source), **silver.columns}
        found = _tagged(silver, "STREAMING TABLE", columns)
        yield found
        # A row that broke a rule is kept whole.
        record = {"record": {PII: TRUE, PII_TYPE: "string"}} if PII in found.tags else {}
        yield Tagged(silver.quarantine, found.type, found.tags, record, frozenset({"record"}))
    for gold in definitions.gold.values():
        yield _tagged(gold, gold.type.upper(), dict(gold.columns))
    for view in definitions.metric_views.values():
        yield Tagged(view.view, "VIEW", {"layer": "gold", "domain": view.domain})


def _bronze_columns(table: kinds.Bronze) -> dict[str, Column]:
    return {**table.columns, **table.derived}


def _tagged(table: TableDefinition, word: str, columns: dict[str, Column]) -> Tagged:
    found = {name: tags for name, column in columns.items() if (tags := column_tags(column))}
    personal = {PII: TRUE} if any(PII in tags for tags in found.values()) else {}
    tags = {**table.tags, "layer": table.kind, "domain": table.domain, **personal}
    return Tagged(table.table, word, tags, found, frozenset(columns))


def governed_tags(definitions: Definitions) -> dict[str, list[str]]:
    """The tags that policies ask for, each with the values that it may have."""
    keys = {key for policy in definitions.policies.values() for key in policy.column}
    values = {key: set(BASE_TYPES) if key == PII_TYPE else set[str]() for key in keys}
    for table in tagged(definitions):
        for tags in (table.tags, *table.columns.values()):
            for key in keys & tags.keys():
                values[key].add(tags[key])
    for policy in definitions.policies.values():
        for key, value in policy.column.items():
            values[key].add(value)
    return {key: sorted(values[key]) for key in sorted(values)}
