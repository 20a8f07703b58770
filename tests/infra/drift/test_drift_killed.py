"""A deploy that is killed: the next one completes, and nothing is there twice."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config

from emulator.provider.install import environment as provider_variables
from infra.deploying import destroy
from infra.naming import Naming
from infra.planning import Outcome
from infra.preflight import PreflightError
from infra.recovery import Recovery
from infra.terraform import current_variables
from tests.infra.drift.deploys import ENVIRONMENT, Deploys, kill
from tests.infra.review.make_plans import Json
from tests.infra.review.scenarios_watch import MAIL, alert, job
from tests.infra.test_infra_drift import Outside, state_bucket, workspace_server

pytestmark = pytest.mark.terraform
NAMING = Naming(ENVIRONMENT)
TAGS = ENVIRONMENT.tags
SCHEMA = {"catalog_name": "${databricks_catalog.it.name}", "name": "gold", "properties": TAGS}
IN_SCHEMA = {"catalog_name": NAMING.catalog, "schema_name": "${databricks_schema.gold.name}"}
FIRST: Json = {
    "databricks_catalog": {"it": {"name": NAMING.catalog, "properties": TAGS}},
    "databricks_schema": {"gold": {**SCHEMA, "force_destroy": True}},
    "databricks_volume": {"it": {**IN_SCHEMA, "name": "files", "volume_type": "MANAGED"}},
    "databricks_file": {
        "it": {
            "path": f"/Volumes/{NAMING.catalog}/gold/files/wheel.txt",
            "content_base64": "QQ==",
            "depends_on": ["databricks_volume.it"],
        }
    },
    "databricks_job": {"one": job(NAMING.job("one"))},
    "databricks_sql_endpoint": {
        "main": {"name": NAMING.warehouse("main"), "cluster_size": "2X-Small"}
    },
}
SECOND: Json = {
    **FIRST,
    "databricks_job": {"one": job(NAMING.job("one")), "two": job(NAMING.job("two"))},
    "databricks_pipeline": {"silver": {"name": NAMING.pipeline("silver"), "serverless": True}},
    "databricks_notification_destination": {
        "email": {**MAIL["email"], "display_name": NAMING.title("email")}
    },
    "databricks_alert_v2": {
        "no_usage": alert(
            NAMING.title("no usage"), warehouse_id="${databricks_sql_endpoint.main.id}"
        )
    },
    "databricks_dashboard": {
        "cost": {
            "display_name": NAMING.title("cost"),
            "parent_path": f"{NAMING.folder}/dashboards",
            "warehouse_id": "${databricks_sql_endpoint.main.id}",
            "serialized_dashboard": "{}",
        }
    },
    "databricks_model_serving": {"model": {"name": NAMING.endpoint("model")}},
}


class Workspace:
    """What a killed deploy may have made twice, and what looks for it."""

    def __init__(self, variables: dict[str, str], deploys: Deploys) -> None:
        self.outside = Outside(variables)
        self.deploys = deploys
        config = Config(host=variables["DATABRICKS_HOST"], token=variables["DATABRICKS_TOKEN"])
        self.client = WorkspaceClient(config=config)

    def names(self) -> Counter[str]:
        """How often each name is there."""
        client = self.client
        return Counter(
            str(name)
            for name in (
                *(item.settings.name for item in client.jobs.list() if item.settings),
                *(item.name for item in client.warehouses.list()),
                *(item.name for item in client.pipelines.list_pipelines()),
                *(item.display_name for item in client.alerts_v2.list_alerts()),
                *(item.display_name for item in client.lakeview.list()),
                *(item.display_name for item in client.notification_destinations.list()),
                *(item.name for item in client.serving_endpoints.list()),
                *(item.full_name for item in client.volumes.list(NAMING.catalog, "gold")),
            )
        )

    def missing(self, resources: Json) -> set[str]:
        """What the state does not hold; it may have been written once on a slow machine."""
        terraform, folder = self.deploys.planner.terraform, self.deploys.stack
        return addresses(resources) - {item.address for item in terraform.resources(folder)}

    def deploy(self) -> tuple[int, list[str], str]:
        """As `python -m infra deploy`: its code, what it imports, what it says."""
        found: list[str] = []
        with self.recovery(found).imports(["governance"]):
            code, said = self.deploys.deploy()
        return code, found, said

    def forget(self, address: str) -> None:
        """As if a deploy had not noted it."""
        subprocess.run(
            [self.deploys.planner.terraform.program, "state", "rm", address],
            cwd=self.deploys.stack,
            env=dict(self.deploys.planner.terraform.variables),
            check=True,
            capture_output=True,
        )

    def recovery(self, said: list[str]) -> Recovery:
        return Recovery(self.deploys.planner, lambda: self.client, said.append)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("killed")
    with workspace_server(folder / "workspace") as server, state_bucket() as bucket:
        offline = provider_variables(folder / "provider", Path(sys.executable))
        variables = {**current_variables(), **server, **bucket, **offline}
        yield Workspace(server, Deploys(folder, variables, FIRST))


def addresses(resources: Json) -> set[str]:
    return {f"{type_}.{name}" for type_, named in resources.items() for name in named}


def test_killed_before_the_state_was_written_all_is_imported(workspace: Workspace) -> None:
    deploys = workspace.deploys
    with deploys.at_work() as process:
        kill(process.pid)
    missing = workspace.missing(FIRST)
    made = workspace.names()
    assert made[NAMING.job("one")] == 1 and missing

    deploys.go.touch()
    with workspace.recovery([]).imports(["governance"]) as ready:
        (plan,) = ready.plan(["governance"])
    assert "is locked by" in plan.errors[0]
    deploys.unlock(plan.errors[0])
    code, found, said = workspace.deploy()
    assert code == 0, said
    assert {line.split()[1] for line in found} == missing
    assert workspace.names() == made and set(made.values()) == {1}
    assert_settled(workspace)


def test_killed_with_a_part_in_the_state_the_rest_is_imported(workspace: Workspace) -> None:
    deploys = workspace.deploys
    deploys.configure(SECOND)
    with deploys.command_at_work() as process:
        kill(process.pid)
    missing = workspace.missing(SECOND)
    assert missing and missing <= addresses(SECOND) - addresses(FIRST)
    made = workspace.names()

    deploys.go.touch()
    code, found, said = workspace.deploy()
    assert code == 1
    deploys.unlock(said)
    assert not (deploys.stack / "imports.tf.json").exists()
    code, found, said = workspace.deploy()
    assert code == 0, said
    assert {line.split()[1] for line in found} == missing
    assert "imported, not created" in found[0]
    assert workspace.names() == made and set(made.values()) == {1}
    assert_settled(workspace)


def assert_settled(workspace: Workspace) -> None:
    """Nothing to do, nothing in no state."""
    with workspace.recovery([]).imports(["governance"]) as ready:
        assert not (workspace.deploys.stack / "imports.tf.json").exists()
        (plan,) = ready.plan(["governance"])
    assert plan.outcome is Outcome.UNCHANGED, plan


def test_a_plan_shows_the_import_and_a_doubt_is_a_persons_to_settle(workspace: Workspace) -> None:
    deploys, outside = workspace.deploys, workspace.outside
    first = outside.job("two")
    workspace.forget("databricks_job.two")
    with workspace.recovery([]).imports(["governance"]) as ready:
        (plan,) = ready.plan(["governance"])
    assert [(change.address, change.action) for change in plan.changes] == [
        ("databricks_job.two", "import")
    ]
    second = outside.call("POST", "/api/2.2/jobs/create", {"name": NAMING.job("two")})["job_id"]
    with pytest.raises(PreflightError) as caught:
        workspace.recovery([]).orphans(["governance"])
    said = str(caught.value)
    assert f"2 have its name ({first}, {second}); delete all but one" in said
    assert f"terraform -chdir={deploys.stack} import databricks_job.two {first}" in said

    # Somebody else's catalog may have our name: it needs our tags to be ours.
    workspace.forget("databricks_catalog.it")
    catalog = f"/api/2.1/unity-catalog/catalogs/{NAMING.catalog}"
    outside.call("PATCH", catalog, {"properties": {"owner": "others"}})
    with pytest.raises(PreflightError, match="bears no sign of the platform"):
        workspace.recovery([]).orphans(["governance"])


def test_a_destroy_takes_away_what_no_state_held_and_leaves_what_is_in_doubt(
    workspace: Workspace,
) -> None:
    """After the test above: two jobs of one name, and a catalog that may be somebody else's."""
    workspace.forget("databricks_alert_v2.no_usage")
    workspace.forget("databricks_dashboard.cost")
    said: list[str] = []
    recovery = workspace.recovery(said)
    recovery.adopt(["governance"])
    told = " ".join(line for line in said if "taken into it" in line)
    assert "databricks_alert_v2.no_usage" in told and "databricks_dashboard.cost" in told
    doubts = [line for line in said if line.startswith("not destroyed")]
    assert len(said) == 4 and len(doubts) == 2
    assert "databricks_job.two" in doubts[0] + doubts[1]

    terraform, output = recovery.planner.terraform, workspace.deploys.folder / "cdktf.out"
    assert destroy(ENVIRONMENT, ["governance"], terraform, output, said.append) == 0, said
    client = workspace.client
    assert [job.settings.name for job in client.jobs.list() if job.settings] == [
        NAMING.job("two"),
        NAMING.job("two"),
    ]
    assert not list(client.alerts_v2.list_alerts()) and not list(client.lakeview.list())
    assert [catalog.name for catalog in client.catalogs.list()] == [NAMING.catalog]
    assert not list(client.warehouses.list())
