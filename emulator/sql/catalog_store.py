"""The emulated Unity Catalog, in SQLite: what SQL and REST calls both read and write."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from emulator.settings import CATALOG
from emulator.sql.database import Database
from emulator.sql.details import Constraints, FunctionUses, Grants, Groups, RemovalLog, Tags
from emulator.sql.errors import SqlError, no_such_schema
from emulator.sql.policy_store import Policies
from emulator.sql.records import (
    Catalog,
    Function,
    InSchema,
    MetricView,
    Record,
    Schema,
    Table,
    Volume,
    now_ms,
)

R = TypeVar("R", bound=Record)
_DETAILS = (
    "DELETE FROM constraints WHERE table_name = ?",
    "DELETE FROM constraints WHERE json_extract(body, '$.parent_table') = ?",
    "DELETE FROM function_uses WHERE table_name = ?",
    "DELETE FROM objects WHERE kind = 'metric_view' AND full_name = ?",
    "DELETE FROM tags WHERE securable_type IN ('table', 'column') AND full_name = ?",
    "DELETE FROM grants WHERE securable_type = 'table' AND full_name = ?",
    "DELETE FROM policies WHERE securable_type = 'TABLE' AND full_name = ?",
)
_RENAMES = (
    "UPDATE constraints SET table_name = ?1, body = json_set(body, '$.table', ?1) "
    "WHERE table_name = ?2",
    "UPDATE constraints SET body = json_set(body, '$.parent_table', ?1) "
    "WHERE json_extract(body, '$.parent_table') = ?2",
    "UPDATE function_uses SET table_name = ?1 WHERE table_name = ?2",
    "UPDATE objects SET full_name = ?1 WHERE kind = 'metric_view' AND full_name = ?2",
    "UPDATE tags SET full_name = ?1 WHERE securable_type IN ('table', 'column') AND full_name = ?2",
    "UPDATE grants SET full_name = ?1 WHERE securable_type = 'table' AND full_name = ?2",
)


class CatalogStore:
    """Securables by full name (lower case); a get gives a copy, a put writes it back.

    Details hang beside them: ``constraints``, ``tags``, ``function_uses``, ``grants``,
    ``policies``, ``groups``, and ``log`` for the clauses that Spark never saw.
    """

    def __init__(self, path: Path, volumes: Path | None = None) -> None:
        self._database = Database(path)
        self._volumes = volumes or path.parent / "files" / "Volumes"
        self.constraints = Constraints(self._database)
        self.tags = Tags(self._database)
        self.function_uses = FunctionUses(self._database)
        self.grants = Grants(self._database)
        self.policies = Policies(self._database)
        self.groups = Groups(self._database)
        self.log = RemovalLog(self._database)
        with self._database.transaction():
            if self.catalog(CATALOG) is None:
                self.put(Catalog(name=CATALOG))
                self.put(Schema(catalog_name=CATALOG, name="default"))

    # Any securable
    def get(self, kind: type[R], full_name: str) -> R | None:
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT body FROM objects WHERE kind = ? AND full_name = ?",
                (kind.kind, full_name.lower()),
            ).fetchone()
        return kind.from_json(row[0]) if row else None

    def all(self, kind: type[R], parent: str | None = None) -> list[R]:
        """All of a kind, or those in a catalog or schema, by full name."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT body FROM objects WHERE kind = ?1 AND (?2 IS NULL OR "
                "substr(full_name, 1, length(?2) + 1) = ?2 || '.') ORDER BY full_name",
                (kind.kind, parent.lower() if parent else None),
            ).fetchall()
        return [kind.from_json(row[0]) for row in rows]

    def put(self, record: Record) -> None:
        """Insert or replace; the schema of what lies in one must exist."""
        with self._database.transaction() as connection:
            if isinstance(record, InSchema):
                self._require_schema(record)
            connection.execute(
                "INSERT INTO objects (kind, full_name, body) VALUES (?, ?, ?) "
                "ON CONFLICT (kind, full_name) DO UPDATE SET body = excluded.body",
                (record.kind, record.full_name.lower(), record.to_json()),
            )

    def update(self, kind: type[R], full_name: str, change: Callable[[R], None]) -> R | None:
        """Read, change and write in one transaction; None if there is no such securable."""
        with self._database.transaction():
            record = self.get(kind, full_name)
            if record is not None:
                change(record)
                record.updated_at = now_ms()
                self.put(record)
        return record

    def _require_schema(self, record: InSchema) -> None:
        schema = f"{record.catalog_name}.{record.schema_name}"
        if self.schema(schema) is None:
            raise no_such_schema(schema)

    def _delete(self, kind: type[Record], full_name: str) -> bool:
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "DELETE FROM objects WHERE kind = ? AND full_name = ?",
                (kind.kind, full_name.lower()),
            )
        return cursor.rowcount > 0

    def _forget(self, securable_type: str, full_name: str) -> None:
        with self._database.transaction() as connection:
            for table in ("tags", "grants", "policies"):
                connection.execute(
                    f"DELETE FROM {table} WHERE LOWER(securable_type) = ? AND full_name = ?",
                    (securable_type, full_name.lower()),
                )

    # Catalogs and schemas
    def catalog(self, name: str) -> Catalog | None:
        return self.get(Catalog, name)

    def schema(self, full_name: str) -> Schema | None:
        return self.get(Schema, full_name)

    def drop_schema(self, full_name: str, *, cascade: bool = False) -> bool:
        """Refused while something lies in it, unless cascade."""
        with self._database.transaction():
            kinds: tuple[tuple[type[InSchema], Callable[[str], bool]], ...] = (
                (Table, self.drop_table),
                (Function, self.drop_function),
                (Volume, self.drop_volume),
            )
            for kind, drop in kinds:
                for item in self.all(kind, full_name):
                    if not cascade:
                        message = f"Schema {full_name} still holds {item.full_name}."
                        raise SqlError("SCHEMA_NOT_EMPTY", message, "2BP01")
                    drop(item.full_name)
            self._forget("schema", full_name)
            return self._delete(Schema, full_name)

    def holds_volumes(self, schema: str) -> bool:
        return bool(self.all(Volume, schema))

    def drop_catalog(self, name: str) -> bool:
        with self._database.transaction():
            self._forget("catalog", name)
            return self._delete(Catalog, name)

    # Tables, views and metric views
    def table(self, full_name: str) -> Table | None:
        return self.get(Table, full_name)

    def tables(self, schema: str | None = None) -> list[Table]:
        return self.all(Table, schema)

    def drop_table(self, full_name: str) -> bool:
        """Also its keys, the foreign keys that refer to it, its tags, masks and grants."""
        with self._database.transaction() as connection:
            for statement in _DETAILS:
                connection.execute(statement, (full_name.lower(),))
            return self._delete(Table, full_name)

    def rename_table(self, old: str, new: str) -> None:
        with self._database.transaction() as connection:
            for statement in _RENAMES:
                connection.execute(statement, (new.lower(), old.lower()))
            table = self.table(old)
            if table is not None:
                self._delete(Table, old)
                table.catalog_name, table.schema_name, table.name = new.split(".")
                self.put(table)

    def keep_details(self, table: Table, columns: Iterable[str]) -> None:
        """After a replacement: constraints go; tags and masks of columns that are left stay."""
        left = {column.lower() for column in columns}
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM constraints WHERE table_name = ?", (table.full_name,))
            for tag in self.tags.all("column", table.full_name):
                if tag.column not in left:
                    self.tags.unset("column", table.full_name, [tag.key], tag.column)
            for use in self.function_uses.all(table.full_name):
                if use.column and use.column not in left:
                    self.function_uses.drop(table.full_name, use.column)

    def metric_view(self, full_name: str) -> MetricView | None:
        return self.get(MetricView, full_name)

    def has_metric_views(self) -> bool:
        return bool(self.all(MetricView))

    def forget_metric_view(self, full_name: str) -> bool:
        return self._delete(MetricView, full_name)

    # Functions
    def function(self, full_name: str) -> Function | None:
        return self.get(Function, full_name)

    def drop_function(self, full_name: str) -> bool:
        with self._database.transaction():
            self._forget("function", full_name)
            return self._delete(Function, full_name)

    # Volumes
    def volume(self, full_name: str) -> Volume | None:
        return self.get(Volume, full_name)

    def volume_folder(self, full_name: str) -> Path:
        """The folder that code in the workspace sees as /Volumes/<catalog>/<schema>/<name>."""
        return self._volumes.joinpath(*full_name.lower().split("."))

    def create_volume(self, volume: Volume) -> Volume:
        """Record the volume and make its folder."""
        volume.storage_location = volume.storage_location or str(
            self.volume_folder(volume.full_name)
        )
        self.put(volume)
        self.volume_folder(volume.full_name).mkdir(parents=True, exist_ok=True)
        return volume

    def drop_volume(self, full_name: str) -> bool:
        """Forget the volume and remove its files."""
        with self._database.transaction():
            self._forget("volume", full_name)
            dropped = self._delete(Volume, full_name)
        if dropped:
            shutil.rmtree(self.volume_folder(full_name), ignore_errors=True)
        return dropped
