"""What runs, what it costs, and what tells people."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.infra.review.make_plans import Json, Scenario
from tests.infra.review.scenarios_access import resources, table

NOTIFY = {"destination_id": "${databricks_notification_destination.email.id}"}
PERSON = {"user_email": "finance@example.com"}
MAIL = {
    "email": {
        "display_name": "On call",
        "config": {"email": {"addresses": ["on-call@example.com"]}},
    }
}


def alert(name: str, **more: Any) -> Json:
    """An alert; more sets parts of its evaluation or schedule, or whole attributes."""
    evaluation = {
        "source": {"name": "cost"},
        "comparison_operator": "GREATER_THAN",
        "threshold": {"value": {"double_value": 100}},
        "empty_result_state": "OK",
        "notification": {"subscriptions": [NOTIFY, PERSON]},
    }
    schedule = {
        "quartz_cron_schedule": "0 0 * * * ?",
        "timezone_id": "UTC",
        "pause_status": "UNPAUSED",
    }
    evaluation |= {key: more.pop(key) for key in list(more) if key in evaluation}
    schedule |= {key: more.pop(key) for key in list(more) if key in schedule}
    return {
        "display_name": name,
        "query_text": "SELECT sum(cost) AS cost\nFROM shop.gold.fact_usage\nWHERE day = today()\n",
        "warehouse_id": "w1",
        "evaluation": evaluation,
        "schedule": schedule,
        **more,
    }


NAMES = ["deleted", "paused", "emptied", "fewer", "loosened", "tightened", "below", "operator"]
NAMES += ["slowed", "quicker", "query", "words"]
BELOW = {"comparison_operator": "LESS_THAN"}
ALERTS_BEFORE = {name: alert(name, **(BELOW if name == "below" else {})) for name in NAMES}
ALERTS_AFTER = {
    "paused": alert("paused", pause_status="PAUSED"),
    "emptied": alert("emptied", notification={"subscriptions": []}),
    "fewer": alert("fewer", notification={"subscriptions": [PERSON]}),
    "loosened": alert("loosened", threshold={"value": {"double_value": 500}}),
    "tightened": alert("tightened", threshold={"value": {"double_value": 50}}),
    "below": alert("below", threshold={"value": {"double_value": 50}}, **BELOW),
    "operator": alert("operator", comparison_operator="EQUAL"),
    "slowed": alert("slowed", quartz_cron_schedule="0 0 8 * * ?"),
    "quicker": alert("quicker", quartz_cron_schedule="0 */10 * * * ?"),
    "query": alert(
        "query", query_text="SELECT sum(cost) AS cost\nFROM shop.gold.fact_usage\nWHERE true\n"
    ),
    "words": alert("words", custom_summary="Look at this"),
}


def job(name: str, cron: str | None = "0 0 1 * * ?", **more: Any) -> Json:
    body: Json = {
        "name": name,
        "max_concurrent_runs": 1,
        "task": [task("load"), task("check", depends_on=[{"task_key": "load"}])],
        "environment": [
            {"environment_key": "default", "spec": {"environment_version": "4"}},
        ],
        "tags": {"owner": "platform_team"},
        **more,
    }
    if cron is not None:
        body["schedule"] = {
            "quartz_cron_expression": cron,
            "timezone_id": "UTC",
            "pause_status": body.pop("pause_status", "UNPAUSED"),
        }
    return body


def task(key: str, **more: Any) -> Json:
    wheel = {"package_name": "monitor", "entry_point": key}
    return {"task_key": key, "environment_key": "default", "python_wheel_task": wheel, **more}


JOBS = ["paused", "slowed", "quicker", "unscheduled", "described", "tasks", "deleted"]
NEW_TASKS = [
    task("first"),
    task("check", depends_on=[{"task_key": "load"}], max_retries=2),
    task("load"),
]
JOBS_AFTER = {
    "paused": job("paused", pause_status="PAUSED"),
    "slowed": job("slowed", cron="0 0 1 ? * MON"),
    "quicker": job("quicker", cron="0 0 * * * ?"),
    "unscheduled": job("unscheduled", cron=None),
    "described": job("described", description="Loads.", tags={"owner": "data_team"}),
    "tasks": job("tasks", task=NEW_TASKS),
    "renamed_now": job("same name"),
}


def monitor(**more: Any) -> Json:
    return {
        "table_name": "shop.gold.fact_usage",
        "assets_dir": "/m",
        "output_schema_name": "shop.gold_monitoring",
        "snapshot": {},
        **more,
    }


def compute(size: str, clusters: int, served: str, continuous: bool) -> Json:
    return resources(
        sql_endpoint={
            "main": {
                "name": "main",
                "cluster_size": size,
                "max_num_clusters": clusters,
                "enable_serverless_compute": True,
                "warehouse_type": "PRO",
            }
        },
        model_serving={
            "it": {
                "name": "detector",
                "config": {
                    "served_entities": [
                        {
                            "name": "v1",
                            "entity_name": "shop.ml.detector",
                            "entity_version": "1",
                            "workload_size": served,
                            "scale_to_zero_enabled": False,
                        }
                    ]
                },
            }
        },
        pipeline={
            "silver": {
                "name": "silver",
                "catalog": "shop",
                "schema": "silver",
                "serverless": True,
                "continuous": continuous,
            }
        },
    )


def dashboard(title: str, sql: str, order: int) -> Json:
    widgets = [
        {"widget": {"name": "total", "spec": {"frame": {"title": title}}}, "position": {"x": 0}},
        {
            "widget": {"name": "by_day", "spec": {"frame": {"title": "By day"}}},
            "position": {"x": 6},
        },
    ]
    content = {
        "datasets": [{"name": "usage", "queryLines": sql.splitlines(keepends=True)}],
        "pages": [{"name": "main", "layout": widgets[::order]}],
    }
    body = {"display_name": "Cost", "parent_path": "/d", "warehouse_id": "w1"}
    return {**body, "serialized_dashboard": json.dumps(content, indent=2)}


def file(path: str, text: str) -> Json:
    return {"path": path, "content_base64": base64.b64encode(text.encode()).decode()}


SQL_PATH = "/Shared/monitor/prod/definitions/gold/billing/fact_usage.sql"
SQL_BEFORE = "SELECT usage_date,\n       sum(cost) AS cost\nFROM silver.silver_usage\n"
SQL_AFTER = SQL_BEFORE.replace("sum(cost)", "max(cost)")


def shown(title: str, sql: str, order: int) -> Json:
    return resources(
        dashboard={"cost": dashboard(title, sql, order)},
        workspace_file={"file_gold_billing_fact_usage_sql": file(SQL_PATH, sql)},
    )


def graph(*, whole: bool) -> Json:
    """A schema, its table, what stands on it by reference, and whom an alert tells."""
    used = resources(
        notification_destination=MAIL,
        job={"kept": job("kept", description="${databricks_registered_model.it.id}")},
    )
    gone = resources(
        registered_model={
            "it": {"name": "detector", "catalog_name": "shop", "schema_name": "ml"},
        },
        sql_table={"table_fact_usage": table()},
        alert_v2={"spend": alert("spend")},
    )
    if whole:
        return {"resource": {**used["resource"], **gone["resource"]}}
    renamed = {"it": {"name": "finder", "catalog_name": "shop", "schema_name": "ml"}}
    kept = {
        "databricks_registered_model": renamed,
        "databricks_alert_v2": {"spend": alert("spend")},
    }
    return {"resource": {**used["resource"], **kept}}


MASKED = "CREATE TABLE t (email STRING);\nALTER TABLE t ALTER COLUMN email SET MASK gold.mask;\n"
BARE = "CREATE TABLE t (email STRING);\n"


def quiet(told: list[str], seconds: int, code: str, order: int) -> Json:
    """What is easily overlooked: a file of code, mails of a job, its health, order alone."""
    rule = {"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": seconds}
    emails = {"on_failure": told} if told else {}
    return resources(
        workspace_file={"code": file("/Shared/monitor/setup.sql", code)},
        job={
            "mails": job("mails", email_notifications=emails),
            "health": job("health", health={"rules": [rule]}),
        },
        dashboard={"order": dashboard("Total", "SELECT 1", order)},
    )


WATCH: dict[str, Scenario] = {
    "quiet": Scenario(quiet([], 7200, BARE, -1), quiet(["on-call@example.com"], 3600, MASKED, 1)),
    "alerts": Scenario(
        resources(notification_destination=MAIL, alert_v2=ALERTS_AFTER),
        resources(notification_destination=MAIL, alert_v2=ALERTS_BEFORE),
    ),
    "jobs": Scenario(
        resources(job=JOBS_AFTER),
        resources(job={**{name: job(name) for name in JOBS}, "renamed_was": job("same name")}),
    ),
    "monitors": Scenario(
        resources(
            quality_monitor={"unscheduled": monitor()},
        ),
        resources(
            quality_monitor={
                "unscheduled": monitor(
                    schedule={"quartz_cron_expression": "0 0 1 * * ?", "timezone_id": "UTC"}
                ),
                "removed": monitor(),
            }
        ),
    ),
    "compute": Scenario(
        compute("Medium", 4, "Medium", continuous=True),
        compute("Small", 1, "Small", continuous=False),
    ),
    "endpoint_replaced": Scenario(
        resources(model_serving={"it": {"name": "detector_2"}}),
        resources(model_serving={"it": {"name": "detector"}}),
    ),
    "shown": Scenario(shown("Total cost", SQL_AFTER, -1), shown("Total", SQL_BEFORE, 1)),
    "graph": Scenario(graph(whole=False), graph(whole=True)),
}
