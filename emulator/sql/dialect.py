"""Which function plans which statement. The next clause is one small function and one row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from emulator.sql.clauses import (
    abac,
    comments,
    create_table,
    delta,
    grants,
    keys,
    metric_statements,
    objects,
    places,
    policies,
    tags,
)
from emulator.sql.patterns import Match, match
from emulator.sql.plan import Context, Plan
from emulator.sql.rewrites import rewrite
from emulator.sql.tokens import Statement

Planner = Callable[[Match, Context], Plan]


@dataclass(frozen=True)
class Rule:
    pattern: str
    plan: Planner


_ANY = "CATALOG|SCHEMA|DATABASE|TABLE|VIEW|VOLUME"
_COLUMN = "ALTER TABLE|VIEW <name> ALTER [COLUMN] <column>"
_STREAMING_COLUMN = "ALTER STREAMING TABLE <name> ALTER [COLUMN] <column>"

RULES: tuple[Rule, ...] = (
    Rule("CREATE [OR REPLACE] VIEW [IF NOT EXISTS] <name>", metric_statements.create_view),
    Rule("ALTER VIEW <name> AS", metric_statements.alter_view),
    Rule("CREATE [OR REPLACE] TABLE [IF NOT EXISTS] <name>", create_table.create_table),
    Rule("REPLACE TABLE <name>", create_table.create_table),
    Rule("ALTER TABLE <name> ADD", keys.add_key),
    Rule("ALTER TABLE <name> DROP CONSTRAINT [IF EXISTS] <column>", keys.drop_constraint),
    Rule("ALTER TABLE <name> DROP PRIMARY KEY [IF EXISTS]", keys.drop_primary_key),
    Rule("ALTER TABLE <name> DROP FOREIGN KEY [IF EXISTS]", keys.drop_foreign_key),
    Rule("ALTER TABLE <name> CLUSTER BY", places.cluster_by),
    Rule("ALTER TABLE <name> SET ROW FILTER", policies.set_row_filter),
    Rule("ALTER TABLE <name> DROP ROW FILTER", policies.drop_row_filter),
    Rule(f"{_COLUMN} SET MASK", policies.set_mask),
    Rule(f"{_COLUMN} DROP MASK", policies.drop_mask),
    Rule(f"{_COLUMN} SET TAGS", tags.set_column_tags),
    Rule(f"{_COLUMN} UNSET TAGS", tags.unset_column_tags),
    Rule(f"{_STREAMING_COLUMN} SET TAGS", tags.set_column_tags),
    Rule(f"{_STREAMING_COLUMN} UNSET TAGS", tags.unset_column_tags),
    Rule("ALTER STREAMING TABLE <name> SET TAGS", tags.set_tags),
    Rule("ALTER STREAMING TABLE <name> UNSET TAGS", tags.unset_tags),
    Rule(f"ALTER {_ANY} <name> SET TAGS", tags.set_tags),
    Rule(f"ALTER {_ANY} <name> UNSET TAGS", tags.unset_tags),
    Rule(f"SET TAG ON {_ANY}|COLUMN <name>", tags.set_tag_on),
    Rule(f"UNSET TAG ON {_ANY}|COLUMN <name>", tags.unset_tag_on),
    Rule(f"ALTER {_ANY}|FUNCTION <name> [SET] OWNER TO <column>", places.set_owner),
    Rule(
        "ALTER CATALOG|SCHEMA|DATABASE|TABLE <name> ENABLE|DISABLE|INHERIT PREDICTIVE OPTIMIZATION",
        places.predictive_optimization,
    ),
    Rule("ALTER TABLE <name> RENAME TO <name>", objects.rename_table),
    Rule("ALTER VIEW <name> RENAME TO <name>", objects.rename_table),
    Rule("ALTER TABLE <name>", objects.changes_table),
    Rule("ALTER VIEW <name>", objects.changes_table),
    Rule("COMMENT ON COLUMN <name> IS", comments.comment_on_column),
    Rule("COMMENT ON TABLE <name> IS", comments.comment_on_table),
    Rule("COMMENT ON VIEW <name> IS", comments.comment_on_table),
    Rule("COMMENT ON SCHEMA <name> IS", comments.comment_on_schema),
    Rule("COMMENT ON DATABASE <name> IS", comments.comment_on_schema),
    Rule("COMMENT ON CATALOG|VOLUME|FUNCTION <name> IS", comments.comment_elsewhere),
    Rule("SHOW GRANTS", grants.show_grants),
    Rule("GRANT", grants.grant),
    Rule("REVOKE", grants.revoke),
    Rule("CREATE [EXTERNAL] VOLUME [IF NOT EXISTS] <name>", places.create_volume),
    Rule("DROP VOLUME [IF EXISTS] <name>", places.drop_volume),
    Rule("SHOW VOLUMES", places.show_volumes),
    Rule("USE CATALOG <column>", places.use_catalog),
    Rule("SET CATALOG <column>", places.use_catalog),
    Rule("CREATE CATALOG [IF NOT EXISTS] <column>", places.create_catalog),
    Rule("DROP CATALOG", places.refuse("DROP CATALOG")),
    Rule("UNDROP", places.refuse("UNDROP")),
    Rule("CREATE [OR REPLACE] POLICY <column>", abac.create_policy),
    Rule("DROP POLICY <column>", abac.drop_policy),
    Rule("SHOW [EFFECTIVE] POLICIES", abac.show_policies),
    Rule("DESCRIBE|DESC POLICY", places.refuse("DESCRIBE POLICY")),
    Rule("CREATE [OR REPLACE] FUNCTION [IF NOT EXISTS] <name>", objects.changes_function),
    Rule("DROP FUNCTION [IF EXISTS] <name>", objects.changes_function),
    Rule("CREATE SCHEMA|DATABASE [IF NOT EXISTS] <name>", objects.changes_schema),
    Rule("ALTER SCHEMA|DATABASE <name>", objects.changes_schema),
    Rule("DROP SCHEMA|DATABASE [IF EXISTS] <name>", objects.drop_schema),
    Rule("DROP TABLE [IF EXISTS] <name>", objects.drop_table),
    Rule("DROP VIEW [IF EXISTS] <name>", objects.drop_table),
    Rule("DESCRIBE|DESC HISTORY <name>", delta.describe_history),
    Rule("DESCRIBE|DESC DETAIL <name>", delta.describe_detail),
    Rule("SELECT COUNT ( * ) FROM <name>", delta.count_rows),
    Rule("MERGE WITH SCHEMA EVOLUTION INTO <name>", objects.changes_table),
)


def plan(text: str, context: Context) -> Plan:
    """What one statement of Databricks SQL comes to."""
    statement = Statement(text)
    for rule in RULES:
        found = match(rule.pattern, statement)
        if found is not None:
            planned = rule.plan(found, context)
            break
    else:
        planned = Plan(sql=[statement.text])
    planned.sql = [rewrite(sql, context, planned) for sql in planned.sql]
    return planned
