"""From where the catalog is seen, who may do what, and what hides data, as synthesized."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from health_monitor.spec import DefinitionErrors, load_definitions
from health_monitor.spec.granting import granted

from emulator.settings import WORKSPACE_ID
from infra.environment import available, load_environment
from infra.paths import DEFINITIONS
from tests.infra.conftest import FIXTURE_DEFINITIONS, Stacks, synthesize

CATALOG = "${databricks_catalog.catalog_health_monitor.name}"


def governance(stacks: Stacks, kind: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = stacks["governance"]["resource"].get(kind, {})
    return found


def grants(stacks: Stacks, name: str) -> dict[str, set[str]]:
    """Principal -> privileges."""
    listed = governance(stacks, "databricks_grants")[name]["grant"]
    return {grant["principal"]: set(grant["privileges"]) for grant in listed}


@pytest.mark.parametrize("environment", available())
def test_the_catalog_is_seen_from_its_own_workspace_only(
    stacks_of: dict[str, Stacks], environment: str
) -> None:
    stacks = stacks_of[environment]
    (catalog,) = governance(stacks, "databricks_catalog").values()
    assert catalog["isolation_mode"] == "ISOLATED"
    (binding,) = governance(stacks, "databricks_workspace_binding").values()
    assert (binding["securable_name"], binding["securable_type"]) == (CATALOG, "catalog")
    # The emulated workspace has one id, wherever it runs.
    expected = int(WORKSPACE_ID) if environment == "local" else "${var.workspace_id}"
    assert binding["workspace_id"] == expected


def test_the_account_gets_what_it_does_not_have(stacks_of: dict[str, Stacks]) -> None:
    made = {
        name: {
            kind: len(governance(stacks, f"databricks_{kind}")) for kind in ("group", "tag_policy")
        }
        for name, stacks in stacks_of.items()
    }
    groups = len(load_environment("local").groups.by_role)
    nothing = {"group": 0, "tag_policy": 0}
    assert made == {
        "local": {"group": groups, "tag_policy": 2},
        "dev": nothing,
        "staging": nothing,
        "prod": {"group": 0, "tag_policy": 2},
    }
    # Nothing is granted to, or owned by, a group that is not there yet.
    (catalog,) = governance(stacks_of["local"], "databricks_catalog").values()
    assert len(catalog["depends_on"]) == groups


def test_monitors_get_what_the_specification_lists_and_no_more(
    stacks_of: dict[str, Stacks],
) -> None:
    stacks, who = stacks_of["prod"], load_environment("prod").groups.monitoring
    on = {
        name: grants(stacks, name)[who]
        for name in governance(stacks, "databricks_grants")
        if who in grants(stacks, name)
    }
    assert on == {
        "grants_catalog": {"USE_CATALOG"},
        "grants_schema_gold": {"USE_SCHEMA"},
        "grants_schema_gold_monitoring": {"USE_SCHEMA", "CREATE_TABLE", "MODIFY"},
    }
    definitions = load_definitions(DEFINITIONS)
    tables = granted(definitions, load_environment("prod").groups.by_role)
    facts = {table.table for table in definitions.gold.values() if table.name.startswith("fact_")}
    assert {table: rights for (table, group), rights in tables.items() if group == who} == (
        dict.fromkeys(facts, frozenset({"SELECT", "MANAGE"}))
    )


def test_roles_get_what_they_are_for(stacks_of: dict[str, Stacks]) -> None:
    stacks, groups = stacks_of["prod"], load_environment("prod").groups
    catalog, gold = grants(stacks, "grants_catalog"), grants(stacks, "grants_schema_gold")
    assert catalog[groups.workspace_admins] == {"ALL_PRIVILEGES", "MANAGE"}
    assert {"MODIFY", "CREATE_TABLE"} <= catalog[groups.data_engineers]
    assert (catalog[groups.analysts], gold[groups.analysts]) == (
        {"USE_CATALOG"},
        {"USE_SCHEMA", "SELECT", "EXECUTE"},
    )
    for group in groups.domains.values():
        assert (catalog[group], gold[group]) == ({"USE_CATALOG"}, {"USE_SCHEMA"})
    assert gold["${var.run_as_service_principal}"] == {"MANAGE"}


def test_the_job_knows_the_group_of_every_role(stacks_of: dict[str, Stacks]) -> None:
    for name, stacks in stacks_of.items():
        job = stacks["pipelines"]["resource"]["databricks_job"]["job_governance_deploy"]
        given = job["task"][0]["python_wheel_task"]["named_parameters"]
        assert json.loads(given["groups"]) == load_environment(name).groups.by_role
        assert given["owner"] == "platform_team"
        # What stands in double braces would be a reference to a value of the run.
        assert "{{" not in given["groups"]


def test_a_definition_more_is_a_resource_more(stacks_of: dict[str, Stacks], tmp_path: Path) -> None:
    definitions = tmp_path / "definitions"
    shutil.copytree(FIXTURE_DEFINITIONS, definitions)
    policy = (definitions / "policies" / "access" / "mask_text.yml").read_text()
    other = policy.replace("type:", "function: mask_text\ntype:", 1).replace(": string", ": int")
    (definitions / "policies" / "access" / "mask_number.yml").write_text(other)
    shutil.copy(
        definitions / "grants" / "billing" / "readers.yml",
        definitions / "grants" / "billing" / "more.yml",
    )
    before = stacks_of["prod"]
    after = synthesize("prod", tmp_path, definitions)
    for stack, content in after.items():
        changed = {
            f"{kind}.{name}"
            for kind, named in content["resource"].items()
            for name, body in named.items()
            if before[stack]["resource"].get(kind, {}).get(name) != body
        }
        expected = {
            "databricks_workspace_file.file_policies_access_mask_number_yml",
            "databricks_workspace_file.file_grants_billing_more_yml",
        }
        assert changed == (expected if stack == "governance" else set())


def test_a_role_without_a_group_is_told_at_its_line(tmp_path: Path) -> None:
    definitions = tmp_path / "definitions"
    shutil.copytree(FIXTURE_DEFINITIONS, definitions)
    file = definitions / "policies" / "access" / "mask_text.yml"
    file.write_text(file.read_text().replace("domains.access", "domains.acess"))
    with pytest.raises(DefinitionErrors) as caught:
        synthesize("dev", tmp_path, definitions)
    assert str(caught.value) == (
        f"{file}:5: no group for the role 'domains.acess'; name it: groups.domains.acess in "
        "environments/dev.yml"
    )
