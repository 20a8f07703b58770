"""Who did what, what moved and who asked which model: gold against DuckDB over the same files.

The files are those of a simulated account; what went wrong in it on purpose has to stand out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from health_monitor.spec import Definitions

from tests.emulator.account_files import opened, simulated
from tests.tables.conftest import Rows, column_types
from tests.tables.test_tables_cases import computed

pytestmark = pytest.mark.spark
SOURCES = (
    "audit",
    "inbound_network",
    "outbound_network",
    "table_lineage",
    "column_lineage",
    "endpoint_usage",
    "served_entities",
)
TABLES = ("summary_security", "fact_table_lineage", "fact_model_serving")
LOGINS = "('login', 'samlLogin', 'tokenLogin', 'oidcTokenAuthorization')"
EVENTS = f"""
    SELECT
      event_date AS day,
      COUNT(*) AS events,
      COUNT(*) FILTER (response.status_code >= 400) AS failed,
      COUNT(*) FILTER (
        response.status_code = 401
        OR (service_name = 'accounts' AND action_name IN {LOGINS} AND response.status_code >= 400)
      ) AS not_let_in,
      COUNT(*) FILTER (
        action_name IN ('downloadQueryResult', 'workspaceExport', 'downloadLargeResults')
      ) AS exports,
      COUNT(*) FILTER (
        action_name IN (
          'setAdmin', 'addPrincipalToGroup', 'removePrincipalFromGroup', 'changeWorkspaceAcl',
          'putAcl', 'updatePermissions'
        )
      ) AS permission_changes,
      COUNT(*) FILTER (
        DAYOFWEEK(event_time) IN (0, 6) OR HOUR(event_time) < 7 OR HOUR(event_time) >= 19
      ) AS off_hours,
      0 AS unclassified
    FROM (SELECT DISTINCT ON (event_id) * FROM access_audit)
    GROUP BY 1
"""
REFUSED = """
    SELECT DATE_TRUNC('day', event_time)::DATE AS day, COUNT(DISTINCT event_id) AS refused
    FROM (
      SELECT event_id, event_time FROM access_inbound_network
      WHERE policy_outcome NOT LIKE '%DRY_RUN%'
      UNION ALL
      SELECT event_id, event_time FROM access_outbound_network
      WHERE access_type NOT LIKE '%DRY_RUN%'
    )
    GROUP BY 1
"""
LINEAGE = """
    WITH columns AS (
      SELECT event_date, workspace_id, event_id, source_table_full_name s, target_table_full_name t,
        COUNT(DISTINCT (source_column_name, target_column_name)) AS pairs
      FROM access_column_lineage GROUP BY ALL
    )
    SELECT l.event_date, COUNT(*), COUNT(COALESCE(l.source_table_full_name, l.source_path)),
      COUNT(COALESCE(l.target_table_full_name, l.target_path)), SUM(c.pairs)
    FROM (SELECT DISTINCT ON (record_id) * FROM access_table_lineage) l
    LEFT JOIN columns c ON c.event_date = l.event_date AND c.workspace_id = l.workspace_id
      AND c.event_id = l.event_id AND c.s IS NOT DISTINCT FROM l.source_table_full_name
      AND c.t IS NOT DISTINCT FROM l.target_table_full_name
    GROUP BY 1
"""
SERVING = """
    WITH first_versions AS (
      SELECT served_entity_id, ARG_MIN(entity_version, change_time) AS entity_version
      FROM serving_served_entities GROUP BY 1
    )
    SELECT u.request_time::DATE, COALESCE(e.entity_version, f.entity_version, '-'), COUNT(*),
      COUNT(*) FILTER (u.status_code >= 400),
      SUM(COALESCE(u.input_token_count, 0) + COALESCE(u.output_token_count, 0))
    FROM (SELECT DISTINCT ON (workspace_id, databricks_request_id) * FROM serving_endpoint_usage) u
    ASOF LEFT JOIN serving_served_entities e
      ON e.served_entity_id = u.served_entity_id AND u.request_time >= e.change_time
    LEFT JOIN first_versions f ON f.served_entity_id = u.served_entity_id
    GROUP BY 1, 2
"""
# What was done on purpose, and the count that has to show it
SHOWN_BY = {
    "failed_login_burst": "auth_failure_count",
    "mass_export": "export_count",
    "mass_deletion": "destructive_count",
}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six weeks: the first two are quiet, then every kind of incident comes once."""
    return simulated(tmp_path_factory.mktemp("account"), days=43, rows=2000)


