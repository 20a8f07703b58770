"""Unity Catalog as its REST API shows it: the records of CatalogStore, and what was sent beside.

CatalogStore is the one truth about what exists (SQL writes there too). Fields that only the REST
API knows (storage_root, isolation_mode, ...) lie in the Store as they were sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from emulator.errors import ApiError, invalid_parameter, invalid_state, not_found
from emulator.settings import CATALOG, METASTORE_ID
from emulator.sql.catalog_store import CatalogStore
from emulator.sql.errors import SqlError
from emulator.sql.names import quote
from emulator.sql.records import Catalog, Function, InSchema, Record, Schema, Table, Volume
from emulator.store import Store
from emulator.workspace.bindings import ISOLATED, bind_to_this, forget_bindings
from emulator.workspace.unity_shapes import function_info, table_info
from emulator.workspace.values import Document, now_ms, required

if TYPE_CHECKING:
    from emulator.compute.manager import Compute

EXTRA = "unity_extra"
_RECORD_FIELDS = {"comment", "owner", "properties"}
_NEVER_STORED = {"name", "new_name", "catalog_name", "schema_name", "full_name", *_RECORD_FIELDS}


class Unity:
    """Catalogs, schemas, volumes, tables and functions by full name."""

    def __init__(self, catalog: CatalogStore, store: Store, compute: Callable[[], Compute]) -> None:
        self.catalog = catalog
        self._store = store
        self._compute = compute

    # Catalogs
    def create_catalog(self, body: Document) -> Document:
        name = str(required(body, "name")).lower()
        if name != CATALOG:
            raise invalid_parameter(
                f"Catalog '{name}' cannot be created: this workspace holds data only in "
                f"'{CATALOG}', the one catalog of open-source Spark with views and functions."
            )
        if self._extra("catalog", name) is not None:
            raise ApiError(400, "CATALOG_ALREADY_EXISTS", f"Catalog '{name}' already exists")
        if self.catalog.catalog(name) is None:
            self.catalog.put(Catalog(name=name))
        self._declare(Catalog, name, body)
        if self.catalog.schema(f"{name}.default") is None:
            self.catalog.put(Schema(catalog_name=name, name="default"))
        return self.get_catalog(name)

    def get_catalog(self, name: str) -> Document:
        """A catalog that was declared; Spark's own exists for SQL even before that."""
        extra = self._extra("catalog", name)
        record = self.catalog.catalog(name)
        if record is None or extra is None:
            raise ApiError(404, "CATALOG_DOES_NOT_EXIST", f"Catalog '{name}' does not exist.")
        shown = {**_common(record), "name": record.name, "full_name": record.name}
        return {**shown, "catalog_type": "MANAGED_CATALOG", "securable_type": "CATALOG", **extra}

    def list_catalogs(self) -> list[Document]:
        names = [record.name for record in self.catalog.all(Catalog)]
        return [
            self.get_catalog(name) for name in names if self._extra("catalog", name) is not None
        ]

    def delete_catalog(self, name: str, *, force: bool) -> None:
        self.get_catalog(name)
        schemas = self.catalog.all(Schema, name)
        if not force and any(schema.name != "default" for schema in schemas):
            names = ", ".join(schema.name for schema in schemas)
            raise invalid_state(f"Catalog '{name}' is not empty. It has the schemas {names}.")
        for schema in schemas:
            self.delete_schema(schema.full_name, force=True)
        self._store.delete(EXTRA, f"catalog/{name.lower()}")
        self._forget_grants("catalog", name)
        forget_bindings(self._store, "catalog", name)

    # Schemas
    def create_schema(self, body: Document) -> Document:
        name = str(required(body, "name")).lower()
        catalog = str(required(body, "catalog_name")).lower()
        self.get_catalog(catalog)
        full_name = f"{catalog}.{name}"
        if self.catalog.schema(full_name) is not None:
            raise ApiError(400, "SCHEMA_ALREADY_EXISTS", f"Schema '{full_name}' already exists")
        self.catalog.put(Schema(catalog_name=catalog, name=name))
        self._declare(Schema, full_name, body)
        return self.get_schema(full_name)

    def get_schema(self, full_name: str) -> Document:
        record = self.catalog.schema(full_name)
        if record is None:
            raise ApiError(404, "SCHEMA_DOES_NOT_EXIST", f"Schema '{full_name}' does not exist.")
        shown = {**_common(record), "name": record.name, "full_name": record.full_name}
        extra = self._extra("schema", full_name) or {}
        return {
            **shown,
            "catalog_name": record.catalog_name,
            "catalog_type": "MANAGED_CATALOG",
            "schema_id": record.id,
            **extra,
        }

    def list_schemas(self, catalog: str) -> list[Document]:
        return [self.get_schema(record.full_name) for record in self.catalog.all(Schema, catalog)]

    def delete_schema(self, full_name: str, *, force: bool) -> None:
        self.get_schema(full_name)
        models = [
            m for m in self._store.find("registered_model") if m["schema"] == full_name.lower()
        ]
        inside: dict[str, Sequence[object]] = {
            "table": self.catalog.all(Table, full_name),
            "function": self.catalog.all(Function, full_name),
            "volume": self.catalog.all(Volume, full_name),
            "model": models,
        }
        if any(inside.values()) and not force:
            counts = ", ".join(f"{len(items)} {kind}(s)" for kind, items in inside.items())
            raise invalid_state(f"Schema '{full_name}' is not empty. The schema has {counts}.")
        if inside["table"] or inside["function"]:
            # Spark holds these too; only Spark can remove their data.
            self._run(f"DROP SCHEMA IF EXISTS {_quoted(full_name)} CASCADE")
        self.catalog.drop_schema(full_name, cascade=True)
        for model in models:
            self._store.delete("registered_model", model["full_name"])
        self._store.delete(EXTRA, f"schema/{full_name.lower()}")

    # Volumes
    def create_volume(self, body: Document) -> Document:
        volume = Volume(
            catalog_name=str(required(body, "catalog_name")).lower(),
            schema_name=str(required(body, "schema_name")).lower(),
            name=str(required(body, "name")).lower(),
            volume_type=required(body, "volume_type"),
            storage_location=body.get("storage_location"),
        )
        self.get_schema(f"{volume.catalog_name}.{volume.schema_name}")
        if self.catalog.volume(volume.full_name) is not None:
            raise ApiError(
                409, "VOLUME_ALREADY_EXISTS", f"Volume '{volume.full_name}' already exists"
            )
        self.catalog.create_volume(volume)
        self._declare(Volume, volume.full_name, body)
        return self.get_volume(volume.full_name)

    def get_volume(self, full_name: str) -> Document:
        record = self.catalog.volume(full_name)
        if record is None:
            raise not_found(f"Volume '{full_name}' does not exist.")
        return {
            **_in_schema(record),
            "volume_id": record.id,
            "volume_type": record.volume_type,
            "storage_location": record.storage_location,
        }

    def has_volume(self, full_name: str) -> bool:
        return self.catalog.volume(full_name) is not None

    def delete_volume(self, full_name: str) -> None:
        self.get_volume(full_name)
        self.catalog.drop_volume(full_name)

    # Tables and functions: SQL makes them
    def get_table(self, full_name: str) -> Document:
        record = self.catalog.table(full_name)
        if record is None:
            raise ApiError(404, "TABLE_DOES_NOT_EXIST", f"Table '{full_name}' does not exist.")
        return {**_in_schema(record), **table_info(record, self.catalog)}

    def delete_table(self, full_name: str) -> None:
        table_type = self.get_table(full_name)["table_type"]
        is_view = table_type in ("VIEW", "METRIC_VIEW")
        self._run(f"DROP {'VIEW' if is_view else 'TABLE'} {_quoted(full_name)}")

    def get_function(self, full_name: str) -> Document:
        record = self.catalog.function(full_name)
        if record is None:
            raise ApiError(
                404, "FUNCTION_DOES_NOT_EXIST", f"Function '{full_name}' does not exist."
            )
        return {**_in_schema(record), **function_info(record)}

    def delete_function(self, full_name: str) -> None:
        self.get_function(full_name)
        self._run(f"DROP FUNCTION {_quoted(full_name)}")

    # Common to all
    def update(self, kind: type[Record], full_name: str, body: Document) -> None:
        """Change comment, owner, properties and what only the REST API knows."""
        if body.get("new_name"):
            raise invalid_parameter("new_name: this workspace does not rename securables.")
        self._declare(kind, full_name, body)

    def _declare(self, kind: type[Record], full_name: str, body: Document) -> None:
        changes = {name: body[name] for name in _RECORD_FIELDS if body.get(name) is not None}

        def change(record: Any) -> None:
            for name, value in changes.items():
                setattr(record, name, value)
            record.updated_at = now_ms()

        self.catalog.update(kind, full_name, change)
        identity = f"{kind.kind}/{full_name.lower()}"
        extra = {k: v for k, v in body.items() if k not in _NEVER_STORED and v is not None}
        if kind is Catalog and body.get("isolation_mode") in ISOLATED:
            bind_to_this(self._store, Catalog.kind, full_name)
        if kind in (Catalog, Schema):
            self._store.put(EXTRA, identity, {**(self._store.get(EXTRA, identity) or {}), **extra})

    def _extra(self, kind: str, full_name: str) -> Document | None:
        return self._store.get(EXTRA, f"{kind}/{full_name.lower()}")

    def _forget_grants(self, kind: str, full_name: str) -> None:
        for grant in self.catalog.grants.all(kind, full_name.lower()):
            self.catalog.grants.remove(kind, full_name.lower(), grant.principal, [grant.privilege])

    def _run(self, statement: str) -> None:
        try:
            self._compute().query(statement)
        except SqlError as error:
            raise ApiError(400, "BAD_REQUEST", str(error)) from error


def _quoted(full_name: str) -> str:
    return ".".join(quote(part) for part in full_name.split("."))


def _common(record: Record) -> Document:
    shown: Document = {
        "owner": record.owner,
        "metastore_id": METASTORE_ID,
        "created_at": record.created_at,
        "created_by": record.created_by,
        "updated_at": record.updated_at,
        "updated_by": record.updated_by,
    }
    if record.comment is not None:
        shown["comment"] = record.comment
    if record.properties:
        shown["properties"] = record.properties
    return shown


def _in_schema(record: InSchema) -> Document:
    return {
        **_common(record),
        "name": record.name,
        "catalog_name": record.catalog_name,
        "schema_name": record.schema_name,
        "full_name": record.full_name,
    }
