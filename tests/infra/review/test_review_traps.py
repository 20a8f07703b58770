"""What real plans hold: each of these plans was made by Terraform."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.review.changes import ChangeReader
from infra.review.documents import as_json, as_sarif
from infra.review.fingerprint import fingerprint
from infra.review.markdown import as_markdown
from infra.review.plan_file import read_plan
from infra.review.values import Reader, Secrets
from tests.infra.review.recorded import change, document, plan, reviewed, written


def hash_of(content: dict[str, Any], folder: Path) -> str:
    read = read_plan(written(folder, content))
    return fingerprint(read, Reader(Secrets(read)))


def test_a_refresh_only_plan_has_no_changes_at_all() -> None:
    assert "resource_changes" not in document("refresh_only_unchanged")
    assert reviewed("refresh_only_unchanged").changes == []


def test_what_changed_outside_is_told_from_what_the_code_wants() -> None:
    found = reviewed("drift")
    assert found.changes == []
    drift = {item.change.address: item for item in found.drift}
    assert {address: item.change.action.value for address, item in drift.items()} == {
        "databricks_alert_v2.deleted": "delete",
        "databricks_alert_v2.paused": "update",
        "databricks_job.tags": "update",
    }
    assert {address: item.risk.word for address, item in drift.items()} == {
        "databricks_alert_v2.deleted": "high",
        "databricks_alert_v2.paused": "medium",
        "databricks_job.tags": "low",
    }
    assert all("done outside of Terraform" in item.reasons for item in found.drift)


def test_the_plan_that_heals_has_both() -> None:
    found = reviewed("drift_and_heal")
    healed = {(item.change.address, item.change.action.value) for item in found.changes}
    assert healed == {
        ("databricks_alert_v2.deleted", "create"),
        ("databricks_alert_v2.paused", "update"),
        ("databricks_job.tags", "update"),
    }
    assert len(found.drift) == 3


def test_a_deposed_object_is_a_change_of_its_own() -> None:
    found = reviewed("deposed")
    assert [item.change.address for item in found.changes] == ["terraform_data.it"] * 2
    assert sorted(item.change.action.value for item in found.changes) == ["delete", "replace"]
    (left,) = [item for item in found.changes if item.change.deposed]
    assert any("left by a replace that failed" in reason for reason in left.reasons)


def test_a_deposed_object_is_not_taken_for_the_resource() -> None:
    read = plan("deposed")
    (resource,) = ChangeReader(Reader(Secrets(read))).resources(read.resource_changes)
    assert resource.values["triggers_replace"] == ["2"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("tainted", "the object is tainted: its creation failed, or it was marked"),
        ("requested", "the replacement was asked for on the command line"),
        ("triggered", "forced by: triggers_replace"),
        ("triggered_by_other", "something that it names in replace_triggered_by changes"),
    ],
)
def test_a_replace_says_why_with_or_without_replace_paths(name: str, reason: str) -> None:
    found = change(reviewed(name), "terraform_data.it")
    assert found.change.action.value == "replace"
    assert reason in found.reasons


def test_a_forget_is_no_delete() -> None:
    (raw,) = document("forgotten")["resource_changes"]
    assert raw["action_reason"] == "delete_because_no_resource_config"
    assert change(reviewed("forgotten"), "it").change.action.value == "forget"


def test_a_move_with_a_change_is_an_update_that_says_so() -> None:
    found = change(reviewed("moved"), "changed")
    assert found.change.action.value == "update"
    assert "moved from terraform_data.was" in found.reasons


def test_a_principal_that_is_known_after_apply_is_seen() -> None:
    raw = next(
        item
        for item in document("granted")["resource_changes"]
        if item["address"] == "databricks_grants.unknown"
    )
    known = [grant.get("principal") for grant in raw["change"]["after"]["grant"]]
    assert "auditors" not in known
    (difference,) = change(reviewed("granted"), "unknown").change.differences
    assert difference.where == "grant[(known after apply) 1]"


def test_no_sensitive_value_is_printed_anywhere() -> None:
    """Neither where it is marked, nor where a provider has copied it without a mark."""
    text = json.dumps(document("sensitive"))
    assert "hunter2-before" in text and "hunter2-after" in text
    for name in ("before", "after"):
        marks = document("sensitive")["resource_changes"][0]["change"][f"{name}_sensitive"]
        assert marks["output"] == {}, "the copy in output has no mark"
    found = reviewed("sensitive")
    for rendered in (as_markdown(found), as_json(found), as_sarif(found, "plan.json")):
        assert "hunter2" not in rendered
    assert "(sensitive value)" in as_markdown(found)


def test_an_errored_plan_says_that_it_is_not_all() -> None:
    found = reviewed("errored")
    assert found.errored
    assert any("not all that would change" in note for note in found.notes)
    assert "The check of terraform_data.wrong ends with: fail." in found.notes


def test_two_plans_of_one_state_have_one_hash(tmp_path: Path) -> None:
    first, second = document("replan"), document("replan_again")
    assert first["timestamp"] != second["timestamp"]
    assert hash_of(first, tmp_path) == hash_of(second, tmp_path)
    second["relevant_attributes"] = list(reversed(second.get("relevant_attributes", [])))
    second["resource_changes"].reverse()
    assert hash_of(first, tmp_path) == hash_of(second, tmp_path)


@pytest.mark.parametrize("what", ["after", "actions", "address", "drift", "output", "errored"])
def test_another_plan_has_another_hash(what: str, tmp_path: Path) -> None:
    content = document("replan")
    before = hash_of(content, tmp_path)
    first = next(c for c in content["resource_changes"] if c["change"]["actions"] == ["update"])
    if what == "after":
        first["change"]["after"]["input"] = "c"
    elif what == "actions":
        first["change"]["actions"] = ["delete", "create"]
    elif what == "address":
        first["address"] = "terraform_data.other"
    elif what == "drift":
        content["resource_drift"] = [first]
    elif what == "output":
        content["output_changes"] = {"a": {"actions": ["create"], "after": 1}}
    else:
        content["errored"] = True
    assert hash_of(content, tmp_path) != before


def test_the_hash_hides_a_secret_but_not_that_it_changes(tmp_path: Path) -> None:
    content = document("sensitive")
    before = hash_of(content, tmp_path)
    text = json.dumps(content)
    other = json.loads(text.replace("hunter2-after", "guessed-after"))
    assert hash_of(other, tmp_path) == before
    same = json.loads(text.replace("hunter2-after", "hunter2-before"))
    assert hash_of(same, tmp_path) != before


def test_plans_were_made_by_terraform() -> None:
    for name in ("tainted", "alerts", "granted", "drift"):
        assert plan(name).format_version == "1.2"
        assert plan(name).terraform_version.startswith("1.")
