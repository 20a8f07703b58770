"""SQLite for several threads and processes: write-ahead log, one short transaction a call."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  kind TEXT NOT NULL, full_name TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (kind, full_name));
CREATE TABLE IF NOT EXISTS constraints (
  table_name TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (table_name, name));
CREATE TABLE IF NOT EXISTS tags (
  securable_type TEXT NOT NULL, full_name TEXT NOT NULL, column_name TEXT NOT NULL,
  key TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (securable_type, full_name, column_name, key));
CREATE TABLE IF NOT EXISTS function_uses (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, function TEXT NOT NULL,
  arguments TEXT NOT NULL, PRIMARY KEY (table_name, column_name));
CREATE TABLE IF NOT EXISTS grants (
  securable_type TEXT NOT NULL, full_name TEXT NOT NULL, principal TEXT NOT NULL,
  privilege TEXT NOT NULL, PRIMARY KEY (securable_type, full_name, principal, privilege));
CREATE TABLE IF NOT EXISTS policies (
  securable_type TEXT NOT NULL, full_name TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (securable_type, full_name, name));
CREATE TABLE IF NOT EXISTS group_members (
  group_name TEXT NOT NULL, user_name TEXT NOT NULL, PRIMARY KEY (group_name, user_name));
CREATE TABLE IF NOT EXISTS removed_clauses (
  number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,
  statement TEXT NOT NULL, clauses TEXT NOT NULL);
"""


class Database:
    """Opens one connection a thread and process; a forked child opens its own."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._local = threading.local()
        with self.transaction() as connection:
            connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside happens at once or not at all; nested calls join the outer one."""
        connection = self._connection()
        if connection.in_transaction:
            yield connection
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.rollback()
            raise
        connection.commit()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            self._local.connection = connection
        return connection
