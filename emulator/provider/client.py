"""Calls to the workspace's REST API over kept-alive connections."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import threading
import time
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from emulator.provider.bundle import PROVIDER_VERSION

# As the official provider names itself, and the Terraform that runs it.
USER_AGENT = f"databricks-tf-provider/{PROVIDER_VERSION} terraform"
_ATTEMPTS = 5
_TIMEOUT_SECONDS = 600
_BUSY = (429, 503)
_STALE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)


class ApiFault(Exception):
    """The API's answer when it did not do what was asked."""

    def __init__(self, status: int, error_code: str, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.message = message
        self.details = details if isinstance(details, list) else []

    @property
    def gone(self) -> bool:
        return self.status == 404


class Api:
    """One workspace; safe between threads."""

    def __init__(self, host: str, token: str) -> None:
        self.host = host.rstrip("/")
        self._parts = urlsplit(self.host)
        self._token = token
        self._local = threading.local()

    @cached_property
    def user_name(self) -> str:
        """Whom the token belongs to."""
        return str(self.get("/api/2.0/preview/scim/v2/Me")["userName"])

    def get(self, path: str, query: dict[str, Any] | None = None) -> dict[str, Any]:
        return self.call("GET", path, query=query)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self.call("POST", path, body)

    def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """One JSON call; ApiFault for any status but success."""
        data = None if body is None else json.dumps(body).encode()
        _, text = self._send(method, path, query, data, "application/json")
        answer = json.loads(text) if text.strip() else {}
        return answer if isinstance(answer, dict) else {"items": answer}

    def head(self, path: str) -> dict[str, str]:
        """The headers of an answer, in lower case."""
        return self._send("HEAD", path, None, None, None)[0]

    def put_bytes(self, path: str, data: bytes, query: dict[str, Any]) -> None:
        self._send("PUT", path, query, data, "application/octet-stream")

    def _send(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None,
        data: bytes | None,
        content_type: str | None,
    ) -> tuple[dict[str, str], bytes]:
        target = path + (f"?{urlencode(query)}" if query else "")
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
        }
        if data is not None and content_type is not None:
            headers["Content-Type"] = content_type
        for attempt in range(1, _ATTEMPTS + 1):
            response, text = self._exchange(method, target, data, headers)
            if response.status in _BUSY and attempt < _ATTEMPTS:
                time.sleep(float(response.getheader("Retry-After") or attempt / 2))
                continue
            if response.status >= 400:
                raise _fault(method, path, response.status, text)
            return {name.lower(): value for name, value in response.getheaders()}, text
        raise AssertionError("the last attempt returns or raises")

    def _exchange(
        self, method: str, target: str, data: bytes | None, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Send on this thread's connection; on a kept one that the server closed, once more."""
        kept: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        for connection in filter(None, (kept, self._connect())):
            try:
                connection.request(method, target, body=data, headers=headers)
                response = connection.getresponse()
                text = response.read()
            except (http.client.HTTPException, OSError) as error:
                connection.close()
                self._local.connection = None
                if connection is kept and isinstance(error, _STALE):
                    continue
                raise ApiFault(0, "UNREACHABLE", f"cannot reach {self.host}: {error}") from error
            self._local.connection = connection
            return response, text
        raise AssertionError("the new connection returns or raises")

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                host, port, timeout=_TIMEOUT_SECONDS, context=context
            )
        return _NoDelayConnection(host, port, timeout=_TIMEOUT_SECONDS)


class _NoDelayConnection(http.client.HTTPConnection):
    """Head and body of a request are two writes; without this the second waits 40 ms."""

    def connect(self) -> None:
        super().connect()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _fault(method: str, path: str, status: int, text: bytes) -> ApiFault:
    try:
        answer = json.loads(text) if text.strip() else {}
    except ValueError:
        answer = {"message": text.decode(errors="replace")[:500]}
    if not isinstance(answer, dict):
        answer = {"message": str(answer)}
    code = answer.get("error_code") or answer.get("scimType") or http.client.responses.get(status)
    message = answer.get("message") or answer.get("detail") or f"{method} {path} answered {status}"
    return ApiFault(status, str(code or status), str(message), answer.get("details"))


def quoted(text: str) -> str:
    """One path segment."""
    return quote(text, safe="")


def quoted_path(text: str) -> str:
    return quote(text, safe="/")


def base64_text(data: bytes) -> str:
    return base64.b64encode(data).decode()
