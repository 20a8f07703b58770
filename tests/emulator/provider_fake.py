"""A workspace in memory, only as deep as the provider's tests need; it checks what it is sent."""

from __future__ import annotations

import base64
import itertools
import json
import re
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

TOKEN = "token-of-the-fake"
Json = dict[str, Any]


class Fault(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def missing(what: str) -> Fault:
    return Fault(404, "RESOURCE_DOES_NOT_EXIST", f"{what} does not exist")


class FakeWorkspace:
    """Objects by kind and id, and a log of the calls."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Json]] = {}
        self.files: dict[str, tuple[bytes, float]] = {}
        self.calls: list[tuple[str, str, Json]] = []
        self._numbers = itertools.count(1001)
        self._clock = itertools.count(1_700_000_000_000)

    def of(self, kind: str) -> dict[str, Json]:
        return self.objects.setdefault(kind, {})

    def number(self) -> int:
        return next(self._numbers)

    def tick(self) -> int:
        return next(self._clock)

    def get(self, kind: str, identity: str) -> Json:
        if identity not in self.of(kind):
            raise missing(f"{kind} {identity!r}")
        return self.of(kind)[identity]


Route = Callable[[FakeWorkspace, Json, Json], Json]
ROUTES: list[tuple[str, re.Pattern[str], Callable[..., Json]]] = []


def route(method: str, pattern: str) -> Callable[[Callable[..., Json]], Callable[..., Json]]:
    def add(function: Callable[..., Json]) -> Callable[..., Json]:
        ROUTES.append((method, re.compile(pattern + "$"), function))
        return function

    return add


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    workspace: FakeWorkspace
    lock = threading.Lock()

    def handle_one(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise Fault(401, "UNAUTHENTICATED", "no valid token")
            with self.lock:
                self.dispatch(parts.path, query, data)
        except Fault as fault:
            self.reply(fault.status, {"error_code": fault.code, "message": fault.message})

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_one

    def dispatch(self, path: str, query: Json, data: bytes) -> None:
        if path.startswith("/api/2.0/fs/files/"):
            return self.file(unquote(path.removeprefix("/api/2.0/fs/files")), data)
        body = json.loads(data) if data else {}
        self.workspace.calls.append((self.command, path, body))
        for method, pattern, function in ROUTES:
            match = pattern.match(path)
            if match and method == self.command:
                segments = [unquote(segment) for segment in match.groups()]
                return self.reply(200, function(self.workspace, body, query, *segments))
        raise Fault(501, "NOT_IMPLEMENTED", f"{self.command} {path}")

    def file(self, path: str, data: bytes) -> None:
        files = self.workspace.files
        if self.command == "PUT":
            files[path] = (data, time.time())
            return self.reply(204, None)
        if path not in files:
            raise missing(f"file {path}")
        if self.command == "DELETE":
            del files[path]
            return self.reply(204, None)
        content, modified = files[path]
        headers = {"Last-Modified": formatdate(modified, usegmt=True)}
        return self.reply(200, content, headers)

    def reply(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        content = answer if isinstance(answer, bytes) else b""
        if isinstance(answer, dict):
            content = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class FakeServer:
    """The workspace on a free loopback port, for a ``with`` block."""

    def __init__(self) -> None:
        self.workspace = FakeWorkspace()
        handler = type("Handler", (_Handler,), {"workspace": self.workspace})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.host = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FakeServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()


# -- Unity Catalog ---------------------------------------------------------------------------------

_UC = "/api/2.1/unity-catalog"
_NAMED = {"catalogs": ("name",), "schemas": ("catalog_name", "name")}
_NAMED["volumes"] = _NAMED["models"] = ("catalog_name", "schema_name", "name")


def _entity(kind: str, body: Json) -> Json:
    full_name = ".".join(body[part] for part in _NAMED[kind])
    return {"owner": "admin@fake", "metastore_id": "metastore", "full_name": full_name, **body}


@route("POST", _UC + "/(catalogs|schemas|volumes|models)")
def create_entity(w: FakeWorkspace, body: Json, query: Json, kind: str) -> Json:
    made = _entity(kind, body)
    if made["full_name"] in w.of(kind):
        raise Fault(409, "RESOURCE_ALREADY_EXISTS", f"{made['full_name']} already exists")
    if made["name"] == "forbidden":
        raise Fault(400, "INVALID_PARAMETER_VALUE", "The value of 'name' is not allowed")
    w.of(kind)[made["full_name"]] = made
    return made


@route("GET", _UC + "/(catalogs|schemas|volumes|models)/([^/]+)")
def get_entity(w: FakeWorkspace, body: Json, query: Json, kind: str, name: str) -> Json:
    return w.get(kind, name)


@route("PATCH", _UC + "/(catalogs|schemas|volumes|models)/([^/]+)")
def patch_entity(w: FakeWorkspace, body: Json, query: Json, kind: str, name: str) -> Json:
    if body.get("owner") == "nobody":
        raise Fault(400, "INVALID_PARAMETER_VALUE", "There is no principal nobody")
    w.get(kind, name).update(body)
    return w.get(kind, name)


@route("DELETE", _UC + "/(catalogs|schemas|volumes|models)/([^/]+)")
def delete_entity(w: FakeWorkspace, body: Json, query: Json, kind: str, name: str) -> Json:
    w.get(kind, name)
    del w.of(kind)[name]
    return {}


@route("POST", "/api/2.0/sql/statements")
def run_statement(w: FakeWorkspace, body: Json, query: Json) -> Json:
    """Every statement succeeds; a dropped table is gone, the others are the test's to change."""
    dropped = re.match(r"DROP TABLE IF EXISTS (.*)", body["statement"])
    if dropped:
        del w.of("tables")[dropped.group(1).replace("`", "")]
    return {"statement_id": "1", "status": {"state": "SUCCEEDED"}}


@route("GET", _UC + "/tables/([^/]+)")
def get_table(w: FakeWorkspace, body: Json, query: Json, name: str) -> Json:
    return w.get("tables", name)


# -- Jobs ------------------------------------------------------------------------------------------


@route("POST", "/api/2.2/jobs/create")
def create_job(w: FakeWorkspace, body: Json, query: Json) -> Json:
    number = w.number()
    w.of("jobs")[str(number)] = {"job_id": number, "settings": _with_server_defaults(body)}
    return {"job_id": number}


def _with_server_defaults(settings: Json) -> Json:
    tasks = [{"run_if": "ALL_SUCCESS", "timeout_seconds": 0, **t} for t in settings["tasks"]]
    tasks.sort(key=lambda task: str(task["task_key"]))
    return {"format": "MULTI_TASK", "email_notifications": {}, **settings, "tasks": tasks}


@route("GET", "/api/2.2/jobs/get")
def get_job(w: FakeWorkspace, body: Json, query: Json) -> Json:
    return w.get("jobs", query["job_id"])


@route("POST", "/api/2.2/jobs/reset")
def reset_job(w: FakeWorkspace, body: Json, query: Json) -> Json:
    if body["new_settings"]["name"] == "forbidden":
        raise Fault(400, "INVALID_PARAMETER_VALUE", "not this name")
    w.get("jobs", str(body["job_id"]))["settings"] = _with_server_defaults(body["new_settings"])
    return {}


@route("POST", "/api/2.2/jobs/delete")
def delete_job(w: FakeWorkspace, body: Json, query: Json) -> Json:
    w.get("jobs", str(body["job_id"]))
    del w.of("jobs")[str(body["job_id"])]
    return {}


# -- Workspace objects -----------------------------------------------------------------------------


@route("POST", "/api/2.0/workspace/mkdirs")
def mkdirs(w: FakeWorkspace, body: Json, query: Json) -> Json:
    parts = body["path"].strip("/").split("/")
    for end in range(1, len(parts) + 1):
        path = "/" + "/".join(parts[:end])
        entry = {"path": path, "object_type": "DIRECTORY", "object_id": w.number()}
        w.of("workspace").setdefault(path, entry)
    return {}


@route("POST", "/api/2.0/workspace/import")
def import_object(w: FakeWorkspace, body: Json, query: Json) -> Json:
    path = body["path"]
    w.get("workspace", path.rpartition("/")[0])
    old = w.of("workspace").get(path, {})
    entry = {
        "path": path,
        "object_type": "NOTEBOOK" if body["format"] == "SOURCE" else "FILE",
        "object_id": old.get("object_id") or w.number(),
        "modified_at": w.tick(),
        "content": base64.b64decode(body["content"]).decode(),
    }
    if "language" in body:
        entry["language"] = body["language"]
    w.of("workspace")[path] = entry
    return {}


@route("GET", "/api/2.0/workspace/get-status")
def get_status(w: FakeWorkspace, body: Json, query: Json) -> Json:
    entry = w.get("workspace", query["path"])
    return {name: value for name, value in entry.items() if name != "content"}


@route("GET", "/api/2.0/workspace/export")
def export_object(w: FakeWorkspace, body: Json, query: Json) -> Json:
    content = w.get("workspace", query["path"])["content"]
    return {"content": base64.b64encode(content.encode()).decode()}


@route("POST", "/api/2.0/workspace/delete")
def delete_object(w: FakeWorkspace, body: Json, query: Json) -> Json:
    w.get("workspace", body["path"])
    del w.of("workspace")[body["path"]]
    return {}


# -- Serving endpoints -----------------------------------------------------------------------------


@route("POST", "/api/2.0/serving-endpoints")
def create_endpoint(w: FakeWorkspace, body: Json, query: Json) -> Json:
    if "config" in body and not body["config"].get("served_entities"):
        raise Fault(400, "INVALID_PARAMETER_VALUE", "config has no served_entities")
    state = {"ready": "NOT_READY", "config_update": "IN_PROGRESS"}
    made = {**body, "id": str(w.number()), "state": state}
    w.of("endpoints")[body["name"]] = made
    return made


@route("GET", "/api/2.0/serving-endpoints/([^/]+)")
def get_endpoint(w: FakeWorkspace, body: Json, query: Json, name: str) -> Json:
    """Ready from the second look on."""
    endpoint = w.get("endpoints", name)
    answer = {**endpoint, "state": dict(endpoint["state"])}
    endpoint["state"]["config_update"] = "NOT_UPDATING"
    return answer
