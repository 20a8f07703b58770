"""Whom a change touches, where it was written, and what is only a rename."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from health_monitor.spec import Alert, Gold, load_definitions
from health_monitor.spec.sql import tables_of

from infra.paths import DEFINITIONS
from infra.review.assets import find_assets
from infra.review.changes import Action, Change
from infra.review.differences import Difference, Kind
from infra.review.graph import read_graph, without_index
from infra.review.impact import Impact
from infra.review.renames import find_renames
from infra.review.reviewing import Review
from infra.review.sources import Sources
from tests.infra.review.recorded import DEFINITIONS as FIXTURE
from tests.infra.review.recorded import change, reviewed


def impact(found: Review, address: str) -> Impact:
    (item,) = [item for item in found.impacts if item.address == address]
    return item


def test_what_reads_a_table_that_is_deleted_and_who_is_told() -> None:
    found = impact(reviewed("graph", definitions=True), "databricks_sql_table.table_fact_usage")
    assert found.stops
    assert found.assets == {
        "alerts": ["no_usage"],
        "dashboards": ["cost"],
        "functions": ["get_daily_usage"],
        "jobs": ["annual_recovery_drill"],
        "monitors": ["usage"],
        "views": ["usage_analytics"],
    }
    # By the plan alone: an alert whose query names the table, whom it tells, by id and by address.
    assert found.resources == ["databricks_alert_v2.spend"]
    assert {"On call", "finance@example.com"} <= {*found.subscribers}
    # By the definitions: the severity of the alerts, for they name no destination.
    assert "severity critical" in found.subscribers


def test_without_definitions_the_plan_still_says_what_reads_a_table() -> None:
    found = impact(reviewed("graph"), "databricks_sql_table.table_fact_usage")
    assert found.resources == ["databricks_alert_v2.spend"] and found.assets == {}
    assert found.subscribers == ["On call", "finance@example.com"]


def test_what_refers_to_a_replaced_resource_and_who_owns_it() -> None:
    found = impact(reviewed("graph"), "databricks_registered_model.it")
    assert found.resources == ["databricks_job.kept"]
    assert found.owners == ["platform_team"]


def test_a_changed_query_is_read_by_others_but_stops_nothing() -> None:
    address = "databricks_workspace_file.file_gold_billing_fact_usage_sql"
    found = impact(reviewed("shown", definitions=True), address)
    assert not found.stops
    assert found.assets["functions"] == ["get_daily_usage"]


def test_a_schema_takes_all_that_is_in_it() -> None:
    found = impact(reviewed("destroyed", definitions=True), "databricks_schema.it")
    assert found.assets["alerts"] == ["no_usage", "unusual_cost"]
    assert found.owners == ["platform_team"]


def test_lineage_agrees_with_the_validated_definitions() -> None:
    """It may know more (a feed is no part of a query), never less."""
    definitions = load_definitions(DEFINITIONS, references=False)
    assets = find_assets(DEFINITIONS, "definitions")
    reads = {(r.asset.kind, r.asset.name): r.reads | r.makes for r in assets.readings}
    assert assets.problems == []
    checked = 0
    queries: list[Gold | Alert] = [*definitions.gold.values(), *definitions.alerts.values()]
    for definition in queries:
        if definition.sql:
            tables = {name for name in tables_of(definition.sql) if name.count(".") == 1}
            assert tables <= reads[(definition.kind, definition.name)], definition.path
            checked += 1
    assert checked > 30


def test_a_comment_is_no_lineage(tmp_path: Path) -> None:
    folder = tmp_path / "functions" / "cost"
    folder.mkdir(parents=True)
    (folder / "f.sql").write_text(
        "-- once gold.old_one\nCREATE FUNCTION gold.f() COMMENT 'not gold.this'\n"
        "RETURN SELECT * FROM `gold`.`used` /* nor gold.that */\n"
    )
    (tmp_path / "gold" / "cost").mkdir(parents=True)
    table = "foreign_keys: [{references: gold.dim}]\nrefresh: {feeds: [{table: gold.fed}]}\n"
    (tmp_path / "gold" / "cost" / "t.yml").write_text(table)
    (tmp_path / "genie_spaces" / "cost").mkdir(parents=True)
    space = "comment: About gold.words\ntables: [gold.used]\n"
    (tmp_path / "genie_spaces" / "cost" / "space.yml").write_text(space)
    (tmp_path / "genie_spaces" / "cost" / "broken.yml").write_text("tables: [gold.used\n")
    assets = find_assets(tmp_path, "d")
    reads = {reading.asset.name: reading.reads for reading in assets.readings}
    assert reads["f"] == {"gold.used"} and reads["space"] == {"gold.used"}
    assert reads["t"] == {"gold.fed"}, "a key does not read what it refers to"
    (problem,) = assets.problems
    assert problem.startswith("d/genie_spaces/cost/broken.yml: lineage not read")


@pytest.mark.parametrize(
    ("plan", "address", "source"),
    [
        ("graph", "table_fact_usage", "definitions/gold/billing/fact_usage.yml:1"),
        (
            "shown",
            "file_gold_billing_fact_usage_sql",
            "definitions/gold/billing/fact_usage.sql:2",
        ),
        ("graph", "kept", "None"),
    ],
)
def test_the_source_of_a_change(plan: str, address: str, source: str) -> None:
    assert str(change(reviewed(plan, definitions=True), address).source) == source


def test_every_definition_is_found_by_the_names_that_the_stacks_use(
    stacks_of: dict[str, Any],
) -> None:
    """The addresses that were synthesized from the test definitions lead back to them."""
    sources = Sources(find_assets(FIXTURE, "definitions"))
    found: dict[str, list[str]] = {}
    for stack in stacks_of["prod"].values():
        for kind, named in stack["resource"].items():
            for name, body in named.items():
                item = Change(f"{kind}.{name}", kind, Action.CREATE, {}, body)
                source = sources.source(item)
                if source is not None:
                    found.setdefault(source.file.removeprefix("definitions/"), []).append(name)
    expected = {file for asset in sources.assets.assets for file in asset.files}
    by_yaml = {file for file in expected if not file.startswith("alerts/") or ".yml" in file}
    assert set(found) == by_yaml
    assert found["alerts/cost/no_usage.yml"] == ["alert_no_usage"]
    assert sorted(found["models/cost/cost_anomaly_detector.yml"]) == [
        "endpoint_cost_anomaly_detector",
        "experiment_cost_anomaly_detector",
        "file_models_cost_cost_anomaly_detector_yml",
        "model_cost_anomaly_detector",
    ]
    assert found["jobs/ml/model_training.yml"] == ["job_cost_anomaly_detector_training"]
    assert found["jobs/bronze/bronze_ingest.yml"] == ["job_bronze_billing_ingest"]
    assert found["jobs/gold/gold_refresh.yml"] == ["job_gold_refresh"]
    assert found["jobs/gold/gold_domain_refresh.yml"] == ["job_gold_billing_refresh"]
    assert found["jobs/orchestration/domain_refresh.yml"] == ["job_domain_billing_refresh"]


def test_a_threshold_leads_to_its_line() -> None:
    path = ("evaluation", "threshold", "value", "double_value")
    item = Change(
        "databricks_alert_v2.alert_no_usage",
        "databricks_alert_v2",
        Action.UPDATE,
        {},
        {},
        [Difference(path, Kind.CHANGED, 1, 2)],
    )
    source = Sources(find_assets(FIXTURE, "definitions")).source(item)
    assert source is not None
    lines = (FIXTURE / source.file.removeprefix("definitions/")).read_text().splitlines()
    assert lines[source.line - 1].startswith("threshold:")


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (("timeout_seconds",), "timeout_minutes:"),
        (("schedule", "quartz_cron_expression"), "schedule: {cron:"),
        (("description",), "description:"),
    ],
)
def test_a_job_leads_to_its_line(path: tuple[str, ...], key: str) -> None:
    address = "databricks_job.job_daily_health_check"
    difference = Difference(path, Kind.CHANGED, 1, 2)
    item = Change(address, "databricks_job", Action.UPDATE, {}, {}, [difference])
    source = Sources(find_assets(FIXTURE, "definitions")).source(item)
    assert source is not None
    assert source.file == "definitions/jobs/runbooks/daily_health_check.yml"
    lines = (FIXTURE / source.file.removeprefix("definitions/")).read_text().splitlines()
    assert lines[source.line - 1].startswith(key)


def test_a_rename_has_the_lines_that_keep_the_state() -> None:
    (rename,) = reviewed("jobs").renames
    assert rename.block == (
        "moved {\n  from = databricks_job.renamed_was\n  to   = databricks_job.renamed_now\n}"
    )
    command = "terraform state mv 'databricks_job.renamed_was' 'databricks_job.renamed_now'"
    assert rename.command == command
    reasons = change(reviewed("jobs"), "renamed_was").reasons
    assert f"looks like a rename to databricks_job.renamed_now: {command}" in reasons


def test_one_name_in_two_schemas_is_no_rename() -> None:
    kind = "databricks_sql_table"
    old = {"name": "t", "schema_name": "gold"}
    gone = Change(f"{kind}.a", kind, Action.DELETE, old, {})
    other = Change(f"{kind}.b", kind, Action.CREATE, {}, {**old, "schema_name": "silver"})
    same = Change(f'{kind}.c["x"]', kind, Action.CREATE, {}, old)
    assert find_renames([gone, other]) == []
    (rename,) = find_renames([gone, other, same])
    assert rename.new == f'{kind}.c["x"]'


def test_the_graph_follows_inputs_and_outputs_of_modules() -> None:
    def resource(address: str, *references: str) -> dict[str, Any]:
        return {"address": address, "expressions": {"x": {"references": list(references)}}}

    inner = {
        "resources": [resource("t.inside", "var.given")],
        "outputs": {"id": {"expression": {"references": ["t.inside.id", "t.inside"]}}},
    }
    root = {
        "resources": [resource("t.first"), resource("t.last", "module.m.id", "module.m")],
        "module_calls": {
            "m": {"module": inner, "expressions": {"given": {"references": ["t.first.id"]}}}
        },
    }
    graph = read_graph({"root_module": root})
    assert graph.downstream(["t.first"]) == {"module.m.t.inside", "t.last"}
    assert graph.downstream(["module.m.t.inside"]) == {"t.last"}
    assert without_index('module.m["a.b"].t.x[0]') == "module.m.t.x"
