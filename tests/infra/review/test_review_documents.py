"""Markdown that is never too long, the JSON contract, and SARIF."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra.review.benchmark import enlarge
from infra.review.documents import as_json, as_sarif
from infra.review.folding import fold
from infra.review.markdown import as_markdown
from infra.review.page import LIMIT, code, escaped, fenced
from infra.review.plan_file import PlanError, read_plan
from infra.review.reviewing import Inputs, review
from tests.infra.review.recorded import NO_DEFINITIONS, document, reviewed, written
from tests.infra.review.test_review_risk import ALL_PLANS


@pytest.mark.parametrize("name", ALL_PLANS)
def test_the_json_is_the_contract(name: str) -> None:
    found = json.loads(as_json(reviewed(name)))
    assert {"risk", "changes", "drift", "blast_radius", "cost"} <= found.keys()
    risks = {"critical", "high", "medium", "low", "none"}
    actions = {"create", "update", "delete", "replace", "move", "forget", "import"}
    assert found["risk"] in risks
    for change in (*found["changes"], *found["drift"]):
        assert [*change] == ["address", "type", "action", "risk", "reasons", "source"]
        assert change["action"] in actions and change["risk"] in risks
        assert change["reasons"] and all(isinstance(text, str) for text in change["reasons"])
        assert change["source"] is None or re.fullmatch(r".+:\d+", change["source"])


@pytest.mark.parametrize("name", ["destroyed", "alerts", "drift", "unchanged"])
def test_sarif_has_a_place_and_a_rule_for_every_result(name: str) -> None:
    found = json.loads(as_sarif(reviewed(name, definitions=True), "out/my plan.json"))
    assert found["version"] == "2.1.0"
    (run,) = found["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert bool(run["results"]) == (name != "unchanged")
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note") and result["message"]["text"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert place["region"]["startLine"] >= 1 and " " not in place["artifactLocation"]["uri"]
        assert location["logicalLocations"][0]["fullyQualifiedName"]


def test_sarif_points_at_the_definition() -> None:
    found = json.loads(as_sarif(reviewed("shown", definitions=True), "plan.json"))
    places = {
        result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]: (
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            result["locations"][0]["physicalLocation"]["region"]["startLine"],
        )
        for result in found["runs"][0]["results"]
    }
    file = "databricks_workspace_file.file_gold_billing_fact_usage_sql"
    assert places[file] == ("definitions/gold/billing/fact_usage.sql", 2)
    assert places["databricks_dashboard.cost"] == ("plan.json", 1)


def test_the_highest_risk_stands_first() -> None:
    text = as_markdown(reviewed("tags"))
    assert text.index("### High") < text.index("### Medium") < text.index("### Low")
    assert text.startswith("## Plan review: high risk")


def test_identical_changes_are_one_line() -> None:
    (group,) = fold(reviewed("folded").changes)
    assert len(group.items) == 5
    text = as_markdown(reviewed("folded"))
    assert "5 x `terraform_data.it_0`" in text and text.count("<details>") == 1


def test_changes_that_differ_are_not_folded(tmp_path: Path) -> None:
    """Not even when the same attribute changes, to another value."""
    content = document("folded")
    content["resource_changes"][0]["change"]["after"]["input"]["wheel"] = "3"
    found = review(read_plan(written(tmp_path, content)), Inputs(NO_DEFINITIONS))
    assert len(fold(found.changes)) == 2


def test_a_long_page_is_cut_and_says_so(tmp_path: Path) -> None:
    content = enlarge(document("jobs"), 1000)
    for number, item in enumerate(content["resource_changes"]):
        # So that no two are alike.
        if item["change"]["after"]:
            item["change"]["after"]["description"] = f"Does {number}"
    text = as_markdown(review(read_plan(written(tmp_path, content)), Inputs(NO_DEFINITIONS)))
    assert len(text) <= LIMIT
    assert text.count("CUT: this page is too long") == 2
    assert text.index("CUT") < text.index("### Medium")
    missing = re.search(r"Not shown: ([^*]+)\*\*", text)
    assert missing
    said = {what: int(number) for number, what in re.findall(r"(\d+) x ([a-z ]+)", missing[1])}
    shown = len(re.findall(r"^- \*\*(?:update|create)\*\*", text, re.MULTILINE))
    cut = said.get("line of medium changes", 0) + said["line of low changes"]
    deleted = sum(1 for i in content["resource_changes"] if i["change"]["actions"] == ["delete"])
    assert shown + cut == 1000 - deleted and said["details of a change"] > 0


def test_a_destroy_is_never_cut(tmp_path: Path) -> None:
    """First their reasons go, then everything else; their addresses stay."""
    content = enlarge(document("destroyed"), 1200)
    plan = read_plan(written(tmp_path, content))
    text = as_markdown(review(plan, Inputs(NO_DEFINITIONS)))
    assert len(text) <= LIMIT and "CUT" in text
    for item in content["resource_changes"]:
        if item["change"]["actions"] == ["delete"]:
            assert re.search(rf"\b{item['name']}\b", text), item["address"]


def test_more_destroys_than_a_page_holds_are_an_error(tmp_path: Path) -> None:
    content = enlarge(document("destroyed"), 1000)
    for item in content["resource_changes"]:
        item["address"] += "_" + "x" * 80
    found = review(read_plan(written(tmp_path, content)), Inputs(NO_DEFINITIONS))
    with pytest.raises(PlanError, match="never cut; use --format json"):
        as_markdown(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a`b", "`` a`b ``"),
        ("two\nlines", "`two lines`"),
    ],
)
def test_code_spans(text: str, expected: str) -> None:
    assert code(text) == expected


def test_values_are_no_markup() -> None:
    assert "<script>" not in escaped("<script>") and "**" not in escaped("**x**")
    assert escaped("@all") == "@<!-- -->all"
    assert fenced(["```", "x"], "diff").startswith("````diff\n")


def test_a_description_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    content: dict[str, Any] = document("force_destroy")
    evil = "x\n```\n</details>\n# Approved by @security <b>"
    for item in content["resource_changes"]:
        if item["type"] == "databricks_schema":
            item["change"]["after"]["comment"] = evil
    found = review(read_plan(written(tmp_path, content)), Inputs(NO_DEFINITIONS))
    text = as_markdown(found)
    opened, block = text.index("````diff"), "````\n\n</details>"
    assert opened < text.index("# Approved") < text.index(block)
