"""Each label of what goes wrong in access, data and models against the rows that show it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.emulator.account_files import opened, simulated, value

# Per kind: where it shows, and the label's columns that must name exactly these places.
# A row of the query is one place where it shows, whoever or whatever it happens to.
SHOWN_BY = {
    "failed_login_burst": (
        ["principal", "first_date"],
        """SELECT user_identity.email, event_date FROM access_audit
           WHERE action_name = 'login' AND response.status_code = 401
           GROUP BY ALL HAVING count(DISTINCT event_id) >= 20""",
    ),
    "privilege_escalation": (
        ["principal", "first_date"],
        """SELECT DISTINCT user_identity.email, event_date FROM access_audit
           WHERE action_name = 'setAdmin'
             AND request_params['targetUserName'] = user_identity.email""",
    ),
    "mass_export": (
        ["principal"],
        """SELECT DISTINCT email FROM (
             SELECT user_identity.email AS email, event_date, count(DISTINCT event_id) AS exports
             FROM access_audit WHERE action_name IN
               ('downloadQueryResult', 'workspaceExport', 'downloadLargeResults')
             GROUP BY ALL HAVING exports >= 40)""",
    ),
    "off_hours_admin_action": (
        ["principal", "first_date"],
        """SELECT DISTINCT user_identity.email, event_date FROM access_audit
           WHERE action_name IN ('updateUser', 'workspaceConfEdit', 'putAcl')
             AND hour(event_time) BETWEEN 0 AND 4""",
    ),
    "new_network_login": (
        ["principal", "first_date"],
        """SELECT user_identity.email, event_date FROM access_audit a
           WHERE action_name = 'login' AND response.status_code = 200
           GROUP BY ALL HAVING count(*) FILTER (NOT EXISTS (
             FROM access_audit b WHERE b.source_ip_address = a.source_ip_address
               AND b.event_date < a.event_date) AND a.source_ip_address LIKE '192.%') > 0""",
    ),
    "audit_log_disabled": (
        ["principal", "first_date"],
        """SELECT DISTINCT user_identity.email, event_date FROM access_audit
           WHERE (request_params['workspaceConfKeys'] = 'enableVerboseAuditLogs'
                  AND request_params['workspaceConfValues'] = 'false')
              OR action_name = 'deleteLogDeliveryConfiguration'""",
    ),
    "ip_access_list_removed": (
        ["principal", "first_date"],
        """SELECT DISTINCT user_identity.email, event_date FROM access_audit
           WHERE action_name = 'deleteIpAccessList'""",
    ),
    "dormant_principal_wakes": (
        ["principal", "first_date"],
        """SELECT email, event_date FROM (
             SELECT user_identity.email AS email, event_date, count(*) AS events,
                    event_date - lag(event_date) OVER (PARTITION BY email ORDER BY event_date)
                      AS slept
             FROM access_audit WHERE user_identity.email NOT LIKE '%@%' GROUP BY 1, 2)
           WHERE slept >= 10 AND events >= 20""",
    ),
    "mass_deletion": (
        ["principal", "first_date"],
        """SELECT user_identity.email, event_date FROM access_audit
           WHERE action_name IN ('deleteTable', 'deleteNotebook')
           GROUP BY ALL HAVING count(*) >= 20""",
    ),
    "denied_outbound_burst": (
        ["workspace_id", "first_date"],
        """SELECT workspace_id, event_time::DATE FROM access_outbound_network
           GROUP BY workspace_id, destination, event_time::DATE HAVING count(*) >= 40""",
    ),
    "denied_inbound_burst": (
        ["workspace_id", "first_date"],
        """SELECT workspace_id, event_time::DATE FROM access_inbound_network
           GROUP BY workspace_id, source.ip, event_time::DATE HAVING count(*) >= 40""",
    ),
    "stale_table": (
        ["table_full_name", "first_date"],
        """SELECT name, written + 1 FROM (
             SELECT target_table_full_name AS name, event_date AS written,
                    lead(event_date) OVER (PARTITION BY name ORDER BY event_date) - event_date
                      AS gap
             FROM access_table_lineage WHERE name IS NOT NULL GROUP BY 1, 2)
           WHERE gap > 1
             AND written + gap::INT + 3 <= (SELECT max(event_date) FROM access_audit)""",
    ),
    "schema_change": (
        ["table_full_name", "first_date"],
        """SELECT target_table_full_name, min(event_date) - 1 FROM access_column_lineage
           WHERE target_column_name IN
             ('loyalty_tier', 'discount_code', 'sales_channel', 'referrer')
           GROUP BY target_table_full_name, target_column_name
           HAVING min(event_date) + 3 <= (SELECT max(event_date) FROM access_audit)""",
    ),
    "unclassified_sensitive_column": (
        ["table_full_name", "first_date"],
        """SELECT catalog_name || '.' || schema_name || '.' || table_name,
                  first_detected_time::DATE
           FROM data_classification_results
           WHERE column_name IN ('contact_email', 'mobile_phone', 'refund_iban')""",
    ),
    "volume_drop": (
        ["table_full_name"],
        """SELECT DISTINCT catalog_name || '.' || schema_name || '.' || table_name
           FROM data_quality_monitoring_table_results
           WHERE completeness.daily_row_count.last_value
               < 0.5 * completeness.daily_row_count.min_predicted_value
             AND status = 'Unhealthy'""",
    ),
    "quality_check_failures": (
        ["table_full_name"],
        """SELECT DISTINCT catalog_name || '.' || schema_name || '.' || table_name
           FROM data_quality_monitoring_table_results
           WHERE len(_internal_debug_info.custom_sql) > 0
             AND _internal_debug_info.custom_sql[1].actual_value
               > _internal_debug_info.custom_sql[1].predicted_upper_bound""",
    ),
    "drifting_model": (
        ["endpoint_id"],
        """SELECT DISTINCT endpoint_id FROM mlflow_runs_latest r JOIN serving_served_entities s
             ON r.workspace_id = s.workspace_id AND r.tags['model_name'] = s.entity_name
           WHERE len([m FOR m IN aggregated_metrics
             IF m.metric_name = 'population_stability_index' AND m.latest_value > 0.1]) > 0""",
    ),
    "training_failures": (
        ["endpoint_id"],
        """SELECT DISTINCT endpoint_id FROM (
             SELECT workspace_id, tags['model_name'] AS model, start_time::DATE AS day
             FROM mlflow_runs_latest WHERE run_name LIKE 'train%'
             GROUP BY ALL HAVING count(*) FILTER (status = 'FAILED') >= 3) r
           JOIN serving_served_entities s
             ON r.workspace_id = s.workspace_id AND r.model = s.entity_name""",
    ),
    "serving_errors": (
        ["endpoint_id"],
        """SELECT DISTINCT endpoint_id FROM (
             SELECT endpoint_id, request_time::DATE AS day
             FROM serving_endpoint_usage JOIN (
               SELECT DISTINCT served_entity_id, endpoint_id FROM serving_served_entities)
               USING (served_entity_id)
             GROUP BY ALL HAVING count(*) >= 15
               AND count(*) FILTER (status_code >= 500) > count(*) / 3)""",
    ),
    "serving_request_flood": (
        ["endpoint_id", "first_date"],
        """SELECT endpoint_id, request_time::DATE FROM serving_endpoint_usage
           JOIN (SELECT DISTINCT served_entity_id, endpoint_id FROM serving_served_entities)
             USING (served_entity_id)
           GROUP BY endpoint_id, requester, request_time::DATE
           HAVING count(*) FILTER (status_code = 429) >= 30""",
    ),
}  # fmt: skip
# A table was stale, and has a new column, when its next write is in the account, late rows too.
SEEN_AFTER_DAYS = {"stale_table": 4, "schema_change": 4}


@pytest.fixture(scope="module")
def account(sixty_days: Path) -> duckdb.DuckDBPyConnection:
    return opened(sixty_days)


def _labels(
    account: duckdb.DuckDBPyConnection, kind: str, columns: list[str]
) -> list[tuple[object, ...]]:
    names = ", ".join(columns)
    end = "(SELECT max(event_date) FROM access_audit)"
    seen = SEEN_AFTER_DAYS.get(kind, 0)
    last = "last_date" if kind == "stale_table" else "first_date"
    return account.execute(
        f"SELECT DISTINCT {names} FROM truth_incidents WHERE kind = '{kind}'"
        f" AND {last} + {seen} <= {end} ORDER BY ALL"
    ).fetchall()


@pytest.mark.parametrize("kind", SHOWN_BY)
def test_a_kind_shows_where_its_labels_say_and_nowhere_else(
    account: duckdb.DuckDBPyConnection, kind: str
) -> None:
    columns, query = SHOWN_BY[kind]
    labels = _labels(account, kind, columns)
    assert labels
    found = account.execute(f"SELECT DISTINCT * FROM ({query}) ORDER BY ALL").fetchall()
    assert found == labels


def test_every_kind_of_happening_is_shown(account: duckdb.DuckDBPyConnection) -> None:
    """What is labelled and stands in no query above is made by the core of the account."""
    categories = "('security', 'quality', 'mlops')"
    kinds = account.execute(
        f"SELECT DISTINCT kind FROM truth_incidents WHERE category IN {categories}"
    ).fetchall()
    assert {kind for (kind,) in kinds} == set(SHOWN_BY)


@pytest.mark.parametrize("seed", [1, 2])
def test_other_seeds_show_the_same_kinds(tmp_path: Path, seed: int) -> None:
    """Forty-four days hold each kind once, whatever the seed."""
    account = opened(simulated(tmp_path / "account", days=44, rows=6000, seed=seed))
    for kind, (columns, query) in SHOWN_BY.items():
        found = account.execute(f"SELECT DISTINCT * FROM ({query}) ORDER BY ALL").fetchall()
        assert found == _labels(account, kind, columns), kind


def test_bursts_lie_within_their_labels(account: duckdb.DuckDBPyConnection) -> None:
    """Every marked event is of the label's principal, and within its begin and end."""
    outside = """
        SELECT count(*) FROM truth_incident_rows r JOIN truth_incidents i USING (incident_id)
        JOIN access_audit a ON r.row_id = a.event_id
        WHERE a.event_time NOT BETWEEN i.start_time AND i.end_time
           OR (i.principal IS NOT NULL AND a.user_identity.email IS DISTINCT FROM i.principal)
    """
    marked = "SELECT count(*) FROM truth_incident_rows WHERE source_table = 'access.audit'"
    assert value(account, marked) > 500
    assert value(account, outside) == 0


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("access.audit", "event_id"),
        ("access.outbound_network", "event_id"),
        ("access.inbound_network", "event_id"),
        ("serving.endpoint_usage", "databricks_request_id"),
    ],
)
def test_marked_rows_exist_once_they_have_landed(
    account: duckdb.DuckDBPyConnection, table: str, key: str
) -> None:
    missing = f"""
        SELECT count(*) FROM truth_incident_rows ANTI JOIN {table.replace(".", "_")} t
        ON row_id = t.{key}
        WHERE source_table = '{table}'
          AND event_date + 3 <= (SELECT max(event_date) FROM access_audit)
    """
    marked = f"SELECT count(*) FROM truth_incident_rows WHERE source_table = '{table}'"
    assert value(account, marked) >= 50
    assert value(account, missing) == 0


def test_a_stale_table_is_unhealthy_and_nothing_else_is_not_fresh(
    account: duckdb.DuckDBPyConnection,
) -> None:
    account.execute("""
        CREATE OR REPLACE TEMP VIEW unfresh AS
        SELECT catalog_name || '.' || schema_name || '.' || table_name AS name,
               event_time::DATE AS day
        FROM data_quality_monitoring_table_results WHERE freshness.status = 'Unhealthy'
    """)
    expected = """
        SELECT table_full_name, unnest(generate_series(first_date, last_date, INTERVAL 1 DAY))::DATE
        FROM truth_incidents WHERE kind = 'stale_table'
    """
    last = "(SELECT max(event_date) FROM access_audit)"
    days = account.execute(f"FROM ({expected}) t(n, d) WHERE d <= {last} ORDER BY ALL").fetchall()
    assert len(days) >= 3
    assert account.execute("FROM unfresh ORDER BY ALL").fetchall() == days
