"""The views of a catalog's information_schema that definitions may read, with their columns."""

from __future__ import annotations

GRANTED = ("grantor", "grantee", "privilege_type", "is_grantable", "inherited_from")
TABLE = ("table_catalog", "table_schema", "table_name")
TAG = ("catalog_name", "schema_name", "table_name", "tag_name", "tag_value")
VIEWS: dict[str, tuple[str, ...]] = {
    "information_schema_catalog_name": ("catalog_name",),
    "catalog_privileges": ("catalog_name", *GRANTED),
    "schema_privileges": ("catalog_name", "schema_name", *GRANTED),
    "table_privileges": (*TABLE, *GRANTED),
    "table_tags": TAG,
    "column_tags": (*TAG, "column_name"),
    "column_masks": (*TABLE, "column_name", "mask_catalog", "mask_schema", "mask_name"),
}
INFORMATION_SCHEMA = {
    f"information_schema.{view}": frozenset(columns) for view, columns in VIEWS.items()
}
