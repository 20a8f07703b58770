"""What counts as drift, on plans that Terraform made after changes by hand."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

from rich.console import Console

from infra.drift.checking import Report
from infra.drift.findings import StackDrift, find_drift, groups
from infra.drift.known import Acceptance
from infra.drift.report import Reporter
from infra.drift.ways import Directions
from infra.review.plan_file import Plan
from tests.infra.drift.bench import NAMING
from tests.infra.review.recorded import NO_DEFINITIONS, document, plan

TODAY = date(2026, 11, 27)
EXPECTED = {
    "databricks_alert_v2.deleted": ["deleted"],
    "databricks_alert_v2.paused": ["schedule.pause_status"],
    "databricks_job.tags": ["tags.owner"],
}


def drift(outside: Plan, healing: Plan) -> StackDrift:
    return find_drift("pipelines", outside, healing, NO_DEFINITIONS, Acceptance([], TODAY))


def paths(found: StackDrift) -> dict[str, list[str]]:
    return {finding.change.address: finding.paths for finding in found.findings}


def test_recorded_changes_are_found() -> None:
    found = drift(plan("drift"), plan("drift_and_heal"))
    assert paths(found) == EXPECTED and found.left_alone == []


def test_what_no_deploy_would_change_is_named_and_does_not_count() -> None:
    healing = plan("drift_and_heal")
    kept = [item for item in healing.resource_changes if item.address != "databricks_job.tags"]
    found = drift(plan("drift"), healing.model_copy(update={"resource_changes": kept}))
    assert found.left_alone == [("databricks_job.tags", "tags.owner")]
    assert "databricks_job.tags" not in paths(found)


def test_a_move_is_the_codes_and_no_drift() -> None:
    moved = [i for i in plan("moved").resource_changes if i.change.actions == ["no-op"]]
    assert moved
    outside = plan("drift").model_copy(update={"resource_drift": moved})
    assert drift(outside, plan("moved")).findings == []


def test_a_sensitive_value_that_drifted_is_never_shown() -> None:
    def marked(name: str, key: str) -> Plan:
        content: dict[str, Any] = document(name)
        for item in content[key]:
            if item["address"] == "databricks_job.tags":
                for side in ("before_sensitive", "after_sensitive"):
                    item["change"][side] = {"tags": True}
        return Plan.model_validate(content)

    found = drift(marked("drift", "resource_drift"), marked("drift_and_heal", "resource_changes"))
    report = Report(stacks={"pipelines": found})
    reporter = Reporter("local", Directions(NAMING, NO_DEFINITIONS))
    written = io.StringIO()
    reporter.show(report, Console(file=written, soft_wrap=True))
    for text in (reporter.as_json(report), written.getvalue()):
        assert "set tags to (sensitive value)" in text
        assert "nobody" not in text and "platform_team" not in text


def test_the_same_transition_is_told_once() -> None:
    found = drift(plan("drift"), plan("drift_and_heal"))
    assert [len(group) for group in groups([*found.findings, *found.findings])] == [2, 2, 2]
