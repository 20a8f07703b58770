"""What is the platform's own and in no state, in a workspace whose lists a test writes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import PermissionDenied
from databricks.sdk.service.workspace import ObjectType

from infra.drift.unmanaged import Found, Held, Search
from infra.drift.ways import HOMES, REMOVALS, removal
from infra.environment import load_environment
from infra.naming import Naming
from infra.review.assets import find_assets
from infra.review.plan_file import Plan
from tests.infra.drift.bench import DEFINITIONS

NAMING = Naming(load_environment("prod"))
TAGS = NAMING.environment.tags
FOLDER = NAMING.folder


def thing(**attributes: Any) -> SimpleNamespace:
    return SimpleNamespace(**attributes)


def table(name: str) -> SimpleNamespace:
    schema, _, last = name.partition(".")
    return thing(name=last, full_name=f"health_monitor.{name}", schema=schema)


TABLES = [
    table("gold.fact_usage"),
    table("gold.scratch"),
    table("silver.silver_usage__expectations"),
    table("silver.__materialization_x"),
    table("platform.source_status"),
]
FILES = {
    FOLDER: [(f"{FOLDER}/monitors", "DIRECTORY"), (f"/Workspace{FOLDER}/sub", "DIRECTORY")],
    f"{FOLDER}/sub": [
        (f"/Workspace{FOLDER}/sub/held", "NOTEBOOK"),
        (f"{FOLDER}/sub/x.sql", "FILE"),
    ],
    f"{FOLDER}/monitors": [(f"{FOLDER}/monitors/made", "FILE")],
}


class Workspace:
    """Answers each list; a kind that a test does not write is empty."""

    def __init__(self, **lists: Any) -> None:
        self.lists = lists

    def __getattr__(self, name: str) -> Any:
        items = self.lists.get(name, [])

        def listed(*arguments: Any, **more: Any) -> Any:
            if isinstance(items, Exception):
                raise items
            return items(*arguments, **more) if callable(items) else items

        methods = ("list", "list_pipelines", "list_alerts")
        return SimpleNamespace(**dict.fromkeys(methods, listed))


def search(**lists: Any) -> tuple[set[str], list[str]]:
    client = cast(WorkspaceClient, Workspace(**lists))
    assets = find_assets(DEFINITIONS, "definitions")
    resource = {"mode": "managed", "type": "databricks_notebook"}
    values = {"id": f"{FOLDER}/sub/held"}
    root = {"resources": [{**resource, "values": values}]}
    state = {"values": {"root_module": root}}
    held = Held.of([Plan(format_version="1.2", prior_state=state)])
    found, notes = Search(client, NAMING, assets).unmanaged(held)
    return {item.address for item in found}, notes


def test_what_jobs_make_from_definitions_is_not_listed() -> None:
    found, notes = search(
        tables=lambda catalog, schema, **more: [t for t in TABLES if t.schema == schema]
    )
    assert (found, notes) == ({"databricks_sql_table/health_monitor.gold.scratch"}, [])


def test_a_copy_is_known_by_its_tags_and_another_platform_is_left_alone() -> None:
    jobs = [
        thing(job_id=1, settings=thing(name="Copy of gold", tags={**TAGS, "layer": "gold"})),
        thing(job_id=2, settings=thing(name="health_monitor_prod_x", tags=None)),
        thing(job_id=3, settings=thing(name="health_monitor_dev_x", tags=None)),
        thing(job_id=4, settings=thing(name="theirs", tags={"project": "health_monitor"})),
    ]
    found, _ = search(jobs=jobs)
    assert found == {"databricks_job/Copy of gold", "databricks_job/health_monitor_prod_x"}


def test_titles_and_folders_make_dashboards_the_platforms() -> None:
    boards = [
        thing(dashboard_id="1", display_name="[Health Monitor prod] Mine", path="/Users/a/x"),
        thing(dashboard_id="2", display_name="Copy", path=f"/Workspace{FOLDER}/dashboards/x"),
        thing(dashboard_id="3", display_name="fact_usage Monitoring", path=f"{FOLDER}/monitors/x"),
        thing(dashboard_id="4", display_name="[Health Monitor dev] Mine", path="/Users/a/y"),
    ]
    found, _ = search(lakeview=boards)
    assert found == {"databricks_dashboard/[Health Monitor prod] Mine", "databricks_dashboard/Copy"}


def test_files_below_the_folder_but_for_those_of_monitors() -> None:
    def listing(path: str) -> list[SimpleNamespace]:
        return [thing(path=name, object_type=ObjectType(kind)) for name, kind in FILES[path]]

    found, _ = search(workspace=listing)
    assert found == {f"databricks_workspace_file/{FOLDER}/sub/x.sql"}


def test_a_kind_that_may_not_be_listed_is_named_and_the_others_are_listed() -> None:
    jobs = [thing(job_id=2, settings=thing(name="health_monitor_prod_x", tags=None))]
    found, notes = search(jobs=jobs, volumes=PermissionDenied("no USE SCHEMA\nmore"))
    assert found == {"databricks_job/health_monitor_prod_x"}
    assert notes == ["volumes could not be listed: no USE SCHEMA"]


def test_every_type_has_a_home_and_a_removal() -> None:
    assert HOMES.keys() == REMOVALS.keys()
    assert removal(Found("databricks_job", "7; rm", "x")) == "databricks jobs delete '7; rm'"
