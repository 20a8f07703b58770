"""The workspace's own audit log: writes of the REST API, in the shape of access.audit.

An event is noted at once, and stands in the table once it is delivered: on Databricks after some
time, here when somebody asks for it, so that no other test or count meets rows it does not expect.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulator.settings import ACCOUNT_ID, CATALOG, USER_NAME, WORKSPACE_ID
from emulator.workspace.context import Workspace
from emulator.workspace.values import Document

TABLE = "access.audit"
STREAM = "audit"
DELIVERED = "audit_delivered"
_SEGMENT = re.compile(r"\{(\+?)(\w+)\}")
_delivering = threading.Lock()


@dataclass(frozen=True)
class Action:
    """One row of audit.yml."""

    verb: str
    path: re.Pattern[str]
    service: str
    name: str
    params: Mapping[str, str]

    @property
    def needs_body(self) -> bool:
        return any(source.startswith("body.") for source in self.params.values())

    def request_params(self, found: Mapping[str, str], body: Document) -> dict[str, str]:
        values = {
            name: body.get(source.removeprefix("body."))
            if source.startswith("body.")
            else found[source]
            for name, source in self.params.items()
        }
        return {name: str(value) for name, value in values.items() if value is not None}


@cache
def actions() -> tuple[Action, ...]:
    rows = yaml.safe_load(Path(__file__).with_name("audit.yml").read_text())
    return tuple(_action(row) for row in rows)


def _action(row: dict[str, Any]) -> Action:
    verb, _, path = row["call"].partition(" ")
    service, _, name = row["event"].partition(".")
    pattern = _SEGMENT.sub(lambda m: f"(?P<{m[2]}>{'.+' if m[1] else '[^/]+'})", path)
    return Action(verb, re.compile(pattern), service, name, row["params"])


class AuditLog:
    """ASGI middleware: notes what was asked for, by whom, and how it ended."""

    def __init__(self, app: ASGIApp, workspace: Workspace) -> None:
        self._app = app
        self._workspace = workspace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        matched = _matched(scope) if scope["type"] == "http" else None
        if matched is None:
            await self._app(scope, receive, send)
            return
        action, found = matched
        body, is_noted = bytearray(), False

        async def reading() -> Message:
            message = await receive()
            if action.needs_body and message["type"] == "http.request":
                body.extend(message.get("body", b""))
            return message

        async def note(status: int) -> None:
            nonlocal is_noted
            is_noted = True
            params = action.request_params(found, _json(bytes(body)))
            event = _event(scope, action, params, status)
            await run_in_threadpool(self._workspace.store.append, STREAM, event)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                await note(message["status"])  # before the answer: who has it finds the event
            await send(message)

        try:
            await self._app(scope, reading, sending)
        finally:
            if not is_noted:
                await note(500)


def _matched(scope: Scope) -> tuple[Action, dict[str, str]] | None:
    for action in actions():
        if action.verb == scope["method"]:
            match = action.path.fullmatch(scope["path"])
            if match:
                # The path of a file starts at the root.
                path = {k: f"/{v}" for k, v in match.groupdict().items() if k == "path"}
                return action, {**match.groupdict(), **path}
    return None


def _json(body: bytes) -> Document:
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _event(scope: Scope, action: Action, params: dict[str, str], status: int) -> Document:
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
    now = datetime.now(UTC)
    is_account = action.service == "unityCatalog"
    return {
        "account_id": ACCOUNT_ID,
        "workspace_id": "0" if is_account else WORKSPACE_ID,
        "version": "2.0",
        "event_time": now.isoformat(),
        "event_date": now.date().isoformat(),
        "source_ip_address": scope["client"][0] if scope.get("client") else None,
        "user_agent": headers.get("user-agent"),
        "user_identity": {"email": USER_NAME},
        "service_name": action.service,
        "action_name": action.name,
        "request_id": str(uuid.uuid4()),
        "request_params": params,
        "response": {"status_code": status},
        "audit_level": "ACCOUNT_LEVEL" if is_account else "WORKSPACE_LEVEL",
        "event_id": str(uuid.uuid4()),
        "identity_metadata": {"run_by": USER_NAME, "run_as": USER_NAME},
    }


def deliver(workspace: Workspace) -> int:
    """Bring what was noted since the last time into the table; how many events that are."""
    with _delivering:
        last = (workspace.store.get(DELIVERED, TABLE) or {"number": 0})["number"]
        events = workspace.store.events(STREAM, after=last)
        if events:
            for statement, arguments in _statements(events):
                workspace.compute.query(statement, arguments)
            workspace.store.put(DELIVERED, TABLE, {"number": events[-1]["number"]})
        return len(events)


def _statements(events: list[Document]) -> Iterator[tuple[str, dict[str, str] | None]]:
    import pyarrow as pa

    from emulator.account.schemas import quoted, spark_ddl, spark_type, system_tables

    schema = system_tables()[TABLE].arrow
    table = f"{CATALOG}.{TABLE}"
    feed = "TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
    yield f"CREATE SCHEMA IF NOT EXISTS {CATALOG}.access", None
    yield f"CREATE TABLE IF NOT EXISTS {table} ({spark_ddl(schema)}) USING delta {feed}", None
    columns = ", ".join(quoted(name) for name in schema.names)
    row = spark_type(pa.struct(list(schema)))
    rows = f"SELECT inline(from_json(:events, 'array<{row}>'))"
    yield f"INSERT INTO {table} ({columns}) {rows}", {"events": json.dumps(events)}
