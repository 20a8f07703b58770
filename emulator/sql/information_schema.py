"""The views of information_schema, each one function over the catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from emulator.settings import CATALOG, USER_NAME
from emulator.sql.catalog_store import CatalogStore
from emulator.sql.records import Catalog, Function, Parameter, Schema, Table, Volume

Row = tuple[Any, ...]
_TABLE = "table_catalog string, table_schema string, table_name string"
_CONSTRAINT = "constraint_catalog string, constraint_schema string, constraint_name string"
_AUDIT = "created timestamp, created_by string, last_altered timestamp, last_altered_by string"
_GRANT = "privilege_type string, is_grantable string, inherited_from string"


def temp_view(view: str) -> str:
    return f"__information_schema_{view}"


def _parts(full_name: str) -> tuple[str, ...]:
    return tuple(full_name.split("."))


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def _catalogs(store: CatalogStore) -> Iterator[Row]:
    for c in store.all(Catalog):
        audit = (_time(c.created_at), c.created_by, _time(c.updated_at), c.updated_by)
        yield (c.name, c.owner, c.comment, *audit)


def _schemata(store: CatalogStore) -> Iterator[Row]:
    for s in store.all(Schema):
        audit = (_time(s.created_at), s.created_by, _time(s.updated_at), s.updated_by)
        yield (s.catalog_name, s.name, s.owner, s.comment, *audit)


def _tables(store: CatalogStore) -> Iterator[Row]:
    for t in store.tables():
        insertable = "NO" if t.is_view else "YES"
        audit = (_time(t.created_at), t.created_by, _time(t.updated_at), t.updated_by)
        storage = (t.data_source_format, None, t.storage_location)
        about = (t.table_type, insertable, "PRESERVE", t.owner, t.comment)
        yield (*_parts(t.full_name), *about, *audit, *storage)


def _columns(store: CatalogStore) -> Iterator[Row]:
    for t in store.tables():
        for c in t.columns:
            nullable = "YES" if c.nullable else "NO"
            kinds = (c.type_name, c.type_text)
            yield (*_parts(t.full_name), c.name, c.position + 1, nullable, *kinds, c.comment)


def _views(store: CatalogStore) -> Iterator[Row]:
    for t in store.tables():
        if t.is_view:
            yield (*_parts(t.full_name), t.definition, "NONE", "NO", "NO")


def _constraint_names(store: CatalogStore) -> Iterator[tuple[Any, Row, Row]]:
    for c in store.constraints.all():
        table = _parts(c.table)
        yield c, (*table[:2], c.name), table


def _table_constraints(store: CatalogStore) -> Iterator[Row]:
    for c, name, table in _constraint_names(store):
        yield (*name, *table, c.type, "NO", "NO", "NO")


def _key_column_usage(store: CatalogStore) -> Iterator[Row]:
    for c, name, table in _constraint_names(store):
        for position, column in enumerate(c.columns, 1):
            unique = None
            if c.parent_table is not None:
                primary = store.constraints.primary_key(c.parent_table)
                keys = primary.columns if primary else c.parent_columns
                unique = keys.index(c.parent_columns[position - 1]) + 1
            yield (*name, *table, column, position, unique)


def _referential_constraints(store: CatalogStore) -> Iterator[Row]:
    for c, name, _ in _constraint_names(store):
        if c.parent_table is None:
            continue
        primary = store.constraints.primary_key(c.parent_table)
        unique = (*_parts(c.parent_table)[:2], primary.name if primary else None)
        yield (*name, *unique, "FULL", "NO ACTION", "NO ACTION")


def _constraint_table_usage(store: CatalogStore) -> Iterator[Row]:
    for c, name, table in _constraint_names(store):
        yield (*name, *(_parts(c.parent_table) if c.parent_table else table))


def _constraint_column_usage(store: CatalogStore) -> Iterator[Row]:
    for c, name, table in _constraint_names(store):
        used = _parts(c.parent_table) if c.parent_table else table
        for column in c.parent_columns or c.columns:
            yield (*name, *used, column)


def _tags(kind: str) -> Callable[[CatalogStore], Iterator[Row]]:
    def rows(store: CatalogStore) -> Iterator[Row]:
        for tag in store.tags.all(kind):
            column = (tag.column,) if kind == "column" else ()
            yield (*_parts(tag.full_name), *column, tag.key, tag.value)

    return rows


def _row_filters(store: CatalogStore) -> Iterator[Row]:
    for use in store.function_uses.all():
        if not use.column:
            yield (*_parts(use.table), *_parts(use.function), ", ".join(use.arguments))


def _column_masks(store: CatalogStore) -> Iterator[Row]:
    for use in store.function_uses.all():
        if use.column:
            function = _parts(use.function)
            yield (*_parts(use.table), use.column, *function, ", ".join(use.arguments))


def _privileges(kind: str) -> Callable[[CatalogStore], Iterator[Row]]:
    """Own privileges of each securable, and those that it inherits."""
    records = {"catalog": Catalog, "schema": Schema, "table": Table, "function": Function}
    record: Any = {**records, "volume": Volume}[kind]

    def rows(store: CatalogStore) -> Iterator[Row]:
        parents = ("catalog", "schema", kind)
        grants = store.grants.all()
        for item in store.all(record):
            name = _parts(item.full_name)
            for g in grants:
                above = _parts(g.full_name)
                if g.securable_type not in parents or name[: len(above)] != above:
                    continue
                own = len(above) == len(name)
                source = "NONE" if own else g.securable_type.upper()
                yield (USER_NAME, g.principal, *name, g.privilege, "NO", source)

    return rows


def _routines(store: CatalogStore) -> Iterator[Row]:
    for f in store.all(Function):
        audit = (_time(f.created_at), f.created_by, _time(f.updated_at), f.updated_by)
        kind = ("FUNCTION", f.data_type.split("(")[0].upper(), f.data_type)
        flags = (f.body, "SQL", "YES" if f.deterministic else "NO", f.owner, f.comment)
        yield (*_parts(f.full_name), *_parts(f.full_name), *kind, *flags, *audit)


def _parameter_rows(items: Callable[[Function], list[Parameter]]) -> Any:
    def rows(store: CatalogStore) -> Iterator[Row]:
        for f in store.all(Function):
            for p in items(f):
                kinds = (p.type_name, p.type_text, p.default, p.comment)
                yield (*_parts(f.full_name), p.position + 1, p.name, *kinds)

    return rows


def _volumes(store: CatalogStore) -> Iterator[Row]:
    for v in store.all(Volume):
        audit = (_time(v.created_at), v.created_by, _time(v.updated_at), v.updated_by)
        about = (v.volume_type, v.owner, v.comment, v.storage_location)
        yield (*_parts(v.full_name), *about, *audit)


def _catalog_name(store: CatalogStore) -> Iterator[Row]:
    yield (CATALOG,)


_ROUTINE = "specific_catalog string, specific_schema string, specific_name string"
_PARAMETER = (
    f"{_ROUTINE}, ordinal_position int, parameter_name string, data_type string, "
    "full_data_type string, parameter_default string, comment string"
)
_VOLUME = "volume_catalog string, volume_schema string, volume_name string"
_TAG = "tag_name string, tag_value string"
_GRANTED = "grantor string, grantee string"

VIEWS: dict[str, tuple[str, Callable[[CatalogStore], Iterator[Row]]]] = {
    "information_schema_catalog_name": ("catalog_name string", _catalog_name),
    "catalogs": (f"catalog_name string, catalog_owner string, comment string, {_AUDIT}", _catalogs),
    "schemata": (
        f"catalog_name string, schema_name string, schema_owner string, comment string, {_AUDIT}",
        _schemata,
    ),
    "tables": (
        f"{_TABLE}, table_type string, is_insertable_into string, commit_action string, "
        f"table_owner string, comment string, {_AUDIT}, data_source_format string, "
        "storage_sub_directory string, storage_path string",
        _tables,
    ),
    "columns": (
        f"{_TABLE}, column_name string, ordinal_position int, is_nullable string, "
        "data_type string, full_data_type string, comment string",
        _columns,
    ),
    "views": (
        f"{_TABLE}, view_definition string, check_option string, is_updatable string, "
        "is_insertable_into string",
        _views,
    ),
    "table_constraints": (
        f"{_CONSTRAINT}, {_TABLE}, constraint_type string, is_deferrable string, "
        "initially_deferred string, enforced string",
        _table_constraints,
    ),
    "key_column_usage": (
        f"{_CONSTRAINT}, {_TABLE}, column_name string, ordinal_position int, "
        "position_in_unique_constraint int",
        _key_column_usage,
    ),
    "referential_constraints": (
        f"{_CONSTRAINT}, unique_constraint_catalog string, unique_constraint_schema string, "
        "unique_constraint_name string, match_option string, update_rule string, "
        "delete_rule string",
        _referential_constraints,
    ),
    "constraint_table_usage": (f"{_CONSTRAINT}, {_TABLE}", _constraint_table_usage),
    "constraint_column_usage": (
        f"{_CONSTRAINT}, {_TABLE}, column_name string",
        _constraint_column_usage,
    ),
    "catalog_tags": (f"catalog_name string, {_TAG}", _tags("catalog")),
    "schema_tags": (f"catalog_name string, schema_name string, {_TAG}", _tags("schema")),
    "table_tags": (
        f"catalog_name string, schema_name string, table_name string, {_TAG}",
        _tags("table"),
    ),
    "column_tags": (
        f"catalog_name string, schema_name string, table_name string, column_name string, {_TAG}",
        _tags("column"),
    ),
    "volume_tags": (
        f"catalog_name string, schema_name string, volume_name string, {_TAG}",
        _tags("volume"),
    ),
    "row_filters": (
        f"{_TABLE}, filter_catalog string, filter_schema string, filter_name string, "
        "target_columns string",
        _row_filters,
    ),
    "column_masks": (
        f"{_TABLE}, column_name string, mask_catalog string, mask_schema string, "
        "mask_name string, using_columns string",
        _column_masks,
    ),
    "catalog_privileges": (f"{_GRANTED}, catalog_name string, {_GRANT}", _privileges("catalog")),
    "schema_privileges": (
        f"{_GRANTED}, catalog_name string, schema_name string, {_GRANT}",
        _privileges("schema"),
    ),
    "table_privileges": (f"{_GRANTED}, {_TABLE}, {_GRANT}", _privileges("table")),
    "routine_privileges": (f"{_GRANTED}, {_ROUTINE}, {_GRANT}", _privileges("function")),
    "volume_privileges": (f"{_GRANTED}, {_VOLUME}, {_GRANT}", _privileges("volume")),
    "routines": (
        f"{_ROUTINE}, routine_catalog string, routine_schema string, routine_name string, "
        "routine_type string, data_type string, full_data_type string, "
        "routine_definition string, routine_body string, is_deterministic string, "
        f"routine_owner string, comment string, {_AUDIT}",
        _routines,
    ),
    "parameters": (_PARAMETER, _parameter_rows(lambda f: f.parameters)),
    "routine_columns": (
        _PARAMETER.replace("parameter_name", "column_name").replace(
            "parameter_default", "column_default"
        ),
        _parameter_rows(lambda f: f.return_columns),
    ),
    "volumes": (
        f"{_VOLUME}, volume_type string, volume_owner string, comment string, "
        f"storage_location string, {_AUDIT}",
        _volumes,
    ),
}