def test_gold_agrees_with_its_sources(
    databricks: Any, definitions: Definitions, account: Path
) -> None:
    views = {f"silver.silver_{name}": f"source_{name}" for name in SOURCES}
    for table, view in views.items():
        arrived(databricks, definitions, account, table).createOrReplaceTempView(view)
    given: dict[str, Rows] = {"gold.fact_usage": []}
    gold = {t: computed(databricks, definitions, f"gold.{t}", given, views) for t in TABLES}
    source = opened(account)
    logs = views["gold.fact_audit_logs"]
    assert events_by_day(databricks, logs) == rows_of(source, EVENTS)
    assert refusals_by_day(databricks, logs) == rows_of(source, REFUSED)
    assert flows_by_day(databricks, gold["fact_table_lineage"]) == rows_of(source, LINEAGE)
    assert requests_by_day(databricks, gold["fact_model_serving"]) == rows_of(source, SERVING)
    (events,) = databricks.sql(f"SELECT COUNT(*) FROM {logs}").collect()[0]
    security = gold["summary_security"]
    assert databricks.sql(f"SELECT SUM(event_count) FROM {security}").collect()[0][0] == events
    for kind, count in SHOWN_BY.items():
        principal, first, last = incident(source, kind)
        who, day = most(databricks, security, count)
        assert who == principal and first <= day <= last, kind


def arrived(spark: Any, definitions: Definitions, account: Path, table: str) -> Any:
    """The rows of a source as silver has them when all are good: its columns, its versions."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    bronze = definitions.bronze[table.removeprefix("silver.silver_")]
    files = account / "tables" / bronze.source
    rows = spark.read.option("mergeSchema", "true").parquet(str(files))
    types = column_types(definitions, table)
    if "__START_AT" in types:
        order = Window.partitionBy("served_entity_id").orderBy("change_time")
        rows = rows.withColumn("__START_AT", F.col("change_time"))
        rows = rows.withColumn("__END_AT", F.lead("change_time").over(order))
    return rows.select(
        *(
            (F.col(name) if name in rows.columns else F.lit(None)).cast(type_).alias(name)
            for name, type_ in types.items()
        )
    )


def events_by_day(spark: Any, logs: str) -> set[tuple[Any, ...]]:
    return collected(
        spark,
        f"""
        SELECT event_date, COUNT(*), COUNT_IF(is_failed), COUNT_IF(is_auth_failure),
          COUNT_IF(is_export), COUNT_IF(is_permission_change), COUNT_IF(is_off_hours),
          COUNT_IF(is_admin_action IS NULL)
        FROM {logs} WHERE event_source = 'audit' GROUP BY event_date
        """,
    )


def refusals_by_day(spark: Any, logs: str) -> set[tuple[Any, ...]]:
    return collected(
        spark,
        f"""
        SELECT event_date, COUNT(*) FROM {logs}
        WHERE event_source <> 'audit' AND is_failed GROUP BY event_date
        """,
    )


def flows_by_day(spark: Any, lineage: str) -> set[tuple[Any, ...]]:
    return collected(
        spark,
        f"""
        SELECT event_date, COUNT(*), COUNT_IF(is_read), COUNT_IF(is_write), SUM(column_count)
        FROM {lineage} GROUP BY event_date
        """,
    )


def requests_by_day(spark: Any, serving: str) -> set[tuple[Any, ...]]:
    return collected(
        spark,
        f"""
        SELECT request_date, COALESCE(entity_version, '-'), COUNT(*), COUNT_IF(is_error),
          COALESCE(SUM(total_token_count), 0)
        FROM {serving} GROUP BY 1, 2
        """,
    )


def incident(source: duckdb.DuckDBPyConnection, kind: str) -> tuple[Any, ...]:
    """Whom and when an incident was made for."""
    query = "SELECT principal, first_date, last_date FROM truth_incidents WHERE kind = ?"
    (found,) = source.execute(query, [kind]).fetchall()
    return tuple(found)


def most(spark: Any, security: str, count: str) -> tuple[Any, ...]:
    """The principal and day with the largest count; nobody is no principal."""
    found = spark.sql(
        f"SELECT user_identity_email, event_date FROM {security} "
        "WHERE user_identity_email <> 'unknown' "
        f"GROUP BY event_date, user_identity_email ORDER BY SUM({count}) DESC LIMIT 1"
    )
    return tuple(found.collect()[0])


def collected(spark: Any, query: str) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in spark.sql(query).collect()}


def rows_of(source: duckdb.DuckDBPyConnection, query: str) -> set[tuple[Any, ...]]:
    found = {tuple(row) for row in source.execute(query).fetchall()}
    assert found
    return found
