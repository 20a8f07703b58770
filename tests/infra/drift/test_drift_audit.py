"""Who changed it: what is asked, what an event is about, and what is said without an answer."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
import sqlglot
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import PermissionDenied
from databricks.sdk.service.sql import EndpointInfo, StatementResponse

from infra.drift.audit import AuditLog, Event, Thing, ask, statement, thing_of
from infra.environment import load_environment
from infra.naming import Naming

NAMING = Naming(load_environment("prod"))
JOB = Thing("databricks_job", frozenset({"77", "health_monitor_prod_gold_refresh"}))
ROWS = [
    ["2026-11-26 10:02", "ana@example.com", "jobs", "update", '["77"]'],
    ["2026-11-25 09:00", "ben@example.com", "jobs", "reset", '["77"]'],
]
SUCCEEDED = {"status": {"state": "SUCCEEDED"}, "result": {"data_array": ROWS}}


class Client:
    """A workspace with one warehouse, whose answers a test writes; it calls nobody."""

    def __init__(self, answer: dict[str, Any] | Exception, warehouse: str = "main") -> None:
        self.answer = answer
        self.warehouse = warehouse
        self.asked: list[dict[str, Any]] = []

    @property
    def warehouses(self) -> Any:
        return self

    @property
    def statement_execution(self) -> Any:
        return self

    def list(self) -> list[EndpointInfo]:
        return [EndpointInfo(id="w1", name=NAMING.warehouse(self.warehouse))]

    def execute_statement(self, text: str, warehouse: str, **more: Any) -> StatementResponse:
        self.asked.append({"text": text, "warehouse": warehouse, **more})
        if isinstance(self.answer, Exception):
            raise self.answer
        return StatementResponse.from_dict(self.answer)


def asked_of(client: Client) -> AuditLog:
    return ask(cast(WorkspaceClient, client), NAMING, [JOB])


def test_the_newest_event_about_a_thing_is_taken() -> None:
    client = Client(SUCCEEDED)
    log = asked_of(client)
    (asked,) = client.asked
    assert asked["warehouse"] == "w1"
    assert json.loads(asked["parameters"][0].value) == sorted(JOB.names)
    assert str(log.last(JOB)) == "ana@example.com, 2026-11-26 10:02 UTC (jobs.update)"
    assert log.last(Thing("databricks_job", frozenset({"78"}))) is None


def test_names_go_as_a_parameter_and_the_statement_is_valid() -> None:
    text = statement("system")
    assert "77" not in text
    tree = sqlglot.parse_one(text, read="databricks")
    (table,) = tree.find_all(sqlglot.exp.Table)
    assert table.sql("databricks") == "system.access.audit"
    assert {marker.name for marker in tree.find_all(sqlglot.exp.Placeholder)} == {"names"}


@pytest.mark.parametrize(
    ("answer", "warehouse", "said"),
    [
        (SUCCEEDED, "other", "there is no warehouse health_monitor_prod_main"),
        (
            PermissionDenied("no SELECT on system.access\nmore"),
            "main",
            "no SELECT on system.access",
        ),
        (ConnectionError("refused"), "main", "refused"),
        ({"status": {"state": "CANCELED"}}, "main", "did not answer within 50s"),
        (
            {"status": {"state": "FAILED", "error": {"message": "no such table\nat line 1"}}},
            "main",
            "the query ended with FAILED: no such table",
        ),
        ({}, "main", "the warehouse gave no answer"),
    ],
)
def test_what_could_not_be_asked_is_one_line(answer: Any, warehouse: str, said: str) -> None:
    log = asked_of(Client(answer, warehouse))
    assert log.not_asked is not None and said in log.not_asked
    assert len(log.not_asked.splitlines()) == 1 and log.last(JOB) is None


def event(service: str, action: str, *named: str) -> AuditLog:
    return AuditLog(
        [Event("2026-11-26 10:02", "ana@example.com", service, action, frozenset(named))]
    )


@pytest.mark.parametrize(
    ("type_", "values", "service", "action", "named", "about"),
    [
        ("databricks_schema", {"id": "c.gold"}, "unityCatalog", "updateSchema", "c.gold", True),
        # The event names the catalog, and is about a table in it.
        ("databricks_catalog", {"id": "c"}, "unityCatalog", "createTable", "c", False),
        ("databricks_catalog", {"id": "c"}, "unityCatalog", "updateCatalog", "c", True),
        (
            "databricks_grants",
            {"id": "schema/c.gold"},
            "unityCatalog",
            "updatePermissions",
            "c.gold",
            True,
        ),
        ("databricks_job", {"id": "7"}, "jobs", "reset", "7", True),
        ("databricks_job", {"id": "7"}, "databrickssql", "updateAlert", "7", False),
        ("databricks_alert_v2", {"id": "a-1"}, "databrickssql", "updateAlert", "a-1", True),
        ("databricks_notebook", {"path": "/Shared/x"}, "notebook", "rename", "/Shared/x", True),
        # Its short name alone could be anything's.
        ("databricks_schema", {"name": "gold"}, "unityCatalog", "updateSchema", "gold", False),
    ],
)
def test_an_event_is_about_the_thing_that_its_action_names(
    type_: str, values: dict[str, str], service: str, action: str, named: str, about: bool
) -> None:
    found = event(service, action, named).last(thing_of(type_, values))
    assert (found is not None) is about
