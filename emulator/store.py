"""The workspace's memory: JSON documents by kind and id, and append-only event streams, in SQLite.

Safe between threads and between processes (write-ahead log, one short transaction a call).
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Document = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
  kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE TABLE IF NOT EXISTS sequences (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS events (
  number INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS documents_by_job ON documents (kind, json_extract(body, '$.job_id'));
CREATE INDEX IF NOT EXISTS events_by_stream ON events (stream, number);
"""


class Store:
    """Documents keep their insertion order; an update keeps a document's place."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._local = threading.local()
        with self._transaction() as connection:
            connection.executescript(_SCHEMA)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, timeout=30, isolation_level="IMMEDIATE")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            self._local.connection = connection
        with connection:
            yield connection

    def get(self, kind: str, id: str) -> Document | None:
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT body FROM documents WHERE kind = ? AND id = ?", (kind, id)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, id: str, document: Document) -> None:
        """Insert the document, or replace the one with this kind and id."""
        body = json.dumps(document)
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO documents (kind, id, body) VALUES (?, ?, ?) "
                "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                (kind, id, body),
            )

    def delete(self, kind: str, id: str) -> bool:
        with self._transaction() as connection:
            cursor = connection.execute(
                "DELETE FROM documents WHERE kind = ? AND id = ?", (kind, id)
            )
        return cursor.rowcount > 0

    def find(self, kind: str, **equals: str | int | None) -> list[Document]:
        """All documents of a kind whose top-level keys equal what is given."""
        conditions = "".join(f" AND json_extract(body, '$.{key}') IS ?" for key in equals)
        with self._transaction() as connection:
            rows = connection.execute(
                f"SELECT body FROM documents WHERE kind = ?{conditions} ORDER BY rowid",
                (kind, *equals.values()),
            ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def next_id(self, sequence: str) -> int:
        """The next number of a sequence, from 1; never given twice."""
        with self._transaction() as connection:
            row = connection.execute(
                "INSERT INTO sequences (name, value) VALUES (?, 1) "
                "ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
                (sequence,),
            ).fetchone()
        return int(row[0])

    def append(self, stream: str, event: Document) -> int:
        """Add an event to a stream and give its number."""
        with self._transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO events (stream, body) VALUES (?, ?)", (stream, json.dumps(event))
            )
        return int(cursor.lastrowid or 0)

    def events(self, stream: str, after: int = 0) -> list[Document]:
        """The events of a stream in order, each with its ``number``."""
        with self._transaction() as connection:
            rows = connection.execute(
                "SELECT number, body FROM events WHERE stream = ? AND number > ? ORDER BY number",
                (stream, after),
            ).fetchall()
        return [{**json.loads(body), "number": number} for number, body in rows]
