"""The workspace notes a write before it answers: a client that got its answer finds the event."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from emulator.settings import Settings
from emulator.store import Store
from emulator.workspace.audit import STREAM, AuditLog
from emulator.workspace.context import Workspace

SCOPE: Scope = {"type": "http", "method": "POST", "path": "/api/2.2/jobs/delete", "headers": []}


def statuses(store: Store) -> list[int]:
    return [event["response"]["status_code"] for event in store.events(STREAM)]


async def receive() -> Message:
    return {"type": "http.request", "body": b'{"job_id": 7}'}


def test_the_event_is_there_before_the_answer_is(tmp_path: Path) -> None:
    workspace = Workspace(Settings(tmp_path, tmp_path), token="t", url="http://127.0.0.1:1")
    sent: list[tuple[str, list[int]]] = []

    async def answers(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def send(message: Message) -> None:
        sent.append((message["type"], statuses(workspace.store)))

    asyncio.run(AuditLog(answers, workspace)(SCOPE, receive, send))
    assert sent == [("http.response.start", [404]), ("http.response.body", [404])]
    assert [e["request_params"] for e in workspace.store.events(STREAM)] == [{"job_id": "7"}]


def test_what_fails_without_an_answer_is_noted_once(tmp_path: Path) -> None:
    workspace = Workspace(Settings(tmp_path, tmp_path), token="t", url="http://127.0.0.1:1")

    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise RuntimeError("no answer")

    async def send(message: Message) -> None:
        raise AssertionError(message)

    with pytest.raises(RuntimeError, match="no answer"):
        asyncio.run(AuditLog(breaks, workspace)(SCOPE, receive, send))
    assert statuses(workspace.store) == [500]
