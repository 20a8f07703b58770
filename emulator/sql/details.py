"""What hangs on securables: keys, tags, masks and filters, grants, groups, the removal log."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from emulator.sql.database import Database
from emulator.sql.records import Constraint, FunctionUse, Grant, RemovedClauses, Tag, now_ms

EVERYONE = ("account users", "users")


class Constraints:
    """Informational primary and foreign keys, by table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, constraint: Constraint) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO constraints (table_name, name, body) VALUES (?, ?, ?)",
                (constraint.table, constraint.name, json.dumps(asdict(constraint))),
            )

    def all(self, table: str | None = None) -> list[Constraint]:
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT body FROM constraints WHERE ? IS NULL OR table_name = ? ORDER BY rowid",
                (table, table),
            ).fetchall()
        return [_constraint(json.loads(row[0])) for row in rows]

    def primary_key(self, table: str) -> Constraint | None:
        return next((c for c in self.all(table) if c.type == "PRIMARY KEY"), None)

    def referring_to(self, table: str) -> list[Constraint]:
        """The foreign keys whose parent is this table."""
        return [c for c in self.all() if c.parent_table == table]

    def drop(self, table: str, name: str) -> bool:
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "DELETE FROM constraints WHERE table_name = ? AND name = ?", (table, name)
            )
        return cursor.rowcount > 0


def _constraint(body: dict[str, object]) -> Constraint:
    lists = {key: tuple(value) for key, value in body.items() if isinstance(value, list)}
    return Constraint(**{**body, **lists})  # type: ignore[arg-type]


class Tags:
    """Tags of catalogs, schemas, tables, columns and volumes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set(
        self, securable_type: str, full_name: str, values: Mapping[str, str], column: str = ""
    ) -> None:
        rows = [(securable_type, full_name, column.lower(), k, v) for k, v in values.items()]
        with self._database.transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?, ?)", rows)

    def unset(
        self, securable_type: str, full_name: str, keys: Iterable[str], column: str = ""
    ) -> None:
        rows = [(securable_type, full_name, column.lower(), key) for key in keys]
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM tags WHERE securable_type = ? AND full_name = ? "
                "AND column_name = ? AND key = ?",
                rows,
            )

    def all(self, securable_type: str | None = None, full_name: str | None = None) -> list[Tag]:
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT securable_type, full_name, column_name, key, value FROM tags "
                "WHERE (?1 IS NULL OR securable_type = ?1) AND (?2 IS NULL OR full_name = ?2) "
                "ORDER BY full_name, column_name, key",
                (securable_type, full_name),
            ).fetchall()
        return [Tag(*row) for row in rows]


class FunctionUses:
    """Row filters (column '') and column masks: recorded, shown, and not enforced."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set(self, use: FunctionUse) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO function_uses VALUES (?, ?, ?, ?)",
                (use.table, use.column.lower(), use.function, json.dumps(use.arguments)),
            )

    def drop(self, table: str, column: str = "") -> bool:
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "DELETE FROM function_uses WHERE table_name = ? AND column_name = ?",
                (table, column.lower()),
            )
        return cursor.rowcount > 0

    def all(self, table: str | None = None) -> list[FunctionUse]:
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT table_name, column_name, function, arguments FROM function_uses "
                "WHERE ?1 IS NULL OR table_name = ?1 ORDER BY table_name, column_name",
                (table,),
            ).fetchall()
        return [FunctionUse(t, c, f, tuple(json.loads(a))) for t, c, f, a in rows]


class Grants:
    """Privileges with underscores, as REST calls write them (USE_CATALOG, SELECT, ...)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, securable_type: str, full_name: str, principal: str, privileges: Iterable[str]
    ) -> None:
        rows = [(securable_type, full_name, principal, privilege) for privilege in privileges]
        with self._database.transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO grants VALUES (?, ?, ?, ?)", rows)

    def remove(
        self, securable_type: str, full_name: str, principal: str, privileges: Iterable[str]
    ) -> None:
        """ALL_PRIVILEGES takes every privilege of the principal on this securable."""
        with self._database.transaction() as connection:
            for privilege in privileges:
                connection.execute(
                    "DELETE FROM grants WHERE securable_type = ? AND full_name = ? "
                    "AND principal = ? AND (privilege = ? OR ? = 'ALL_PRIVILEGES')",
                    (securable_type, full_name, principal, privilege, privilege),
                )

    def all(self, securable_type: str | None = None, full_name: str | None = None) -> list[Grant]:
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT securable_type, full_name, principal, privilege FROM grants "
                "WHERE (?1 IS NULL OR securable_type = ?1) AND (?2 IS NULL OR full_name = ?2) "
                "ORDER BY full_name, principal, privilege",
                (securable_type, full_name),
            ).fetchall()
        return [Grant(*row) for row in rows]


class Groups:
    """Who is in which account group, for is_account_group_member."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set_members(self, group: str, users: Iterable[str]) -> None:
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM group_members WHERE group_name = ?", (group,))
            connection.executemany(
                "INSERT OR IGNORE INTO group_members VALUES (?, ?)",
                [(group, user) for user in users],
            )

    def of(self, user: str) -> list[str]:
        """The groups of a user; everybody is in the two built-in ones."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT group_name FROM group_members WHERE user_name = ?", (user,)
            ).fetchall()
        return sorted({row[0] for row in rows} | set(EVERYONE))


class RemovalLog:
    """Every statement of which a clause was kept from Spark; nothing is dropped silently."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, statement: str, clauses: Iterable[str]) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO removed_clauses (at, statement, clauses) VALUES (?, ?, ?)",
                (now_ms(), statement, json.dumps(list(clauses))),
            )

    def all(self, after: int = 0) -> list[RemovedClauses]:
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT number, at, statement, clauses FROM removed_clauses "
                "WHERE number > ? ORDER BY number",
                (after,),
            ).fetchall()
        return [RemovedClauses(n, at, text, tuple(json.loads(c))) for n, at, text, c in rows]
