"""What Terraform and databricks-sdk do to a workspace: make, read, change, remove."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import (
    AlreadyExists,
    BadRequest,
    InvalidParameterValue,
    InvalidState,
    NotFound,
    ResourceAlreadyExists,
    ResourceConflict,
)
from databricks.sdk.service import catalog, dashboards, iam, jobs, settings, sql, workspace

from emulator.account.schemas import system_tables
from emulator.settings import WORKSPACE_ID
from emulator.sql.catalog_store import CatalogStore
from emulator.sql.records import Function
from emulator.store import Store
from emulator.workspace.audit import STREAM
from tests.emulator.workspace_server import RunningWorkspace

NOTEBOOK = b"# Databricks notebook source\nprint(1)\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorkspace]:
    folder = tmp_path_factory.mktemp("resources")
    server = RunningWorkspace(folder / "state", folder)
    server.client.catalogs.create("spark_catalog", comment="all data")
    server.client.schemas.create("gold", "spark_catalog")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def client(running: RunningWorkspace) -> WorkspaceClient:
    return running.client


@pytest.fixture(scope="module")
def warehouse(client: WorkspaceClient) -> str:
    return str(client.warehouses.create_and_wait(name="main", cluster_size="2X-Small").id)


def test_only_one_catalog_can_hold_data(client):
    with pytest.raises(InvalidParameterValue, match="holds data only in 'spark_catalog'"):
        client.catalogs.create("other")
    with pytest.raises(BadRequest, match="already exists"):
        client.catalogs.create("spark_catalog")
    with pytest.raises(NotFound):
        client.catalogs.get("other")
    assert client.catalogs.get("spark_catalog").comment == "all data"


def test_schema_gives_back_what_was_sent(client):
    client.schemas.create("silver", "spark_catalog", properties={"a": "b"})
    shown = client.schemas.get("spark_catalog.silver")
    assert (shown.properties, shown.comment, shown.storage_root) == ({"a": "b"}, None, None)
    assert shown.enable_predictive_optimization is None
    client.schemas.update("spark_catalog.silver", comment="clean")
    assert client.schemas.get("spark_catalog.silver").comment == "clean"
    with pytest.raises(BadRequest, match="already exists"):
        client.schemas.create("silver", "spark_catalog")
    client.schemas.delete("spark_catalog.silver")
    with pytest.raises(NotFound):
        client.schemas.get("spark_catalog.silver")


def test_schema_that_holds_something_stays(client):
    client.schemas.create("held", "spark_catalog")
    client.volumes.create("spark_catalog", "held", "v", catalog.VolumeType.MANAGED)
    with pytest.raises(InvalidState, match=r"not empty.*1 volume"):
        client.schemas.delete("spark_catalog.held")
    client.schemas.delete("spark_catalog.held", force=True)
    with pytest.raises(NotFound):
        client.volumes.read("spark_catalog.held.v")


def test_files_of_a_volume(running, client):
    client.volumes.create("spark_catalog", "gold", "artifacts", catalog.VolumeType.MANAGED)
    path = "/Volumes/spark_catalog/gold/artifacts/wheels/a.whl"
    client.files.upload(path, io.BytesIO(b"wheel"), overwrite=False)
    assert client.files.download(path).contents.read() == b"wheel"
    assert client.files.get_metadata(path).content_length == 5
    listed = client.files.list_directory_contents("/Volumes/spark_catalog/gold/artifacts/wheels")
    assert [entry.path for entry in listed] == [path]
    with pytest.raises(AlreadyExists):
        client.files.upload(path, io.BytesIO(b"other"), overwrite=False)
    with pytest.raises(NotFound):
        client.files.upload("/Volumes/spark_catalog/gold/absent/x", io.BytesIO(b""))
    escaping = running.http.get("/api/2.0/fs/files/Volumes/a/b/c/%2e%2e/%2e%2e/x")
    assert escaping.status_code == 400
    client.files.delete(path)
    with pytest.raises(NotFound):
        client.files.get_metadata(path)


def test_grants_are_per_principal(client):
    name = "spark_catalog.gold"
    reader = catalog.PermissionsChange(
        principal="readers", add=[catalog.Privilege.USE_SCHEMA, catalog.Privilege.SELECT]
    )
    client.grants.update("schema", name, changes=[reader])
    less = catalog.PermissionsChange(principal="readers", remove=[catalog.Privilege.SELECT])
    left = client.grants.update("schema", name, changes=[less]).privilege_assignments
    assert [(a.principal, a.privileges) for a in left] == [
        ("readers", [catalog.Privilege.USE_SCHEMA])
    ]
    with pytest.raises(NotFound):
        client.grants.get("schema", "spark_catalog.absent")


def test_workspace_files_and_notebooks(client):
    with pytest.raises(NotFound, match="parent folder"):
        client.workspace.upload("/Shared/a/b/x.sql", io.BytesIO(b"x"))
    client.workspace.mkdirs("/Shared/a/b")
    raw = workspace.ImportFormat.RAW
    client.workspace.upload("/Shared/a/b/x.sql", io.BytesIO(b"SELECT 1"), format=raw)
    content = base64.b64encode(NOTEBOOK).decode()
    python = workspace.Language.PYTHON
    client.workspace.import_(
        "/Shared/a/n", content=content, language=python, format=workspace.ImportFormat.SOURCE
    )
    auto = workspace.ImportFormat.AUTO
    client.workspace.upload("/Shared/a/auto.py", io.BytesIO(NOTEBOOK), format=auto)
    shown = {o.path: (o.object_type.value, o.language) for o in client.workspace.list("/Shared/a")}
    assert shown == {
        "/Shared/a/auto": ("NOTEBOOK", python),
        "/Shared/a/b": ("DIRECTORY", None),
        "/Shared/a/n": ("NOTEBOOK", python),
    }
    assert client.workspace.download("/Workspace/Shared/a/b/x.sql").read() == b"SELECT 1"
    first = client.workspace.get_status("/Shared/a/n").object_id
    with pytest.raises(ResourceAlreadyExists):
        client.workspace.upload("/Shared/a/b/x.sql", io.BytesIO(b"y"), format=raw)
    client.workspace.import_(
        "/Shared/a/n", content=content, language=python, format=workspace.ImportFormat.SOURCE,
        overwrite=True,
    )  # fmt: skip
    assert client.workspace.get_status("/Shared/a/n").object_id == first
    with pytest.raises(BadRequest, match="not empty"):
        client.workspace.delete("/Shared/a")
    client.workspace.delete("/Shared/a", recursive=True)
    with pytest.raises(NotFound):
        client.workspace.get_status("/Shared/a/b/x.sql")


def test_jobs_keep_what_was_sent(client):
    task = jobs.Task(task_key="a", notebook_task=jobs.NotebookTask(notebook_path="/Shared/n"))
    job_id = client.jobs.create(name="one", tasks=[task], tags={"x": "1"}).job_id
    sent = {
        "name": "one",
        "tags": {"x": "1"},
        "tasks": [{"notebook_task": {"notebook_path": "/Shared/n"}, "task_key": "a"}],
    }
    assert client.jobs.get(job_id).settings.as_dict() == sent
    client.jobs.update(job_id, new_settings=jobs.JobSettings(max_concurrent_runs=2),
                       fields_to_remove=["tags"])  # fmt: skip
    assert client.jobs.get(job_id).settings.as_dict() == {
        "name": "one",
        "max_concurrent_runs": 2,
        "tasks": sent["tasks"],
    }
    client.jobs.reset(job_id, jobs.JobSettings(name="two"))
    assert client.jobs.get(job_id).settings.as_dict() == {"name": "two"}
    assert job_id in [job.job_id for job in client.jobs.list(name="two")]
    client.jobs.delete(job_id)
    with pytest.raises(NotFound, match=f"Job {job_id} does not exist"):
        client.jobs.get(job_id)


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([jobs.Task(task_key="a"), jobs.Task(task_key="a")], "Duplicate task keys: a"),
        (
            [jobs.Task(task_key="a", depends_on=[jobs.TaskDependency(task_key="b")])],
            "depends on b",
        ),
        ([jobs.Task(task_key="a", environment_key="e")], "environment_key e"),
    ],
)
def test_jobs_that_cannot_run_are_refused(client, tasks, message):
    with pytest.raises(InvalidParameterValue, match=message):
        client.jobs.create(name="wrong", tasks=tasks)


def test_pipelines(client):
    made = client.pipelines.create(name="p", catalog="spark_catalog", schema="gold")
    shown = client.pipelines.get(made.pipeline_id)
    assert (shown.state.value, shown.spec.id, shown.spec.serverless) == (
        "IDLE",
        made.pipeline_id,
        None,
    )
    with pytest.raises(ResourceConflict):
        client.pipelines.create(name="p", catalog="spark_catalog", schema="gold")
    client.pipelines.update(made.pipeline_id, name="q", catalog="spark_catalog", schema="gold")
    assert client.pipelines.get(made.pipeline_id).name == "q"
    client.pipelines.delete(made.pipeline_id)
    with pytest.raises(NotFound):
        client.pipelines.get(made.pipeline_id)


def test_warehouses(client, warehouse):
    with pytest.raises(ResourceAlreadyExists):
        client.warehouses.create(name="main")
    client.warehouses.edit(warehouse, name="main", cluster_size="Small")
    shown = client.warehouses.get(warehouse)
    assert (shown.cluster_size, shown.state.value, shown.enable_photon) == (
        "Small",
        "RUNNING",
        None,
    )
    client.warehouses.stop_and_wait(warehouse)
    client.warehouses.start_and_wait(warehouse)
    assert [source.warehouse_id for source in client.data_sources.list()] == [warehouse]


def test_permissions_name_the_type_in_the_singular(client, warehouse):
    job_id = str(client.jobs.create(name="guarded").job_id)
    entry = iam.AccessControlRequest(
        group_name="users", permission_level=iam.PermissionLevel.CAN_VIEW
    )
    shown = client.permissions.set("jobs", job_id, access_control_list=[entry])
    assert (shown.object_type, shown.object_id) == ("job", f"/jobs/{job_id}")
    levels = {
        (e.user_name or e.group_name): e.all_permissions[0].permission_level.value
        for e in client.permissions.get("jobs", job_id).access_control_list
    }
    assert levels == {
        "users": "CAN_VIEW",
        "admin@emulator.local": "IS_OWNER",
        "admins": "CAN_MANAGE",
    }
    assert client.permissions.get("sql/warehouses", warehouse).object_type == "warehouses"
    with pytest.raises(NotFound):
        client.permissions.get("jobs", "1")
    wrong = iam.AccessControlRequest(
        group_name="users", permission_level=iam.PermissionLevel.CAN_USE
    )
    with pytest.raises(InvalidParameterValue, match="CAN_USE"):
        client.permissions.update("jobs", job_id, access_control_list=[wrong])


def _alert(warehouse: str) -> sql.AlertV2:
    return sql.AlertV2(
        display_name="spike",
        query_text="SELECT 1 AS x",
        warehouse_id=warehouse,
        evaluation=sql.AlertV2Evaluation(
            source=sql.AlertV2OperandColumn(name="x"),
            comparison_operator=sql.ComparisonOperator.GREATER_THAN,
            threshold=sql.AlertV2Operand(value=sql.AlertV2OperandValue(double_value=1.0)),
        ),
        schedule=sql.CronSchedule(quartz_cron_schedule="0 0 8 * * ?", timezone_id="UTC"),
    )


def test_alerts(client, warehouse):
    made = client.alerts_v2.create_alert(_alert(warehouse))
    assert (made.evaluation.state.value, made.lifecycle_state.value) == ("UNKNOWN", "ACTIVE")
    assert made.parent_path is None
    change = _alert(warehouse)
    change.evaluation.source.name = "y"
    changed = client.alerts_v2.update_alert(made.id, change, "evaluation")
    assert (changed.evaluation.source.name, changed.evaluation.state.value) == ("y", "UNKNOWN")
    with pytest.raises(NotFound, match="warehouse"):
        client.alerts_v2.create_alert(_alert("absent"))
    client.alerts_v2.trash_alert(made.id)
    assert client.alerts_v2.get_alert(made.id).lifecycle_state.value == "DELETED"
    assert [a.id for a in client.alerts_v2.list_alerts()] == []


def test_notification_destinations_keep_their_secrets(client):
    slack = settings.Config(slack=settings.SlackConfig(url="https://hooks.example/secret"))
    made = client.notification_destinations.create(display_name="team", config=slack)
    assert made.destination_type == settings.DestinationType.SLACK
    shown = client.notification_destinations.get(made.id)
    assert (shown.config.slack.url, shown.config.slack.url_set) == (None, True)
    assert "hooks.example" not in str(shown.as_dict())
    two = settings.Config(
        slack=settings.SlackConfig(url="x"), email=settings.EmailConfig(addresses=["a@b.c"])
    )
    with pytest.raises(InvalidParameterValue, match="exactly one"):
        client.notification_destinations.create(display_name="two", config=two)
    client.notification_destinations.delete(made.id)


def test_dashboards_have_drafts_and_published_copies(client, warehouse):
    draft = dashboards.Dashboard(
        display_name="Cost", parent_path="/Shared", serialized_dashboard='{"pages": []}',
        warehouse_id=warehouse,
    )  # fmt: skip
    made = client.lakeview.create(draft)
    identity = made.dashboard_id
    with pytest.raises(NotFound):
        client.lakeview.get_published(identity)
    client.lakeview.publish(identity, warehouse_id=warehouse, embed_credentials=True)
    assert client.lakeview.get_published(identity).embed_credentials is True
    same = client.lakeview.update(identity, dashboards.Dashboard(display_name="Cost"))
    assert same.etag == made.etag
    other = client.lakeview.update(
        identity, dashboards.Dashboard(serialized_dashboard='{"pages": [1]}')
    )
    assert other.etag != made.etag
    with pytest.raises(InvalidParameterValue, match="not JSON"):
        client.lakeview.update(identity, dashboards.Dashboard(serialized_dashboard="{"))
    with pytest.raises(AlreadyExists):
        client.lakeview.create(draft)
    client.lakeview.trash(identity)
    assert client.lakeview.get(identity).lifecycle_state == dashboards.LifecycleState.TRASHED
    assert list(client.lakeview.list()) == []


def test_groups_and_secrets(running, client):
    body = {"displayName": "analysts"}
    path = "/api/2.0/preview/scim/v2/Groups"
    group = running.http.post(path, json=body).json()
    add = {"Operations": [{"op": "add", "path": "members", "value": [{"value": "1"}]}]}
    assert running.http.patch(f"{path}/{group['id']}", json=add).json()["members"] == [
        {"value": "1"}
    ]
    found = running.http.get(path, params={"filter": 'displayName eq "analysts"'}).json()
    assert [g["id"] for g in found["Resources"]] == [group["id"]]
    client.secrets.create_scope("s")
    client.secrets.put_secret("s", "k", string_value="v")
    assert base64.b64decode(client.secrets.get_secret("s", "k").value) == b"v"
    with pytest.raises(ResourceAlreadyExists):
        client.secrets.create_scope("s")
    client.secrets.delete_scope("s")
    with pytest.raises(NotFound):
        client.secrets.get_secret("s", "k")


def test_what_hangs_on_a_table_needs_the_table(client):
    with pytest.raises(NotFound):
        client.quality_monitors.create(
            "spark_catalog.gold.absent", assets_dir="/Shared/m",
            output_schema_name="spark_catalog.gold", snapshot=catalog.MonitorSnapshot(),
        )  # fmt: skip
    with pytest.raises(NotFound):
        client.tables.get("spark_catalog.gold.absent")
    assert client.tables.exists("spark_catalog.gold.absent").table_exists is False


def test_endpoint_without_config(client):
    made = client.serving_endpoints.create_and_wait(name="empty")
    assert (made.state.ready.value, made.config) == ("NOT_READY", None)
    with pytest.raises(BadRequest, match="serves nothing yet"):
        client.serving_endpoints.query("empty", dataframe_records=[{"a": 1}])
    with pytest.raises(ResourceAlreadyExists):
        client.serving_endpoints.create(name="empty")
    client.serving_endpoints.delete("empty")
    with pytest.raises(NotFound):
        client.serving_endpoints.get("empty")


def test_an_isolated_catalog_is_seen_from_where_it_is_bound(running, client):
    path = "/api/2.1/unity-catalog/bindings/catalog/spark_catalog"
    refused = running.http.patch(path, json={"add": [{"workspace_id": 7}]})
    assert (refused.status_code, "isolation_mode" in refused.text) == (400, True)
    client.catalogs.update("spark_catalog", isolation_mode=catalog.CatalogIsolationMode.ISOLATED)
    (own,) = running.http.get(path).json()["bindings"]
    assert str(own["workspace_id"]) == WORKSPACE_ID
    running.http.patch(path, json={"add": [{"workspace_id": 7}]})
    left = running.http.patch(path, json={"remove": [own]}).json()["bindings"]
    assert left == [{"workspace_id": 7, "binding_type": "BINDING_TYPE_READ_WRITE"}]
    assert running.http.get(path.replace("spark_catalog", "other")).status_code == 404


def test_policies_need_their_function_and_are_sqls_too(running):
    store = CatalogStore(running.state / "catalog.db")
    path = "/api/2.1/unity-catalog/policies"
    on = {"on_securable_type": "SCHEMA", "on_securable_fullname": "spark_catalog.gold"}
    mask = {"function_name": "spark_catalog.gold.hide", "on_column": "c"}
    policy = {
        **on, "name": "hide", "policy_type": "POLICY_TYPE_COLUMN_MASK", "column_mask": mask,
        "for_securable_type": "TABLE", "to_principals": ["account users"],
        "match_columns": [{"condition": "has_tag('pii')", "alias": "c"}],
    }  # fmt: skip
    assert running.http.post(path, json=policy).status_code == 404
    store.put(Function(catalog_name="spark_catalog", schema_name="gold", name="hide"))
    made = running.http.post(path, json=policy).json()
    assert policy.items() <= made.items()
    assert running.http.post(path, json=policy).json()["error_code"].endswith("ALREADY_EXISTS")
    wrong = {**policy, "name": "x", "policy_type": "POLICY_TYPE_ROW_FILTER"}
    assert "row_filter is missing" in running.http.post(path, json=wrong).text
    item = f"{path}/SCHEMA/spark_catalog.gold/hide"
    change = {"to_principals": ["a"], "comment": "not asked for"}
    changed = running.http.patch(f"{item}?update_mask=to_principals", json=change).json()
    assert (changed["to_principals"], changed.get("comment"), changed["id"]) == (
        ["a"], None, made["id"],
    )  # fmt: skip
    assert [p.name for p in store.policies.all()] == ["hide"]
    assert running.http.delete(item).status_code == 200
    assert running.http.get(item).status_code == 404


def test_writes_are_noted_for_the_audit_log_with_what_was_asked_and_how_it_ended(running, client):
    job = client.jobs.create(name="audited").job_id
    noted = Store(running.state / "workspace.db")
    last = len(noted.events(STREAM))
    client.jobs.update(job, new_settings=jobs.JobSettings(timeout_seconds=5))
    client.jobs.get(job)
    with pytest.raises(NotFound):
        client.schemas.update("spark_catalog.gone", comment="x")
    assert running.http.delete("/api/2.0/fs/files/Volumes/a/b/c%2Bd.txt").status_code == 404
    anonymous = {"Authorization": "Bearer wrong"}
    refused = running.http.post("/api/2.2/jobs/delete", json={"job_id": job}, headers=anonymous)
    assert refused.status_code == 401
    events = noted.events(STREAM)[last:]
    told = [(e["action_name"], e["request_params"], e["response"]["status_code"]) for e in events]
    assert told == [
        ("update", {"job_id": str(job)}, 200),
        ("updateSchema", {"full_name_arg": "spark_catalog.gone"}, 404),
        ("filesDelete", {"path": "/Volumes/a/b/c+d.txt"}, 404),
    ]
    assert events[0]["service_name"] == "jobs" and "databricks-sdk-py" in events[0]["user_agent"]
    known = set(system_tables()["access.audit"].arrow.names)
    assert all(event.keys() - {"number"} <= known for event in events)
