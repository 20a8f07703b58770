"""Tags, grants and policies, deployed on Spark: what the catalog shows, and what a mask gives."""

from __future__ import annotations

from typing import Any

import pytest
from health_monitor.ddl import create_table
from health_monitor.gold.shape import gold_shape
from health_monitor.governance.deploy import deploy
from health_monitor.spec import Definitions

from infra.environment import load_environment

pytestmark = pytest.mark.spark

CATALOG = "spark_catalog"
TABLES = ("dim_user", "dim_workspace", "fact_audit_logs")
SHOWN = f"{CATALOG}.information_schema"


@pytest.fixture
def gold(databricks: Any, definitions: Definitions) -> Any:
    for schema in ("gold", "platform"):
        databricks.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for name in TABLES:
        databricks.sql(create_table(gold_shape(definitions.gold[name]), CATALOG))
    return databricks


def asked(spark: Any, sql: str) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in spark.sql(sql).collect()}


def test_what_definitions_want_is_deployed_once_and_repaired(
    gold: Any, definitions: Definitions
) -> None:
    spark, groups = gold, load_environment("local").groups.by_role

    def run() -> int:
        return deploy(spark, definitions, CATALOG, groups, "platform_team")

    assert run() > 0
    assert run() == 0

    tags = f"SELECT tag_name, tag_value FROM {SHOWN}.table_tags WHERE table_name = "
    assert asked(spark, f"{tags} 'fact_audit_logs'") == {
        ("contains_pii", "true"), ("domain", "access"), ("layer", "gold"),
        ("owner", "platform_team"),
    }  # fmt: skip
    assert ("contains_pii", "true") not in asked(spark, f"{tags} 'dim_workspace'")
    columns = f"SELECT tag_name, tag_value FROM {SHOWN}.column_tags WHERE column_name = "
    assert asked(spark, f"{columns} 'request_params'") == {
        ("contains_pii", "true"), ("pii_type", "map"),
    }  # fmt: skip
    granted = f"SELECT grantee, privilege_type FROM {SHOWN}.table_privileges WHERE table_name = "
    assert asked(spark, f"{granted} 'fact_audit_logs'") == {
        ("health_monitor_access_readers", "SELECT"),
        ("health_monitor_monitoring", "SELECT"),
        ("health_monitor_monitoring", "MANAGE"),
    }
    policies = {row[0]: row[1] for row in asked(spark, "SHOW POLICIES ON SCHEMA gold")}
    assert policies == {
        "mask_personal_map": "COLUMN_MASK",
        "mask_personal_text": "COLUMN_MASK",
        "own_activity": "ROW_FILTER",
    }

    spark.sql("ALTER TABLE gold.dim_user ALTER COLUMN user_email UNSET TAGS ('contains_pii')")
    spark.sql("GRANT MODIFY ON TABLE gold.dim_user TO health_monitor_access_readers")
    spark.sql("DROP POLICY own_activity ON SCHEMA gold")
    spark.sql("CREATE OR REPLACE FUNCTION platform.mask_personal_text(value STRING) RETURNS STRING "
              "RETURN value")  # fmt: skip
    assert run() == 4
    assert run() == 0
    assert "own_activity" in {row[0] for row in asked(spark, "SHOW POLICIES ON SCHEMA gold")}


def test_masks_keep_joins_right_and_filters_show_ones_own(
    gold: Any, definitions: Definitions
) -> None:
    groups = load_environment("local").groups.by_role
    deploy(gold, definitions, CATALOG, groups, "platform_team")
    masked = "platform.mask_personal_text"
    (row,) = gold.sql(
        f"SELECT {masked}('a@x.com') = {masked}('a@x.com'), {masked}('a@x.com') LIKE '%a@x%', "
        f"{masked}('a@x.com') = {masked}('b@x.com'), {masked}(NULL), "
        "platform.mask_personal_map(MAP('user', 'a@x.com')), "
        "platform.own_activity('b@x.com'), platform.own_activity(NULL), "
        "platform.own_activity(UPPER(CURRENT_USER()))"
    ).collect()
    assert tuple(row) == (True, False, False, None, {"user": "masked"}, False, False, True)
