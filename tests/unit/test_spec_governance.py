"""Policies, grants and tags in definitions: what follows from them, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from health_monitor.spec import DefinitionErrors, load_definitions
from health_monitor.spec.granting import granted
from health_monitor.spec.tagging import governed_tags, tagged

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "tests" / "infra" / "definitions"
Edit = Callable[[str, str, str], None]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    shutil.copytree(SMALL, tmp_path / "definitions")
    return tmp_path / "definitions"


def problems(tree: Path) -> list[str]:
    """What is wrong: "path:line: message"."""
    with pytest.raises(DefinitionErrors) as caught:
        load_definitions(tree)
    return [str(problem).removeprefix(f"{tree}/") for problem in caught.value.problems]


def edit(tree: Path, file: str, old: str, new: str) -> None:
    text = (tree / file).read_text()
    assert old in text, old
    (tree / file).write_text(text.replace(old, new, 1))


def test_tags_follow_from_definitions_through_the_layers() -> None:
    found = {
        table.table: table for table in tagged(load_definitions(ROOT / "workloads/definitions"))
    }
    layers = [name.partition(".")[0] for name in found]
    assert [layers.count(layer) for layer in ("bronze", "silver", "gold")] == [30, 60, 48]
    usage = found["bronze.bronze_usage"]
    assert usage.tags == {"layer": "bronze", "domain": "billing", "contains_pii": "true"}
    assert usage.columns == {"identity_metadata": {"contains_pii": "true", "pii_type": "struct"}}
    silver = found["silver.silver_usage"]
    assert (silver.type, silver.columns) == ("STREAMING TABLE", usage.columns)
    aside = found["silver.silver_usage__expectations"]
    assert aside.columns["record"]["contains_pii"] == "true"
    assert "contains_pii" not in found["silver.silver_list_prices__expectations"].tags
    audit = found["gold.fact_audit_logs"]
    assert audit.columns["user_identity_email"] == {
        "contains_pii": "true", "pii_type": "string", "row_owner": "user",
    }  # fmt: skip
    assert found["gold.fact_cost_summary"].type == "VIEW"


def test_governed_are_the_tags_that_policies_ask_for(tree: Path) -> None:
    tags = governed_tags(load_definitions(tree))
    assert (list(tags), tags["contains_pii"]) == (["contains_pii", "pii_type"], ["true"])
    # A mask for another type is no change of the account.
    other = (tree / "policies" / "access" / "mask_text.yml").read_text()
    (tree / "policies" / "access" / "mask_number.yml").write_text(
        other.replace("type:", "function: mask_text\ntype:", 1).replace(": string", ": int")
    )
    assert governed_tags(load_definitions(tree)) == tags


def test_a_domain_reads_its_tables_and_what_all_domains_share() -> None:
    definitions = load_definitions(ROOT / "workloads" / "definitions")
    groups = {"domains.lakeflow": "jobs_people", "monitoring": "watchers", "analysts": "all"}
    found = granted(definitions, groups)
    own = {d.table for d in definitions.gold.values() if d.domain == "lakeflow"}
    shared = {f"gold.dim_{name}" for name in ("date", "sku", "user", "workspace")}
    shared.add("gold.dim_service_principal")
    assert {table for (table, group) in found if group == "jobs_people"} == own | shared
    watched = {table: rights for (table, group), rights in found.items() if group == "watchers"}
    assert set(watched) == {d.table for d in definitions.gold.values() if d.name[:5] == "fact_"}
    assert set(watched.values()) == {frozenset({"SELECT", "MANAGE"})}
    assert not any(group == "all" for _, group in found)


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("policies/access/mask_text.yml", "pii_type: string", "pii_type: map",
         "gold/access/dim_user.yml:5: column user_email has contains_pii, and no column mask holds "
         "for its tags (contains_pii: true, pii_type: string); add one: "
         "policies/<domain>/<name>.yml"),
        ("policies/access/mask_text.yml", "everybody", "somebody",
         "policies/access/mask_text.yml:4: 'to.0': String should match pattern "),
        ("policies/access/mask_text.yml", "column_mask", "row_filter",
         "policies/access/mask_text.yml:2: a row filter with platform.mask_text must give boolean; "
         "it gives string"),
        ("policies/access/mask_text.yml", 'contains_pii: "true"', "colour: red",
         "policies/access/mask_text.yml:3: no column of a gold table has the tags colour: red"),
        ("policies/access/mask_text.yml", "type:", "function: mask_other\ntype:",
         "policies/access/mask_text.yml:1: a policy has either a .sql beside it or 'function'"),
        ("policies/access/mask_text.sql", "platform.mask_text", "gold.mask_text",
         "policies/access/mask_text.sql:1: the file makes gold.mask_text; its path says "
         "platform.mask_text"),
        ("policies/access/mask_text.sql", "value STRING", "value INT",
         "gold/access/dim_user.yml:5: mask_text takes int, column user_email is string; another "
         "tag needs another policy"),
        ("policies/access/mask_text.sql", "COMMENT 'A pseudonym. Technical: SHA-256.'\n", "",
         "policies/access/mask_text.sql:1: function platform.mask_text has no COMMENT"),
        ("policies/access/mask_text.sql", "STRING COMMENT 'Who.'", "STRING, more STRING",
         "policies/access/mask_text.sql:1: function platform.mask_text must take one value: that "
         "of the column"),
        ("grants/billing/readers.yml", '"*"', "nothing_*",
         "grants/billing/readers.yml:4: no gold table is called 'nothing_*'; there are: "
         "cost_anomaly_scores, dim_user, fact_usage"),
        ("grants/billing/readers.yml", "SELECT", "OWN",
         "grants/billing/readers.yml:3: 'privileges.0' is 'OWN'; allowed: "),
        ("gold/access/dim_user.yml", "contains_pii: true", "tags: {contains_pii: 'true'}",
         "gold/access/dim_user.yml:5: 'columns.user_email.tags': tag 'contains_pii' follows from "
         "the definition; it is not written here"),
    ],
)  # fmt: skip
def test_mistakes_are_told_at_their_line(
    tree: Path, file: str, old: str, new: str, told: str
) -> None:
    edit(tree, file, old, new)
    found = problems(tree)
    assert any(problem.startswith(told) for problem in found), found


def test_a_policy_can_use_the_function_of_another(tree: Path) -> None:
    policies = tree / "policies" / "access"
    text = (policies / "mask_text.yml").read_text()
    other = text.replace("type:", "function: mask_text\ntype:", 1)
    (policies / "again.yml").write_text(other)
    assert problems(tree) == [
        "gold/access/dim_user.yml:5: column user_email has several masks, only one may be: "
        "again, mask_text"
    ]
    (policies / "again.yml").write_text(other.replace("pii_type: string", "pii_type: int"))
    assert load_definitions(tree).policies["again"].function_name == "platform.mask_text"
    edit(tree, "policies/access/again.yml", "mask_text", "mask_nothing")
    assert problems(tree)[0].endswith("function mask_nothing does not exist; there are: mask_text")
