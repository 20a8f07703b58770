"""Attribute-based policies of catalogs, schemas and tables."""

from __future__ import annotations

import json
from dataclasses import asdict

from emulator.sql.database import Database
from emulator.sql.records import Policy, PolicyIdentity, now_ms


class Policies:
    """Policies by what they hang on, and their name there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, identity: PolicyIdentity) -> Policy | None:
        kind, full_name, name = identity
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT body FROM policies WHERE securable_type = ? AND full_name = ? AND name = ?",
                (kind.upper(), full_name.lower(), name),
            ).fetchone()
        return Policy(**json.loads(row[0])) if row else None

    def all(self) -> list[Policy]:
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT body FROM policies ORDER BY full_name, name"
            ).fetchall()
        return [Policy(**json.loads(row[0])) for row in rows]

    def put(self, policy: Policy) -> None:
        """Insert, or take the place of the one with its name; that one's id and birth stay."""
        policy.on_securable_type = policy.on_securable_type.upper()
        policy.on_securable_fullname = policy.on_securable_fullname.lower()
        with self._database.transaction() as connection:
            before = self.get(policy.identity)
            if before is not None:
                policy.id, policy.created_at = before.id, before.created_at
            policy.updated_at = now_ms()
            connection.execute(
                "INSERT OR REPLACE INTO policies VALUES (?, ?, ?, ?)",
                (*policy.identity, json.dumps(asdict(policy))),
            )

    def drop(self, identity: PolicyIdentity) -> bool:
        kind, full_name, name = identity
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "DELETE FROM policies WHERE securable_type = ? AND full_name = ? AND name = ?",
                (kind.upper(), full_name.lower(), name),
            )
        return cursor.rowcount > 0
