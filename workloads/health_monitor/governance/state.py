"""What the catalog knows of our tables: tags, grants, policies and their functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from health_monitor.runtime import literal
from health_monitor.spec.sql import SCHEMAS, quoted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Tags = dict[str, str]
POLICY_SCHEMA = "gold"
# One question for all of it. A privilege that a schema or catalog hands down is not the table's.
QUESTION = """
SELECT 'table' AS what, table_schema, table_name, NULL AS part, NULL AS value
FROM {schema}.tables WHERE table_catalog = {catalog} AND table_schema IN ({schemas})
UNION ALL
SELECT 'column', table_schema, table_name, column_name, NULL
FROM {schema}.columns WHERE table_catalog = {catalog} AND table_schema IN ({schemas})
UNION ALL
SELECT 'table tag', schema_name, table_name, tag_name, tag_value
FROM {schema}.table_tags WHERE catalog_name = {catalog} AND schema_name IN ({schemas})
UNION ALL
SELECT CONCAT('tag of ', column_name), schema_name, table_name, tag_name, tag_value
FROM {schema}.column_tags WHERE catalog_name = {catalog} AND schema_name IN ({schemas})
UNION ALL
SELECT 'grant', table_schema, table_name, grantee, privilege_type
FROM {schema}.table_privileges
WHERE table_catalog = {catalog} AND table_schema IN ({schemas}) AND inherited_from = 'NONE'
UNION ALL
SELECT 'function', routine_schema, routine_name, NULL, routine_definition
FROM {schema}.routines WHERE routine_catalog = {catalog} AND routine_schema IN ({schemas})
"""
TAG_OF = "tag of "


@dataclass(frozen=True)
class State:
    """Tables by two-part name, in lower case."""

    columns: dict[str, set[str]] = field(default_factory=dict)
    """The columns of every table and view that exists."""
    tags: dict[str, Tags] = field(default_factory=dict)
    column_tags: dict[tuple[str, str], Tags] = field(default_factory=dict)
    grants: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """Table and principal -> privileges, with _ for blanks."""
    functions: dict[str, str] = field(default_factory=dict)
    """Function -> what it returns, as text."""
    policies: dict[str, str] = field(default_factory=dict)
    """Policy on gold -> its comment."""


def read_state(spark: SparkSession, catalog: str) -> State:
    """What there is now."""
    schema = f"{quoted(catalog)}.information_schema"
    schemas = ", ".join(literal(name) for name in sorted(SCHEMAS))
    question = QUESTION.format(schema=schema, catalog=literal(catalog), schemas=schemas)
    state = state_of(tuple(row) for row in spark.sql(question).collect())
    policies = spark.sql(f"SHOW POLICIES ON SCHEMA {quoted(catalog)}.{POLICY_SCHEMA}").collect()
    state.policies.update({row["Policy Name"]: row["Comment"] or "" for row in policies})
    return state


def state_of(rows: Any) -> State:
    """The state from rows of ``QUESTION``."""
    state = State()
    for what, schema, name, part, value in rows:
        full_name = f"{schema}.{name}".lower()
        if what == "table":
            state.columns.setdefault(full_name, set())
        elif what == "column":
            state.columns.setdefault(full_name, set()).add(part.lower())
        elif what == "table tag":
            state.tags.setdefault(full_name, {})[part] = value
        elif what == "grant":
            state.grants.setdefault((full_name, part), set()).add(value.replace(" ", "_"))
        elif what == "function":
            state.functions[full_name] = value or ""
        else:
            place = (full_name, what.removeprefix(TAG_OF).lower())
            state.column_tags.setdefault(place, {})[part] = value
    return state
