"""Audit, lineage, serving, models and quality of the simulated account agree with each other."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.emulator.account_files import opened

NAMED_ENTITIES = """
    SELECT workspace_id, job_id AS id, 'JOB' AS kind FROM lakeflow_jobs
    UNION SELECT workspace_id, pipeline_id, 'PIPELINE' FROM lakeflow_pipelines
    UNION SELECT workspace_id, usage_metadata.notebook_id, 'NOTEBOOK' FROM billing_usage
"""
OWNERS = """
    SELECT run_as AS name FROM lakeflow_jobs UNION SELECT owned_by FROM compute_clusters
    UNION SELECT created_by FROM compute_warehouses
    UNION SELECT created_by FROM serving_served_entities
    UNION SELECT identity_metadata.run_as FROM billing_usage
    UNION SELECT identity_metadata.created_by FROM billing_usage
    UNION SELECT identity_metadata.owned_by FROM billing_usage
"""  # fmt: skip
# What may not be: each query gives the rows that contradict another table.
CONTRADICTIONS = {
    "an event of a workspace that is none": """
        FROM access_audit ANTI JOIN access_workspaces_latest USING (workspace_id)
        WHERE audit_level = 'WORKSPACE_LEVEL'""",
    "an account event with a workspace": """
        FROM access_audit WHERE (audit_level = 'ACCOUNT_LEVEL') <> (workspace_id = '0')""",
    "an event of a job that its workspace has not": """
        FROM access_audit a ANTI JOIN lakeflow_jobs j ON a.workspace_id = j.workspace_id
          AND coalesce(request_params['jobId'], request_params['job_id']) = j.job_id
        WHERE service_name = 'jobs'""",
    "a job's event before the job was made": """
        FROM access_audit a JOIN lakeflow_jobs j ON a.workspace_id = j.workspace_id
          AND coalesce(request_params['jobId'], request_params['job_id']) = j.job_id
        WHERE service_name = 'jobs' AND event_time < j.create_time""",
    "a run's event at another moment, or with another end": """
        FROM access_audit a ANTI JOIN (
          SELECT workspace_id, job_id, run_id, min(period_start_time) AS start,
                 max(period_end_time) AS stop, max_by(result_state, period_end_time) AS state
          FROM lakeflow_job_run_timeline GROUP BY ALL) r
          ON a.workspace_id = r.workspace_id AND request_params['jobId'] = r.job_id
          AND request_params['runId'] = r.run_id
          AND event_time = CASE action_name WHEN 'runStart' THEN start ELSE stop END
          AND CASE action_name WHEN 'runSucceeded' THEN state = 'SUCCEEDED'
              WHEN 'runFailed' THEN state = 'FAILED' ELSE true END
        WHERE action_name IN ('runStart', 'runSucceeded', 'runFailed')
          AND event_date + 3 <= (SELECT max(event_date) FROM access_audit)""",
    "a start of a cluster in another hour than the first that is billed": """
        FROM access_audit a ANTI JOIN (
          SELECT usage_metadata.cluster_id AS cluster_id, date_trunc('hour', min(usage_start_time))
                 AS hour FROM billing_usage GROUP BY cluster_id, usage_date) u
          ON request_params['clusterId'] = u.cluster_id AND date_trunc('hour', event_time) = hour
        WHERE action_name = 'startResult'
          AND event_date + 6 <= (SELECT max(event_date) FROM access_audit)""",
    "an event of a cluster that its workspace has not": """
        FROM access_audit a ANTI JOIN compute_clusters c ON a.workspace_id = c.workspace_id
          AND coalesce(request_params['clusterId'], request_params['cluster_id']) = c.cluster_id
        WHERE service_name = 'clusters'""",
    "an event of a warehouse that its workspace has not": """
        FROM access_audit a ANTI JOIN compute_warehouses w ON a.workspace_id = w.workspace_id
          AND coalesce(request_params['warehouseId'], request_params['id']) = w.warehouse_id
        WHERE service_name = 'databrickssql' AND action_name <> 'downloadQueryResult'""",
    "a read of a table that is not there": """
        FROM access_audit ANTI JOIN information_schema_tables
          ON request_params['full_name_arg']
             = concat_ws('.', table_catalog, table_schema, table_name)
        WHERE action_name = 'getTable'
          AND event_date = (SELECT max(event_date) FROM access_audit)""",
    "an owner of jobs who acts for another one's": """
        FROM access_audit a JOIN lakeflow_jobs j ON a.workspace_id = j.workspace_id
          AND request_params['jobId'] = j.job_id
        WHERE action_name LIKE 'run%' AND user_identity.email <> j.run_as""",
    "a service principal that owns nothing and sleeps not": f"""
        FROM (SELECT user_identity.email AS name FROM access_audit
              WHERE name NOT LIKE '%@%' AND name <> 'System-User'
              GROUP BY ALL HAVING count(DISTINCT event_date) > 6)
        ANTI JOIN ({OWNERS}) USING (name)""",
    "a failed login without reason": """
        FROM access_audit
        WHERE (response.status_code = 200) <> (response.error_message IS NULL)""",
    "an event id that is two events": """
        FROM (SELECT DISTINCT COLUMNS(* EXCLUDE (exported_on, request_params)) FROM access_audit)
        GROUP BY event_id HAVING count(*) > 1""",
    "a workspace event that came twice": """
        FROM access_audit WHERE audit_level = 'WORKSPACE_LEVEL'
        GROUP BY event_id HAVING count(*) > 1""",
    "lineage of an entity that its workspace has not": f"""
        FROM access_table_lineage l ANTI JOIN ({NAMED_ENTITIES}) e
          ON l.workspace_id = e.workspace_id AND l.entity_id = e.id AND l.entity_type = e.kind
        WHERE entity_type IN ('JOB', 'PIPELINE', 'NOTEBOOK')""",
    "a write outside of its job's run": """
        FROM access_table_lineage l ANTI JOIN lakeflow_job_run_timeline r
          ON l.workspace_id = r.workspace_id AND l.entity_id = r.job_id
          AND l.entity_run_id = r.run_id
          AND l.event_time BETWEEN r.period_start_time AND r.period_end_time
        WHERE entity_type = 'JOB'
          AND event_date + 3 <= (SELECT max(event_date) FROM access_audit)""",
    "a write outside of its pipeline's update": """
        FROM access_table_lineage l ANTI JOIN lakeflow_pipeline_update_timeline u
          ON l.workspace_id = u.workspace_id AND l.entity_id = u.pipeline_id
          AND l.entity_run_id = u.update_id
          AND l.event_time BETWEEN u.period_start_time AND u.period_end_time
        WHERE entity_type = 'PIPELINE'
          AND event_date + 3 <= (SELECT max(event_date) FROM access_audit)""",
    "a read by another statement, time or user than the history's": """
        FROM access_table_lineage l ANTI JOIN query_history q
          ON l.workspace_id = q.workspace_id AND l.statement_id = q.statement_id
          AND l.event_time = q.start_time AND l.created_by = q.executed_by
          AND contains(q.statement_text, l.source_table_full_name)
        WHERE l.statement_id IS NOT NULL
          AND event_date + 3 <= (SELECT max(event_date) FROM access_audit)""",
    "an id of an entity without type": """
        FROM access_table_lineage WHERE (entity_type IS NULL) <> (entity_id IS NULL)""",
    "a name that is not its parts": """
        FROM access_table_lineage
        WHERE source_table_full_name <>
          concat_ws('.', source_table_catalog, source_table_schema, source_table_name)
        OR target_table_full_name <>
          concat_ws('.', target_table_catalog, target_table_schema, target_table_name)""",
    "column lineage of an event that moved no such table": """
        FROM access_column_lineage c ANTI JOIN access_table_lineage t
          ON c.event_id = t.event_id AND c.exported_on = t.exported_on
          AND c.source_table_full_name = t.source_table_full_name
          AND c.target_table_full_name IS NOT DISTINCT FROM t.target_table_full_name""",
    "column lineage without a source column": """
        FROM access_column_lineage WHERE source_column_name IS NULL
          OR (target_table_full_name IS NULL) <> (target_column_name IS NULL)""",
    "a living table that was written later than it says": """
        FROM information_schema_tables t JOIN access_table_lineage l
          ON concat_ws('.', table_catalog, table_schema, table_name) = l.target_table_full_name
        WHERE l.event_time > t.last_altered""",
    "a table last altered when nothing wrote it": """
        FROM information_schema_tables t ANTI JOIN access_table_lineage l
          ON concat_ws('.', table_catalog, table_schema, table_name) = l.target_table_full_name
          AND l.event_time = t.last_altered
        WHERE last_altered > created AND last_altered::DATE + 3 <=
          (SELECT max(event_date) FROM access_audit)""",
    "a table in a catalog that is not billed": """
        FROM data_classification_results
        ANTI JOIN (SELECT usage_metadata.catalog_id AS catalog_id FROM billing_usage)
          USING (catalog_id)""",
    "a class of a table that is not there": """
        FROM data_classification_results ANTI JOIN information_schema_tables
          ON catalog_name = table_catalog AND schema_name = table_schema
          AND data_classification_results.table_name = information_schema_tables.table_name""",
    "a check of a table that is not there": """
        FROM data_quality_monitoring_table_results q ANTI JOIN information_schema_tables t
          ON catalog_name = table_catalog AND schema_name = table_schema
          AND q.table_name = t.table_name""",
    "a healthy result with an unhealthy part, or the other way": """
        FROM data_quality_monitoring_table_results
        WHERE (status = 'Unhealthy') <> (freshness.status = 'Unhealthy'
          OR completeness.status = 'Unhealthy' OR _internal_debug_info IS NOT NULL)""",
    "a healthy count outside of its bounds": """
        FROM data_quality_monitoring_table_results
        WHERE (completeness.daily_row_count.status = 'Healthy') <>
          (completeness.daily_row_count.last_value BETWEEN
           completeness.daily_row_count.min_predicted_value
           AND completeness.daily_row_count.max_predicted_value)""",
    "a commit that no write was": """
        FROM data_quality_monitoring_table_results q ANTI JOIN access_table_lineage l
          ON concat_ws('.', catalog_name, schema_name, table_name) = l.target_table_full_name
          AND l.event_time = freshness.commit_freshness.last_value
        WHERE freshness.commit_freshness.last_value::DATE + 3 <=
          (SELECT max(event_date) FROM access_audit)""",
    "a request to an entity that is none": """
        FROM serving_endpoint_usage ANTI JOIN serving_served_entities
          USING (workspace_id, served_entity_id)""",
    "a request before its entity was there, or after": """
        FROM serving_endpoint_usage JOIN (
          SELECT served_entity_id, min(change_time) AS born, max(endpoint_delete_time) AS gone
          FROM serving_served_entities GROUP BY 1) USING (served_entity_id)
        WHERE request_time < born OR request_time > gone + INTERVAL 6 HOUR""",
    "an endpoint that the bill does not know": """
        FROM serving_served_entities ANTI JOIN (
          SELECT workspace_id, usage_metadata.endpoint_id AS endpoint_id FROM billing_usage)
          USING (workspace_id, endpoint_id)""",
    "a billed endpoint of model serving that serves nothing": """
        FROM billing_usage u ANTI JOIN serving_served_entities s
          ON u.usage_metadata.endpoint_id = s.endpoint_id
        WHERE billing_origin_product = 'MODEL_SERVING'""",
    "a requester who is unknown": f"""
        FROM serving_endpoint_usage ANTI JOIN (
          SELECT user_identity.email AS requester FROM access_audit UNION FROM ({OWNERS}))
          USING (requester)""",
    "a model's run without its experiment": """
        FROM mlflow_runs_latest ANTI JOIN mlflow_experiments_latest
          USING (workspace_id, experiment_id)""",
    "a run of a model that is served nowhere": """
        FROM mlflow_runs_latest r ANTI JOIN serving_served_entities s
          ON r.workspace_id = s.workspace_id AND r.tags['model_name'] = s.entity_name
        WHERE tags['model_name'] IS NOT NULL""",
    "a run that goes on and has ended": """
        FROM mlflow_runs_latest WHERE (status = 'RUNNING') <> (end_time IS NULL)
          OR update_time < start_time OR aggregated_metrics IS NOT NULL AND status <> 'FINISHED'""",
}  # fmt: skip


@pytest.fixture(scope="module")
def account(sixty_days: Path) -> duckdb.DuckDBPyConnection:
    return opened(sixty_days)


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_no_table_contradicts_another(account: duckdb.DuckDBPyConnection, what: str) -> None:
    found = account.execute(f"SELECT 1 {CONTRADICTIONS[what]} LIMIT 5").fetchall()
    assert found == []


def test_more_is_asked_of_an_endpoint_that_costs_more(
    account: duckdb.DuckDBPyConnection,
) -> None:
    """The cost incident on an endpoint is seen in its requests."""
    ratios = account.execute("""
        WITH requests AS (
            SELECT endpoint_id, request_time::DATE AS day, count(*) AS requests
            FROM serving_endpoint_usage JOIN (
                SELECT DISTINCT served_entity_id, endpoint_id FROM serving_served_entities)
                USING (served_entity_id)
            WHERE databricks_request_id NOT IN (SELECT row_id FROM truth_incident_rows)
            GROUP BY ALL)
        SELECT i.factor, avg(requests) FILTER (day BETWEEN first_date AND last_date)
             / avg(requests) FILTER (day NOT BETWEEN first_date AND last_date)
        FROM truth_incidents i JOIN requests USING (endpoint_id)
        WHERE kind = 'serving_traffic' GROUP BY ALL ORDER BY 1
    """).fetchall()
    assert ratios
    largest, more = ratios[-1]
    assert largest >= 1
    assert more > 1.3
