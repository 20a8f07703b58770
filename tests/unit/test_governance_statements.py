"""What the governance job says to the workspace: what differs, in an order that hides first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from health_monitor.governance.state import State, state_of
from health_monitor.governance.statements import (
    create_policy,
    grant_statements,
    policy_statements,
    tag_statements,
)
from health_monitor.spec import Definitions, load_definitions

from infra.environment import load_environment

SMALL = Path(__file__).parents[1] / "infra" / "definitions"
GROUPS = load_environment("prod").groups.by_role
ME = "0f0e-service"
TABLE = "gold.dim_user"


@pytest.fixture(scope="module")
def small() -> Definitions:
    return load_definitions(SMALL)


def policies(small: Definitions, state: State) -> list[str]:
    return list(policy_statements(small, GROUPS, ME, state, "main"))


def test_a_policy_hides_from_all_but_its_roles_and_the_jobs(small: Definitions) -> None:
    function, policy = policies(small, State())
    assert function.startswith("CREATE OR REPLACE FUNCTION main.platform.mask_text(value STRING")
    assert not function.endswith(";")
    lines = policy.splitlines()
    assert lines[0] == "CREATE OR REPLACE POLICY mask_text ON SCHEMA main.gold"
    assert re.fullmatch(
        r"COMMENT 'A pseudonym. Technical: of the value. Definition: [0-9a-f]{16}\.'", lines[1]
    )
    assert lines[2:] == [
        "COLUMN MASK main.platform.mask_text",
        "TO `account users`",
        "EXCEPT `health_monitor_admins`, `health_monitor_access_readers`, `0f0e-service`",
        "FOR TABLES MATCH COLUMNS has_tag_value('contains_pii', 'true') AND "
        "has_tag_value('pii_type', 'string') AS matched",
        "ON COLUMN matched",
    ]


def test_a_row_filter_gives_its_column_to_the_function(small: Definitions) -> None:
    policy = small.policies["mask_text"].model_copy(update={"type": "row_filter"})
    statement, _ = create_policy(policy, GROUPS, ME, "main")
    assert "ROW FILTER main.platform.mask_text" in statement
    assert statement.endswith("AS matched\nUSING COLUMNS (matched)")


def test_nothing_is_said_twice_and_what_differs_is_said_again(small: Definitions) -> None:
    _, comment = create_policy(small.policies["mask_text"], GROUPS, ME, "main")
    functions = {"platform.mask_text": "SHA2(value,\n  256)"}
    done = State(functions=functions, policies={"mask_text": comment})
    assert policies(small, done) == []
    changed = State(functions={"platform.mask_text": "value"}, policies={"mask_text": comment})
    (function,) = policies(small, changed)
    assert "CREATE OR REPLACE FUNCTION" in function
    other = {**GROUPS, "workspace_admins": "others"}
    (policy,) = policy_statements(small, other, ME, done, "main")
    assert "EXCEPT `others`" in policy


def test_only_our_policies_are_dropped(small: Definitions) -> None:
    _, comment = create_policy(small.policies["mask_text"], GROUPS, ME, "main")
    functions = {"platform.mask_text": "SHA2(value, 256)"}
    there = {"mask_text": comment, "old": comment, "by_hand": "Somebody's own."}
    assert policies(small, State(functions=functions, policies=there)) == [
        "DROP POLICY old ON SCHEMA main.gold"
    ]


def test_tags_of_tables_that_exist(small: Definitions) -> None:
    columns = {TABLE: {"user_email", "more"}, "silver.silver_usage": {"record_id"}}
    assert list(tag_statements(small, "team", State(columns=columns), "main")) == [
        "ALTER STREAMING TABLE main.silver.silver_usage SET TAGS "
        "('domain' = 'billing', 'layer' = 'silver', 'owner' = 'team')",
        "ALTER TABLE main.gold.dim_user SET TAGS ('contains_pii' = 'true', 'domain' = 'access', "
        "'layer' = 'gold', 'owner' = 'team')",
        "ALTER TABLE main.gold.dim_user ALTER COLUMN user_email SET TAGS "
        "('contains_pii' = 'true', 'pii_type' = 'string')",
    ]


def test_a_tag_that_nobody_wants_goes_and_a_dropped_column_stays_hidden(
    small: Definitions,
) -> None:
    usage = "gold.fact_usage"
    personal = {"contains_pii": "true", "reviewed": "yes"}
    state = State(
        columns={usage: {"workspace_id", "no_longer_defined"}},
        tags={usage: {"domain": "x", "layer": "gold", "owner": "team", "mine": "1"}},
        column_tags={(usage, "workspace_id"): personal, (usage, "no_longer_defined"): personal},
    )
    assert list(tag_statements(small, "team", state, "main")) == [
        "ALTER TABLE main.gold.fact_usage SET TAGS ('domain' = 'billing')",
        "ALTER TABLE main.gold.fact_usage ALTER COLUMN workspace_id UNSET TAGS ('contains_pii')",
    ]


def test_grants_of_our_groups_are_exact_and_others_stay(small: Definitions) -> None:
    readers = GROUPS["domains.access"]
    state = State(
        columns={TABLE: set(), "gold.fact_usage": set(), "silver.silver_usage": set()},
        grants={
            (TABLE, readers): {"MODIFY"},
            ("gold.fact_usage", readers): {"SELECT"},
            ("silver.silver_usage", readers): {"SELECT"},
            (TABLE, "somebody"): {"MODIFY"},
            (TABLE, GROUPS["analysts"]): {"ALL_PRIVILEGES"},
        },
    )
    assert list(grant_statements(small, GROUPS, state, "main")) == [
        "REVOKE MODIFY ON TABLE main.gold.dim_user FROM `health_monitor_access_readers`",
        "GRANT SELECT ON TABLE main.gold.dim_user TO `health_monitor_access_readers`",
        "REVOKE ALL PRIVILEGES ON TABLE main.gold.dim_user FROM `health_monitor_analysts`",
        "REVOKE SELECT ON TABLE main.gold.fact_usage FROM `health_monitor_access_readers`",
        "GRANT SELECT ON TABLE main.gold.fact_usage TO `health_monitor_billing_readers`",
    ]


def test_the_catalogs_answer_is_read_into_a_state() -> None:
    state = state_of(
        [
            ("table", "gold", "dim_user", None, None),
            ("column", "gold", "dim_user", "User_Email", None),
            ("table tag", "gold", "dim_user", "layer", "gold"),
            ("tag of User_Email", "gold", "dim_user", "contains_pii", "true"),
            ("grant", "gold", "dim_user", "readers", "ALL PRIVILEGES"),
            ("function", "platform", "mask", None, "value"),
        ]
    )
    assert state == State(
        columns={TABLE: {"user_email"}},
        tags={TABLE: {"layer": "gold"}},
        column_tags={(TABLE, "user_email"): {"contains_pii": "true"}},
        grants={(TABLE, "readers"): {"ALL_PRIVILEGES"}},
        functions={"platform.mask": "value"},
    )
