"""Brings tags, grants and policies of all tables to what the definitions say."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from health_monitor.governance.state import read_state
from health_monitor.governance.statements import (
    grant_statements,
    policy_statements,
    tag_statements,
)
from health_monitor.runtime import said
from health_monitor.spec import Definitions
from health_monitor.spec.tagging import tagged

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

AT_ONCE = 4


def deploy(
    spark: SparkSession,
    definitions: Definitions,
    catalog: str,
    groups: Mapping[str, str],
    owner: str,
) -> int:
    """Run what differs; the number of statements, none the second time.

    A table that does not exist yet gets its tags and grants the next time. Masks and filters come
    before the tags that they follow, and grants last: nobody reads what is not protected yet.
    """
    started = time.monotonic()
    state = read_state(spark, catalog)
    own_identity = str(spark.sql("SELECT current_user()").collect()[0][0])
    policies = list(policy_statements(definitions, groups, own_identity, state, catalog))
    tags = list(tag_statements(definitions, owner, state, catalog))
    grants = list(grant_statements(definitions, groups, state, catalog))
    for statement in policies:
        spark.sql(statement)
    _at_once(spark, tags)
    _at_once(spark, grants)
    missing = sum(table.table not in state.columns for table in tagged(definitions))
    said(
        "governance",
        started,
        policies=len(policies),
        tags=len(tags),
        grants=len(grants),
        tables_not_there_yet=missing,
    )
    return len(policies) + len(tags) + len(grants)


def _at_once(spark: SparkSession, statements: Iterable[str]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(spark.sql, statements))
