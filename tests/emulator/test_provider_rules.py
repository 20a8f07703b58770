"""Planning, refresh three ways, and translation, without Terraform."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.provider import planning, refresh
from emulator.provider.configuration import ConfigurationError, connect
from emulator.provider.kinds.sql_table import _alterations, _create_statement
from emulator.provider.planning import PlanRules
from emulator.provider.schema import Node
from emulator.provider.translate import Names, from_api, to_api
from emulator.provider.values import UNKNOWN, blank

TASK = Node(
    "object",
    fields={
        "task_key": Node("string", required=True),
        "retries": Node("number", optional=True),
        "library": Node(
            "list",
            Node("object", fields={"whl": Node("string", optional=True)}),
            block=True,
            optional=True,
        ),
    },
)
JOB = Node(
    "object",
    fields={
        "id": Node("string", optional=True, computed=True),
        "name": Node("string", optional=True),
        "url": Node("string", computed=True),
        "stamp": Node("number", computed=True),
        "secret": Node("string", optional=True, sensitive=True),
        "tags": Node("map", Node("string"), optional=True),
        "task": Node("list", TASK, block=True, optional=True),
        "queue": Node(
            "list",
            Node("object", fields={"on": Node("bool", optional=True)}),
            block=True,
            single=True,
            optional=True,
        ),
    },
)
RULES = PlanRules(legacy=True, force_new=["name"], defaults={}, volatile=["stamp"])
NAMES = Names({"rename": {".task": "tasks", "library": "libraries"}})


def job(**values: Any) -> dict[str, Any]:
    return {**blank(JOB), **values}


def test_translation_renames_and_unwraps() -> None:
    value = job(
        name="a",
        task=[{"task_key": "t", "library": [{"whl": "w"}]}],
        queue=[{"on": True}],
        id="7",
        url="computed",
    )
    body = to_api(NAMES, JOB, value)
    assert body == {
        "name": "a",
        "tasks": [{"task_key": "t", "libraries": [{"whl": "w"}]}],
        "queue": {"on": True},
    }
    back = from_api(NAMES, JOB, {**body, "url": "u"})
    assert back["task"] == [{"task_key": "t", "retries": None, "library": [{"whl": "w"}]}]
    assert back["queue"] == [{"on": True}] and back["url"] == "u"


def test_creating_leaves_to_the_api_what_only_it_knows() -> None:
    config = job(name="a")
    planned = planning.plan_create(JOB, RULES, job(name="a"), config)
    assert planned["id"] is UNKNOWN and planned["url"] is UNKNOWN
    assert planned["tags"] is None and planned["task"] == []


def test_an_update_keeps_the_id_and_asks_again_for_what_is_volatile() -> None:
    prior = job(id="7", url="u", stamp=1, tags={"a": "b"})
    planned, replaced = planning.plan_update(JOB, RULES, prior, {**prior, "tags": None}, job())
    assert (planned["id"], planned["stamp"], replaced) == ("7", UNKNOWN, [])


def test_nothing_changed_means_nothing_is_unknown() -> None:
    prior = job(id="7", url="u", stamp=1, name="a")
    assert planning.plan_update(JOB, RULES, prior, dict(prior), job(name="a")) == (prior, [])


def test_a_zero_value_of_the_server_is_no_change() -> None:
    prior = job(id="7", stamp=1, tags={})
    planned, _ = planning.plan_update(JOB, RULES, prior, {**prior, "tags": None}, job())
    assert planned == prior


def test_a_new_name_needs_a_new_resource() -> None:
    prior = job(id="7", name="a")
    _, replaced = planning.plan_update(JOB, RULES, prior, {**prior, "name": "b"}, job(name="b"))
    assert replaced == ["name"]


def observed(**values: Any) -> dict[str, Any]:
    return job(**values)


def test_what_the_server_adds_is_not_drift() -> None:
    state = job(name="a", task=[{"task_key": "t", "retries": None, "library": []}])
    answer = observed(name="A", tags={"by": "server"}, task=[{"task_key": "t", "retries": 0}])
    assert refresh.merge(JOB, state, answer, answer) == state


def test_only_what_changed_outside_changes_in_the_state() -> None:
    state = job(
        name="a",
        tags={"mine": "1"},
        task=[{"task_key": "b", "retries": 2}, {"task_key": "a", "retries": None}],
    )
    before = observed(
        name="A",
        tags={"mine": "1", "theirs": "1"},
        task=[{"task_key": "a", "retries": 0}, {"task_key": "b", "retries": 2}],
    )
    after = observed(
        name="A",
        tags={"mine": "2", "theirs": "1"},
        task=[
            {"task_key": "a", "retries": 0},
            {"task_key": "b", "retries": 5},
            {"task_key": "c", "retries": 0},
        ],
    )
    merged = refresh.merge(JOB, state, before, after)
    assert merged["name"] == "a" and merged["tags"] == {"mine": "2"}
    assert [(t["task_key"], t["retries"]) for t in merged["task"]] == [
        ("b", 5),
        ("a", None),
        ("c", 0),
    ]


def test_what_was_removed_outside_is_gone() -> None:
    state = job(tags={"mine": "1", "x": "1"}, queue=[{"on": True}])
    before = observed(tags={"mine": "1", "x": "1"}, queue=[{"on": True}])
    merged = refresh.merge(JOB, state, before, observed(tags={"mine": "1"}))
    assert merged["tags"] == {"mine": "1"} and merged["queue"] == []


def test_after_apply_planned_values_stand_and_unknown_ones_are_filled() -> None:
    planned = job(name="a", id=UNKNOWN, url=UNKNOWN, task=[{"task_key": "t", "retries": UNKNOWN}])
    answer = observed(name="A", id="7", task=[{"task_key": "s"}, {"task_key": "t", "retries": 3}])
    state = refresh.fill(JOB, planned, answer)
    assert (state["name"], state["id"], state["url"]) == ("a", "7", None)
    assert state["task"][0]["retries"] == 3


def test_private_state_holds_no_secret() -> None:
    kept = refresh.redact(JOB, observed(secret="swordfish", name="a"))
    assert "swordfish" not in repr(kept) and kept["name"] == "a"
    assert kept["secret"] != refresh.redact(JOB, observed(secret="other"))["secret"]


@pytest.mark.parametrize(
    "host", ["https://adb-1.azuredatabricks.net", "10.0.0.1", "127.0.0.1.evil"]
)
def test_other_hosts_are_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match="this machine") as refused:
        connect({"host": host, "token": "t"}, {})
    assert refused.value.attribute == "host"


@pytest.mark.parametrize("host", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:2"])
def test_loopback_is_accepted_from_the_environment(host: str) -> None:
    assert connect({}, {"DATABRICKS_HOST": host, "DATABRICKS_TOKEN": "t"}).host == host


def test_a_profile_gives_host_and_token(tmp_path: Any) -> None:
    file = tmp_path / "databrickscfg"
    file.write_text("[local]\nhost = http://localhost:99\ntoken = t\n")
    assert connect({"profile": "local", "config_file": str(file)}, {}).host == "http://localhost:99"
    with pytest.raises(ConfigurationError, match="no such profile"):
        connect({"profile": "other", "config_file": str(file)}, {})


def table(**values: Any) -> dict[str, Any]:
    base = {"catalog_name": "c", "schema_name": "s", "name": "t", "table_type": "MANAGED"}
    return {**base, "column": [], **values}


def test_a_table_is_created_by_one_statement() -> None:
    columns = [
        {"name": "a`b", "type": "bigint", "nullable": False, "comment": "it's"},
        {"name": "d", "type": "date"},
    ]
    values = table(
        column=columns, data_source_format="DELTA", cluster_keys=["AUTO"], properties={"k": "v"}
    )
    assert _create_statement(values) == (
        "CREATE TABLE `c`.`s`.`t` (`a``b` bigint NOT NULL COMMENT 'it\\'s', `d` date) USING DELTA "
        "CLUSTER BY AUTO TBLPROPERTIES ('k' = 'v')"
    )


def test_a_view_is_created_with_its_query() -> None:
    values = table(table_type="VIEW", view_definition="SELECT 1 AS x", comment="c")
    assert _create_statement(values) == "CREATE VIEW `c`.`s`.`t` COMMENT 'c' AS SELECT 1 AS x"


def test_only_the_differences_of_a_table_are_altered() -> None:
    prior = table(column=[{"name": "a", "type": "int", "comment": "x"}, {"name": "b"}])
    columns = [
        {"name": "a", "type": "int", "comment": "y", "nullable": False},
        {"name": "c", "type": "date", "comment": "new"},
    ]
    planned = table(column=columns, comment="z", properties={"k": "v"})
    assert list(_alterations(prior, planned)) == [
        "COMMENT ON TABLE `c`.`s`.`t` IS 'z'",
        "ALTER TABLE `c`.`s`.`t` SET TBLPROPERTIES ('k' = 'v')",
        "ALTER TABLE `c`.`s`.`t` ALTER COLUMN `a` COMMENT 'y'",
        "ALTER TABLE `c`.`s`.`t` ALTER COLUMN `a` SET NOT NULL",
        "ALTER TABLE `c`.`s`.`t` ADD COLUMN `c` date COMMENT 'new'",
        "ALTER TABLE `c`.`s`.`t` DROP COLUMN `b`",
    ]
