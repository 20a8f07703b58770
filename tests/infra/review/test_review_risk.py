"""Every rule, on plans that Terraform made (see make_plans.py)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.review.assessment import RULES
from infra.review.reviewing import Inputs, review
from infra.review.risk import Risk
from infra.review.rule import Rule
from infra.review.rules_other import Gone, NotJudged
from tests.infra.review.recorded import NO_DEFINITIONS, PLANS, change, plan, reviewed

CRITICAL, HIGH, MEDIUM, LOW = Risk.CRITICAL, Risk.HIGH, Risk.MEDIUM, Risk.LOW
ALL_PLANS = sorted(path.stem for path in PLANS.glob("*.json") if ".tf" not in path.name)


@pytest.mark.parametrize(
    ("name", "address", "action", "risk", "reason"),
    [
        ("destroyed", "databricks_catalog.it", "delete", CRITICAL, "catalog shop is deleted"),
        ("destroyed", "databricks_schema.it", "delete", CRITICAL, "schema gold is deleted"),
        ("destroyed", "databricks_volume.it", "delete", CRITICAL, "volume artifacts is deleted"),
        ("destroyed", "databricks_sql_table.it", "delete", CRITICAL, "table fact_usage is"),
        ("destroyed", "databricks_registered_model.it", "delete", CRITICAL, "model detector is"),
        ("destroyed", "databricks_directory.d", "create", LOW, "folder /x is new"),
        ("replaced", "databricks_catalog.it", "replace", CRITICAL, "forced by: storage_root"),
        ("replaced", "databricks_schema.it", "replace", CRITICAL, "forced by: name"),
        ("replaced", "databricks_volume.it", "replace", CRITICAL, "forced by: schema_name"),
        ("replaced", "databricks_sql_table.it", "replace", CRITICAL, "what it holds is lost"),
        ("replaced", "databricks_registered_model.it", "replace", CRITICAL, "is replaced"),
        ("force_destroy", "databricks_catalog.it", "update", CRITICAL, "force_destroy is turned"),
        ("force_destroy", "databricks_schema.it", "update", LOW, "words change: comment"),
        ("prevent_destroy", "databricks_catalog.it", "update", CRITICAL, "prevent_destroy is rem"),
        ("prevent_destroy", "databricks_schema.it", "update", CRITICAL, "prevent_destroy is rem"),
        ("granted", "new_principal", "update", HIGH, "new principal: engineers gets MODIFY"),
        ("granted", "all_privileges", "update", HIGH, "ALL_PRIVILEGES (every right there is)"),
        ("granted", "everybody", "update", HIGH, "account users (everybody) gets SELECT"),
        ("granted", "unknown", "update", HIGH, "known only after apply gets SELECT"),
        ("granted", "fresh", "create", HIGH, "guests gets BROWSE"),
        ("granted", "raised", "update", HIGH, "engineers gets CAN_MANAGE, instead of CAN_VIEW"),
        ("granted", "lowered", "update", LOW, "taken away: access_control[engineers]"),
        ("granted", "narrowed", "update", LOW, "taken away: grant[engineers]"),
        ("tags", "removed", "delete", HIGH, "contains_pii is removed from shop.gold.dim_user"),
        ("tags", "denied", "update", HIGH, "goes from true to false"),
        ("tags", "domain", "delete", MEDIUM, "tag domain is deleted"),
        ("tags", "added", "create", LOW, "tag contains_pii is new"),
        ("policies", "mask", "delete", HIGH, "column mask protect_COLUMN_MASK is removed"),
        ("policies", "filter", "delete", HIGH, "row filter protect_ROW_FILTER is removed"),
        ("policies", "narrowed", "update", HIGH, "no longer holds for interns"),
        ("policies", "other", "update", LOW, "words change: comment"),
        ("governance", "removed", "delete", HIGH, "policies/access/removed.yml is removed: what"),
        ("governance", "exempting", "update", HIGH, "no longer holds for analysts"),
        ("governance", "stricter", "update", MEDIUM, "changes: content_base64"),
        ("governance", "worded", "update", MEDIUM, "changes: content_base64"),
        ("governance", "retagged", "update", HIGH, "retagged.yml changes in column.pii_type"),
        ("governance", "function", "update", HIGH, "the function of policies/access/retagged.sql"),
        ("governance", "unmarked", "update", HIGH, "column phone is no longer marked"),
        ("governance", "forgotten", "delete", HIGH, "forgotten.yml is removed: it marks personal"),
        ("governance", "lines", "update", HIGH, "loses the line: contains_pii: true"),
        ("governance", "marked", "create", LOW, "gold/access/marke... is new"),
        ("governance", "more", "update", HIGH, "more.yml changes in privileges: MANAGE"),
        ("governance", "new", "create", HIGH, "domains gets SELECT on fact_*"),
        ("governance", "deploys", "update", HIGH, "role analysts goes to everyone"),
        ("governance", "opened", "update", HIGH, "the catalog is opened to every workspace"),
        ("governance", "elsewhere", "create", HIGH, "shop is seen from workspace 2"),
        ("governance", "fewer", "update", HIGH, "tag contains_pii: values[unknown] changes"),
        ("governance", "gone", "delete", HIGH, "tag policy row_owner is deleted: policies that"),
        ("quiet", "code", "update", HIGH, "loses the line: ALTER TABLE t ALTER COLUMN email SET"),
        ("endpoint_replaced", "it", "replace", HIGH, "endpoint detector is replaced"),
        ("alerts", "deleted", "delete", HIGH, "alert deleted is deleted"),
        ("alerts", "paused", "update", MEDIUM, "schedule is paused"),
        ("alerts", "emptied", "update", MEDIUM, "subscriptions is emptied: nobody is told"),
        ("alerts", "fewer", "update", MEDIUM, "no longer told: On call"),
        ("alerts", "loosened", "update", MEDIUM, "is loosened from 100 to 500"),
        ("alerts", "below", "update", MEDIUM, "is loosened from 100 to 50"),
        ("alerts", "tightened", "update", LOW, "is tightened from 100 to 50"),
        ("alerts", "operator", "update", MEDIUM, "GREATER_THAN becomes EQUAL"),
        ("alerts", "slowed", "update", MEDIUM, "slower: 730 to 30 runs a month"),
        ("alerts", "quicker", "update", LOW, "quicker: 730 to 4,383 runs a month"),
        ("alerts", "query", "update", MEDIUM, "changes: query_text"),
        ("alerts", "words", "update", LOW, "words change: custom_summary"),
        ("jobs", "paused", "update", MEDIUM, "schedule is paused"),
        ("jobs", "unscheduled", "update", MEDIUM, "schedule is removed"),
        ("jobs", "slowed", "update", MEDIUM, "slower: 30 to 4 runs a month"),
        ("jobs", "tasks", "update", MEDIUM, "changes: task[check].max_retries, task[first]"),
        ("jobs", "described", "update", LOW, "words change: description, tags.owner"),
        ("jobs", "deleted", "delete", MEDIUM, "job deleted is deleted"),
        ("quiet", "mails", "update", MEDIUM, "email_notifications is emptied"),
        ("quiet", "health", "update", MEDIUM, "is loosened from 3600 to 7200"),
        ("quiet", "order", "update", LOW, "another order"),
        ("monitors", "removed", "delete", MEDIUM, "monitor shop.gold.fact_usage is removed"),
        ("monitors", "unscheduled", "update", MEDIUM, "schedule is removed"),
        ("compute", "main", "update", MEDIUM, "changes: cluster_size, max_num_clusters"),
        ("forgotten", "it", "forget", MEDIUM, "Terraform forgets it"),
        ("moved", "new", "move", LOW, "moved from terraform_data.old"),
        ("imported", "it", "import", LOW, "imported: 0b1e3c4d"),
        ("folded", "it_0", "update", HIGH, "no rule knows type terraform_data"),
    ],
)
def test_the_risk_of_a_change(
    name: str, address: str, action: str, risk: Risk, reason: str
) -> None:
    found = change(reviewed(name), address)
    assert (found.change.action.value, found.risk) == (action, risk)
    assert any(reason in text for text in found.reasons), found.reasons


def test_every_rule_is_seen_on_a_plan_of_terraform() -> None:
    seen = {
        finding.rule
        for name in ALL_PLANS
        for item in reviewed(name).changes
        for finding in item.assessed.findings
    }
    assert {*RULES, Gone, NotJudged} - seen == set()


def test_every_rule_says_what_it_is_afraid_of() -> None:
    rules: list[type[Rule]] = [*RULES, Gone, NotJudged]
    messages = [rule.message() for rule in rules]
    assert all(message.endswith(".") for message in messages)
    assert len({*messages}) == len(messages)


def test_the_risk_of_a_plan_is_its_highest() -> None:
    assert reviewed("alerts").risk is HIGH
    assert reviewed("jobs").risk is MEDIUM
    assert reviewed("outputs").risk is LOW
    assert reviewed("unchanged").risk is Risk.NONE


def test_an_update_has_no_reason_but_its_own() -> None:
    """What a rule has judged is not said again by the rule for the rest."""
    assert list(change(reviewed("alerts"), "paused").reasons) == ["schedule is paused"]
    assert list(change(reviewed("alerts"), "query").reasons) == ["changes: query_text"]


def test_without_both_configurations_prevent_destroy_is_unknown() -> None:
    found = review(plan("prevent_destroy"), Inputs(NO_DEFINITIONS))
    assert [item.change.address for item in found.changes] == ["databricks_schema.it"]
    assert found.risk is LOW


def test_what_was_protected_and_is_deleted_says_both(tmp_path: Path) -> None:
    before, after = tmp_path / "before.tf.json", tmp_path / "after.tf.json"
    # Terraform takes a block as an object, and as a list of them.
    lifecycle = [{"prevent_destroy": True}]
    kept = {"resource": {"databricks_volume": {"it": [{"lifecycle": lifecycle}]}}}
    before.write_text(json.dumps(kept))
    after.write_text("{}")
    inputs = Inputs(NO_DEFINITIONS, [after], [before])
    reasons = change(review(plan("destroyed"), inputs), "databricks_volume.it").reasons
    assert "prevent_destroy is removed in the configuration" in reasons
    assert "volume artifacts is deleted: what it holds is lost" in reasons
