"""Who changed something by hand: the audit log, asked through the environment's warehouse."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.sql import (
    ExecuteStatementRequestOnWaitTimeout,
    StatementParameterListItem,
    StatementState,
)

from infra.naming import Naming

DAYS = 30
WAIT = "50s"
MOST_EVENTS = 1000
# What the client raises: refused or failed calls, no credentials, no connection.
CLIENT_ERRORS = (DatabricksError, ValueError, OSError)
WRITES = (
    "^(api|files)?(add|assign|change|create|delete|disable|edit|enable|grant|import|move|patch|pause|publish"
    "|put|remove|rename|reset|restore|revoke|set|transfer|trash|undelete|unassign|update|upsert)"
)
# What names an object in the parameters of an event.
IDENTITIES = ("id", "full_name", "path", "dashboard_id", "endpoint_id")


class Subject(NamedTuple):
    """The events that can be about a type: an event also names what contains its object."""

    service: str
    word: str = ""
    """A part of the action's name."""


SUBJECTS = {
    "databricks_job": Subject("jobs"),
    "databricks_pipeline": Subject("deltaPipelines"),
    "databricks_catalog": Subject("unityCatalog", "catalog"),
    "databricks_schema": Subject("unityCatalog", "schema"),
    "databricks_volume": Subject("unityCatalog", "volume"),
    "databricks_sql_table": Subject("unityCatalog", "table"),
    "databricks_registered_model": Subject("unityCatalog", "model"),
    "databricks_function": Subject("unityCatalog", "function"),
    "databricks_grants": Subject("unityCatalog", "permission"),
    "databricks_dashboard": Subject("dashboards"),
    "databricks_sql_endpoint": Subject("databrickssql"),
}


@dataclass(frozen=True)
class Thing:
    """An object of the workspace, by all that an event may call it."""

    type: str
    names: frozenset[str]


@dataclass(frozen=True)
class Event:
    """Somebody wrote something."""

    time: str
    who: str
    service: str
    action: str
    named: frozenset[str]

    def is_about(self, thing: Thing) -> bool:
        if not self.named & thing.names:
            return False
        subject = SUBJECTS.get(thing.type)
        if subject is None:
            return True
        return self.service == subject.service and subject.word in self.action.lower()

    def __str__(self) -> str:
        return f"{self.who}, {self.time} UTC ({self.service}.{self.action})"


@dataclass(frozen=True)
class AuditLog:
    """The events about some things; a reason where nobody could be asked."""

    events: Sequence[Event] = ()
    not_asked: str | None = None

    def last(self, thing: Thing) -> Event | None:
        """The newest event about a thing."""
        return next((event for event in self.events if event.is_about(thing)), None)


def thing_of(type_: str, values: Mapping[str, Any]) -> Thing:
    """A resource by the values that its state holds."""
    texts = {str(values[key]) for key in IDENTITIES if isinstance(values.get(key), str | int)}
    # Grants and permissions have the kind of what they are on before its name.
    texts |= {text.partition("/")[2] for text in texts if type_ == "databricks_grants"}
    return Thing(type_, frozenset(text for text in texts if text))


def ask(client: WorkspaceClient, naming: Naming, things: Iterable[Thing]) -> AuditLog:
    """The newest writes about these things that no deploy did; never raises."""
    names = sorted({name for thing in things for name in thing.names})
    try:
        warehouse = _warehouse(client, naming)
        if warehouse is None:
            return AuditLog(not_asked=f"there is no warehouse {naming.warehouse('main')}")
        answer = client.statement_execution.execute_statement(
            statement(naming.environment.system_catalog),
            warehouse,
            parameters=[StatementParameterListItem("names", value=json.dumps(names))],
            wait_timeout=WAIT,
            on_wait_timeout=ExecuteStatementRequestOnWaitTimeout.CANCEL,
        )
    except CLIENT_ERRORS as error:
        return AuditLog(not_asked=first_line(error))
    status = answer.status
    if status is None or status.state is not StatementState.SUCCEEDED:
        return AuditLog(not_asked=_failure(status))
    rows = answer.result.data_array if answer.result else None
    return AuditLog(list(_events(rows or [])))


def statement(system_catalog: str) -> str:
    """Newest first; of the parameters only those that were asked for leave the workspace."""
    asked = "from_json(:names, 'array<string>')"
    return (
        "SELECT date_format(event_time, 'yyyy-MM-dd HH:mm'), "
        "coalesce(user_identity.email, user_identity.subject_name, 'unknown'), "
        "service_name, action_name, "
        f"to_json(array_intersect(map_values(request_params), {asked})) "
        f"FROM {system_catalog}.access.audit "
        f"WHERE event_date >= date_sub(current_date(), {DAYS}) "
        "AND response.status_code < 300 "
        "AND lower(coalesce(user_agent, '')) NOT LIKE '%terraform%' "
        f"AND lower(action_name) RLIKE '{WRITES}' "
        f"AND arrays_overlap(map_values(request_params), {asked}) "
        f"ORDER BY event_time DESC LIMIT {MOST_EVENTS}"
    )


def _warehouse(client: WorkspaceClient, naming: Naming) -> str | None:
    wanted = naming.warehouse("main")
    return next((item.id for item in client.warehouses.list() if item.name == wanted), None)


def _failure(status: Any) -> str:
    if status is None or status.state is None:
        return "the warehouse gave no answer"
    if status.state is StatementState.CANCELED:
        return f"the warehouse did not answer within {WAIT}"
    message = status.error.message if status.error and status.error.message else ""
    return f"the query ended with {status.state.value}: {first_line(message)}"


def _events(rows: Iterable[Sequence[str]]) -> Iterator[Event]:
    for time, who, service, action, named in rows:
        yield Event(time, who, service, action, frozenset(json.loads(named or "[]")))


def first_line(error: object) -> str:
    """The first line of a message, at most 200 characters of it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
