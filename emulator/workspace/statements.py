"""Statements of SQL warehouses: each runs in a thread, its rows wait in chunks to be fetched."""

from __future__ import annotations

import csv
import io
import json
import logging
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emulator.errors import ApiError, invalid_parameter, not_found
from emulator.workspace.arrow import arrow_stream
from emulator.workspace.statement_values import cell, column_info, parameter_values
from emulator.workspace.values import Document, required

if TYPE_CHECKING:
    from emulator.compute.spec import QueryResult

log = logging.getLogger(__name__)
CHUNK_ROWS = 5000
INLINE_BYTES = 25 * 1024 * 1024
KEPT_STATEMENTS = 200
FORMATS = ("JSON_ARRAY", "ARROW_STREAM", "CSV")
Link = Callable[[str], str]
Query = Callable[..., "QueryResult"]


@dataclass
class Statement:
    """One statement from its request to its last chunk."""

    id: str
    body: Document
    state: str = "PENDING"
    error: Document | None = None
    rows: list[list[Any]] = field(default_factory=list)
    columns: list[Any] = field(default_factory=list)
    truncated: bool = False
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def format(self) -> str:
        return str(self.body.get("format") or "JSON_ARRAY")

    @property
    def external(self) -> bool:
        return self.body.get("disposition") == "EXTERNAL_LINKS"

    @property
    def chunk_count(self) -> int:
        return max(1, -(-len(self.rows) // CHUNK_ROWS))

    def chunk_rows(self, index: int) -> list[list[Any]]:
        return self.rows[index * CHUNK_ROWS : (index + 1) * CHUNK_ROWS]


class Statements:
    """Keeps the last statements; older ones are gone, as after an hour on Databricks."""

    def __init__(self, query: Query, link: Link) -> None:
        self._query = query
        self._link = link
        self._lock = threading.Lock()
        self._statements: OrderedDict[str, Statement] = OrderedDict()

    def execute(self, body: Document) -> Document:
        """Run a statement and wait as long as was asked."""
        arguments = _checked(body)
        wait = _wait_seconds(body.get("wait_timeout"))
        statement = Statement(str(uuid.uuid4()), body)
        with self._lock:
            self._statements[statement.id] = statement
            while len(self._statements) > KEPT_STATEMENTS:
                self._statements.popitem(last=False)
        threading.Thread(target=self._run, args=(statement, arguments), daemon=True).start()
        ended = statement.done.wait(wait)
        if wait and not ended and body.get("on_wait_timeout") == "CANCEL":
            self.cancel(statement.id)
        return self.answer(statement.id)

    def answer(self, statement_id: str) -> Document:
        statement = self._get(statement_id)
        status: Document = {"state": statement.state}
        if statement.error:
            status["error"] = statement.error
        shown: Document = {"statement_id": statement.id, "status": status}
        if statement.state == "SUCCEEDED":
            shown["manifest"] = _manifest(statement)
            shown["result"] = self.chunk(statement_id, 0)
        return shown

    def chunk(self, statement_id: str, index: int) -> Document:
        """One chunk: its rows, or a link to them."""
        statement = self._succeeded(statement_id, index)
        rows = statement.chunk_rows(index)
        described: Document = {
            "chunk_index": index,
            "row_offset": index * CHUNK_ROWS,
            "row_count": len(rows),
        }
        if index + 1 < statement.chunk_count:
            described["next_chunk_index"] = index + 1
            described["next_chunk_internal_link"] = (
                f"/api/2.0/sql/statements/{statement.id}/result/chunks/{index + 1}"
            )
        if not statement.external:
            return {**described, "data_array": _cells(statement, rows)}
        address = self._link(f"{statement.id}/{index}")
        expires = "2999-01-01T00:00:00Z"
        link = {**described, "external_link": address, "expiration": expires}
        return {"external_links": [{**link, "byte_count": len(self.content(statement_id, index))}]}

    def content(self, statement_id: str, index: int) -> bytes:
        """What an external link gives."""
        statement = self._succeeded(statement_id, index)
        rows = statement.chunk_rows(index)
        if statement.format == "ARROW_STREAM":
            return arrow_stream(statement.columns, rows)
        cells = _cells(statement, rows)
        if statement.format == "JSON_ARRAY":
            return json.dumps(cells).encode()
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow([column.name for column in statement.columns])
        writer.writerows(cells)
        return text.getvalue().encode()

    def cancel(self, statement_id: str) -> None:
        statement = self._get(statement_id)
        with self._lock:
            if not statement.done.is_set():
                statement.state = "CANCELED"
                statement.done.set()

    def _run(self, statement: Statement, arguments: dict[str, Any]) -> None:
        with self._lock:
            if statement.done.is_set():
                return
            statement.state = "RUNNING"
        try:
            result = self._query(statement.body["statement"], **arguments)
            rows, cut = _within(result.rows, statement)
        except Exception as error:  # noqa: BLE001 - whatever happened, the client must learn it
            message = error_message(error)
            log.info("statement %s failed: %s", statement.id, message)
            self._end(statement, "FAILED", error={"error_code": _code(error), "message": message})
            return
        statement.columns = list(result.columns)
        statement.rows = rows
        statement.truncated = result.truncated or cut
        self._end(statement, "SUCCEEDED")

    def _end(self, statement: Statement, state: str, error: Document | None = None) -> None:
        with self._lock:
            if statement.done.is_set():  # canceled meanwhile: nobody wants the rows
                statement.rows = []
                return
            statement.state, statement.error = state, error
            statement.done.set()

    def _get(self, statement_id: str) -> Statement:
        with self._lock:
            statement = self._statements.get(statement_id)
        if statement is None:
            raise not_found(f"The statement {statement_id} was not found.")
        return statement

    def _succeeded(self, statement_id: str, index: int) -> Statement:
        statement = self._get(statement_id)
        if statement.state != "SUCCEEDED":
            raise ApiError(
                400, "INVALID_STATE", f"The statement {statement_id} is {statement.state}."
            )
        if not 0 <= index < statement.chunk_count:
            raise invalid_parameter(f"chunk_index {index} is not below {statement.chunk_count}.")
        return statement


def _checked(body: Document) -> dict[str, Any]:
    """The request's settings as arguments of Compute.query; errors name the field."""
    required(body, "statement")
    disposition = body.get("disposition") or "INLINE"
    if disposition not in ("INLINE", "EXTERNAL_LINKS"):
        raise invalid_parameter(f"disposition {disposition!r} is not INLINE or EXTERNAL_LINKS.")
    format = body.get("format") or "JSON_ARRAY"
    if format not in FORMATS:
        raise invalid_parameter(f"format {format!r} is not one of: {', '.join(FORMATS)}.")
    if disposition == "INLINE" and format != "JSON_ARRAY":
        raise invalid_parameter(f"format {format} needs the disposition EXTERNAL_LINKS.")
    return {
        "args": parameter_values(body.get("parameters")),
        "catalog": body.get("catalog") or None,
        "schema": body.get("schema") or None,
        "row_limit": body.get("row_limit"),
    }


def _wait_seconds(text: Any) -> int:
    if text is None:
        return 10
    if not isinstance(text, str) or not text.endswith("s") or not text[:-1].isdigit():
        raise invalid_parameter(f"wait_timeout {text!r} is not like 10s.")
    seconds = int(text[:-1])
    if seconds != 0 and not 5 <= seconds <= 50:
        raise invalid_parameter("wait_timeout must be 0s, or from 5s to 50s.")
    return seconds


def _within(rows: list[list[Any]], statement: Statement) -> tuple[list[list[Any]], bool]:
    """As many rows as the byte limit allows, and whether rows were left out."""
    asked = statement.body.get("byte_limit")
    limit = asked or (None if statement.external else INLINE_BYTES)
    if limit is None:
        return rows, False
    size = 0
    for position, row in enumerate(rows):
        size += sum(len(cell(value) or "") + 3 for value in row)
        if size > limit:
            if asked is None:
                raise ApiError(
                    400,
                    "BAD_REQUEST",
                    f"Inline byte limit exceeded: {limit} bytes. "
                    "Use the disposition EXTERNAL_LINKS for larger results.",
                )
            return rows[:position], True
    return rows, False


def _cells(statement: Statement, rows: list[list[Any]]) -> list[list[str | None]]:
    types = [column.type_name for column in statement.columns]
    return [
        [cell(value, type_name) for value, type_name in zip(row, types, strict=True)]
        for row in rows
    ]


def _manifest(statement: Statement) -> Document:
    chunks = []
    for index in range(statement.chunk_count):
        count = len(statement.chunk_rows(index))
        chunks.append({"chunk_index": index, "row_offset": index * CHUNK_ROWS, "row_count": count})
    columns = [column_info(column) for column in statement.columns]
    return {
        "format": statement.format,
        "schema": {"column_count": len(columns), "columns": columns},
        "total_chunk_count": statement.chunk_count,
        "chunks": chunks,
        "total_row_count": len(statement.rows),
        "truncated": statement.truncated,
    }


def error_message(error: Exception) -> str:
    """What went wrong, without the plan and the frames of Spark's inside."""
    message = str(error).partition("\n\nJVM stacktrace:")[0]
    return message.partition(";\n")[0].strip()


def _code(error: Exception) -> str:
    return error.error_code if isinstance(error, ApiError) else "BAD_REQUEST"
