"""Which rows audit, lineage, serving, models and quality have: kinds, sizes, next days."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from emulator.account.__main__ import main
from tests.emulator.account_files import END, opened, simulated, value

TABLES = (
    "access.audit",
    "access.outbound_network",
    "access.inbound_network",
    "access.table_lineage",
    "access.column_lineage",
    "data_classification.results",
    "information_schema.tables",
    "data_quality_monitoring.table_results",
    "mlflow.experiments_latest",
    "mlflow.runs_latest",
    "serving.served_entities",
    "serving.endpoint_usage",
)
# What must be there, however small the account is.
KINDS_OF_ROWS = {
    "failed login": "access_audit WHERE action_name = 'login' AND response.status_code = 401",
    "token use": "access_audit WHERE action_name = 'tokenLogin'",
    "permission change": "access_audit WHERE action_name = 'updatePermissions'",
    "table read": "access_audit WHERE action_name = 'getTable'",
    "credential": "access_audit WHERE action_name = 'generateTemporaryTableCredential'",
    "notebook run": "access_audit WHERE action_name = 'runCommand'",
    "run started": "access_audit WHERE action_name = 'runStart'",
    "run failed": "access_audit WHERE action_name = 'runFailed'",
    "cluster started": "access_audit WHERE action_name = 'startResult'",
    "cluster stopped": "access_audit WHERE action_name = 'deleteResult'",
    "user removed": "access_audit WHERE service_name = 'accounts' AND action_name = 'delete'",
    "download": "access_audit WHERE action_name = 'downloadQueryResult'",
    "export": "access_audit WHERE action_name = 'workspaceExport'",
    "administration": "access_audit WHERE action_name = 'workspaceConfEdit'",
    "deletion": "access_audit WHERE action_name = 'deleteTable'",
    "the system": "access_audit WHERE user_identity.email = 'System-User'",
    "no e-mail": "access_audit WHERE user_identity.email IS NULL",
    "service principal": "access_audit WHERE user_identity.email NOT LIKE '%@%'",
    "account event": "access_audit WHERE workspace_id = '0'",
    "no address": "access_audit WHERE source_ip_address IS NULL",
    "no user agent": "access_audit WHERE user_agent IS NULL",
    "no session": "access_audit WHERE session_id IS NULL",
    "late event": "access_audit WHERE exported_on > event_date + 1",
    "late lineage": "access_table_lineage WHERE exported_on > event_date",
    "a read": "access_table_lineage WHERE source_type IS NOT NULL AND target_type IS NULL",
    "a write": "access_table_lineage WHERE source_type IS NULL AND target_type IS NOT NULL",
    "a flow": "access_table_lineage WHERE source_type = 'TABLE' AND target_type IS NOT NULL",
    "from files": "access_table_lineage WHERE source_path IS NOT NULL",
    "through a view": "access_table_lineage WHERE NOT direct_access",
    "no entity": "access_table_lineage WHERE entity_type IS NULL",
    "by nobody": "access_table_lineage WHERE created_by IS NULL",
    "dashboard": "access_table_lineage WHERE entity_type = 'DASHBOARD_V3'",
    "query": "access_table_lineage WHERE entity_type = 'DBSQL_QUERY'",
    "low confidence": "data_classification_results WHERE confidence = 'LOW'",
    "high confidence": "data_classification_results WHERE confidence = 'HIGH'",
    "no samples": "data_classification_results WHERE samples IS NULL",
    "view": "information_schema_tables WHERE table_type = 'VIEW'",
    "external": "information_schema_tables WHERE table_type = 'EXTERNAL'",
    "no comment": "information_schema_tables WHERE comment IS NULL",
    "no owner": "information_schema_tables WHERE table_owner IS NULL",
    "nobody uses": """information_schema_tables t ANTI JOIN access_table_lineage l ON
        concat_ws('.', table_catalog, table_schema, table_name)
        IN (source_table_full_name, target_table_full_name)""",
    "unknown health": "data_quality_monitoring_table_results WHERE status = 'Unknown'",
    "healthy": "data_quality_monitoring_table_results WHERE status = 'Healthy'",
    "client error": "serving_endpoint_usage WHERE status_code BETWEEN 400 AND 499",
    "tokens": "serving_endpoint_usage WHERE input_token_count > 0",
    "no tokens": "serving_endpoint_usage WHERE input_token_count IS NULL",
    "streamed": "serving_endpoint_usage WHERE request_streaming",
    "no context": "serving_endpoint_usage WHERE usage_context IS NULL",
    "empty context": "serving_endpoint_usage WHERE cardinality(usage_context) = 0",
    "custom model": "serving_served_entities WHERE custom_model_config IS NOT NULL",
    "features": "serving_served_entities WHERE feature_spec_config IS NOT NULL",
    "foundation model": "serving_served_entities WHERE foundation_model_config IS NOT NULL",
    "external model": "serving_served_entities WHERE external_model_config IS NOT NULL",
    "second version": "serving_served_entities WHERE endpoint_config_version > 1",
    "deleted endpoint": "serving_served_entities WHERE endpoint_delete_time IS NOT NULL",
    "failed run": "mlflow_runs_latest WHERE status = 'FAILED'",
    "running": "mlflow_runs_latest WHERE status = 'RUNNING'",
    "deleted run": "mlflow_runs_latest WHERE delete_time IS NOT NULL",
    "deleted experiment": "mlflow_experiments_latest WHERE delete_time IS NOT NULL",
    "DNS": "access_outbound_network WHERE dns_event IS NOT NULL",
    "storage": "access_outbound_network WHERE storage_event IS NOT NULL",
    "address": "access_outbound_network WHERE dns_event IS NULL AND storage_event IS NULL",
    "dry run": "access_inbound_network WHERE policy_outcome = 'DRY_RUN_DENIAL'",
    "unauthenticated": "access_inbound_network WHERE authenticated_as IS NULL",
    "labelled rule": "access_inbound_network WHERE rule_label IS NOT NULL",
}


@pytest.fixture(scope="module")
def account(sixty_days: Path) -> duckdb.DuckDBPyConnection:
    return opened(sixty_days)


@pytest.fixture(scope="module")
def small(small_account: Path) -> duckdb.DuckDBPyConnection:
    return opened(small_account)


@pytest.mark.parametrize("what", KINDS_OF_ROWS)
def test_the_smallest_account_has_every_kind_of_row(
    small: duckdb.DuckDBPyConnection, what: str
) -> None:
    assert value(small, f"SELECT count(*) FROM {KINDS_OF_ROWS[what]}") > 0


def test_account_events_come_from_several_regions(account: duckdb.DuckDBPyConnection) -> None:
    """Some of them twice, with the same content; a copy may land a day later."""
    copies = """
        SELECT count(*) FROM access_audit WHERE audit_level = 'ACCOUNT_LEVEL'
        GROUP BY event_id HAVING count(*) = 2
    """
    once = "SELECT count(DISTINCT event_id) FROM access_audit WHERE audit_level = 'ACCOUNT_LEVEL'"
    assert 0.3 < len(account.execute(copies).fetchall()) / value(account, once) < 0.7
    later = """
        SELECT count(*) FROM (SELECT event_id FROM access_audit
        GROUP BY event_id HAVING count(DISTINCT exported_on) = 2)
    """
    assert value(account, later) > 10


def test_people_work_by_day_and_rarely_on_weekends(account: duckdb.DuckDBPyConnection) -> None:
    by_people = "FROM access_audit WHERE user_identity.email LIKE '%@%'"
    office = f"SELECT avg((hour(event_time) BETWEEN 6 AND 19)::INT) {by_people}"
    assert value(account, office) > 0.7
    weekend = f"SELECT avg((dayofweek(event_date) IN (0, 6))::INT) {by_people}"
    assert value(account, weekend) < 0.2


def test_a_column_appears_only_in_later_exports(sixty_days: Path) -> None:
    for table, column in (
        ("access.table_lineage", "direct_access"),
        ("access.column_lineage", "direct_access"),
        ("access.inbound_network", "rule_label"),
    ):
        files = sorted((sixty_days / "tables" / table).glob("*.parquet"))
        has = [column in pq.read_schema(file).names for file in files]
        assert not has[0]
        assert has[-1]
        assert has == sorted(has)


def test_sizes_follow_the_usage(sixty_days: Path) -> None:
    """About 0.3 audit events, 0.1 requests a usage row; lineage has a floor in small accounts."""
    account = opened(sixty_days)
    usage = value(account, "SELECT count(*) FROM billing_usage")
    assert 0.25 < value(account, "SELECT count(*) FROM access_audit") / usage < 0.45
    assert 0.08 < value(account, "SELECT count(*) FROM serving_endpoint_usage") / usage < 0.2
    assert value(account, "SELECT count(*) FROM access_table_lineage") > 0.1 * usage


def test_a_run_over_midnight_ends_the_next_day(tmp_path: Path) -> None:
    path = simulated(tmp_path / "account", days=4, rows=400)
    running = "FROM mlflow_runs_latest WHERE status = 'RUNNING'"
    before = opened(path).execute(f"SELECT run_id {running}").fetchall()
    assert before
    assert main(["next-day", "--out", str(path)]) == 0
    after = opened(path)
    ids = ", ".join(f"'{run_id}'" for (run_id,) in before)
    states = "SELECT DISTINCT status, end_time IS NULL FROM mlflow_runs_latest"
    assert after.execute(f"{states} WHERE run_id IN ({ids})").fetchall() == [("FINISHED", False)]
    assert value(after, f"SELECT count(*) {running}") > 0


@pytest.mark.parametrize(("days", "rows"), [(5, 150), (19, 200)])
def test_a_day_more_is_the_day_after(tmp_path: Path, days: int, rows: int) -> None:
    """For each table, with all columns, and for the truths: N days and one more are N+1 days."""
    grown = simulated(tmp_path / "grown", days=days, rows=rows * days)
    assert main(["next-day", "--out", str(grown)]) == 0
    end = END + timedelta(days=1)
    more = simulated(tmp_path / "more", days=days + 1, rows=rows * (days + 1), end=end)
    left, right = opened(grown), opened(more)
    views = [table.replace(".", "_") for table in TABLES]
    for view in [*views, "truth_incidents", "truth_incident_rows"]:
        rows_of = f"SELECT CAST(t AS VARCHAR) FROM {view} t ORDER BY 1"
        found = right.execute(rows_of).fetchall()
        assert left.execute(rows_of).fetchall() == found, view
        assert found or days < 14, view
