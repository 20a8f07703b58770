"""Who may talk to the workspace: programs on this machine that know its token."""

from __future__ import annotations

import hashlib
import hmac
import json
from http.cookies import SimpleCookie

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulator.settings import WORKSPACE_ID

LOOPBACK_NAMES = {"127.0.0.1", "localhost", "[::1]"}
COOKIE = "emulator_session"
OPEN_PATHS = {"/emulator/v1/health", "/.well-known/databricks-config", "/login"}
SIGNED_PREFIX = "/emulator/v1/results/"
API_PREFIXES = ("/api/", "/ajax-api/", "/serving-endpoints/", "/emulator/")


def page_cookie(token: str) -> str:
    """What a browser keeps: good for pages, useless as a token."""
    return hmac.new(token.encode(), b"pages", hashlib.sha256).hexdigest()


def signature(token: str, path: str) -> str:
    """What makes a link to ``path`` valid without a token, as a presigned URL is."""
    return hmac.new(token.encode(), path.encode(), hashlib.sha256).hexdigest()


class Guard:
    """ASGI middleware: a foreign Host gets 403 and no body, a missing token 401."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token
        self._cookie = page_cookie(token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        if _host_name(headers.get("host", "")) not in LOOPBACK_NAMES:
            await _answer(send, 403, b"")
        elif not self._may_pass(scope["path"], headers):
            await _answer(send, 401, _unauthenticated())
        else:
            await self._app(scope, receive, _with_workspace_id(send))

    def _may_pass(self, path: str, headers: dict[str, str]) -> bool:
        # A signed link is checked by its own route, which knows the signature.
        if path in OPEN_PATHS or path.startswith(SIGNED_PREFIX):
            return True
        sent = headers.get("authorization", "")
        if hmac.compare_digest(sent.encode(), f"Bearer {self._token}".encode()):
            return True
        if path.startswith(API_PREFIXES):
            return False
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        return cookie is not None and hmac.compare_digest(cookie.value, self._cookie)


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()


def _unauthenticated() -> bytes:
    message = "Credential was not sent or was of an unsupported type for this API."
    return json.dumps({"error_code": "UNAUTHENTICATED", "message": message}).encode()


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json")] if body else []
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _with_workspace_id(send: Send) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                *message.get("headers", []),
                (b"x-databricks-org-id", WORKSPACE_ID.encode()),
            ]
        await send(message)

    return sender
