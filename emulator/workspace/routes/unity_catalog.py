"""Unity Catalog API: catalogs, schemas, volumes, tables, functions."""

from __future__ import annotations

from fastapi import APIRouter

from emulator.sql.records import Catalog, Function, Schema, Table, Volume
from emulator.workspace.context import Here
from emulator.workspace.values import Document, JsonBody

router = APIRouter()
API = "/api/2.1/unity-catalog"


@router.post(f"{API}/catalogs")
def create_catalog(here: Here, body: JsonBody) -> Document:
    return here.unity.create_catalog(body)


@router.get(f"{API}/catalogs")
def list_catalogs(here: Here) -> Document:
    return {"catalogs": here.unity.list_catalogs()}


@router.get(f"{API}/catalogs/{{name}}")
def get_catalog(here: Here, name: str) -> Document:
    return here.unity.get_catalog(name)


@router.patch(f"{API}/catalogs/{{name}}")
def update_catalog(here: Here, name: str, body: JsonBody) -> Document:
    here.unity.get_catalog(name)
    here.unity.update(Catalog, name, body)
    return here.unity.get_catalog(name)


@router.delete(f"{API}/catalogs/{{name}}")
def delete_catalog(here: Here, name: str, force: bool = False) -> Document:
    here.unity.delete_catalog(name, force=force)
    return {}


@router.post(f"{API}/schemas")
def create_schema(here: Here, body: JsonBody) -> Document:
    return here.unity.create_schema(body)


@router.get(f"{API}/schemas")
def list_schemas(here: Here, catalog_name: str) -> Document:
    return {"schemas": here.unity.list_schemas(catalog_name)}


@router.get(f"{API}/schemas/{{name}}")
def get_schema(here: Here, name: str) -> Document:
    return here.unity.get_schema(name)


@router.patch(f"{API}/schemas/{{name}}")
def update_schema(here: Here, name: str, body: JsonBody) -> Document:
    here.unity.get_schema(name)
    here.unity.update(Schema, name, body)
    return here.unity.get_schema(name)


@router.delete(f"{API}/schemas/{{name}}")
def delete_schema(here: Here, name: str, force: bool = False) -> Document:
    here.unity.delete_schema(name, force=force)
    return {}


@router.post(f"{API}/volumes")
def create_volume(here: Here, body: JsonBody) -> Document:
    return here.unity.create_volume(body)


@router.get(f"{API}/volumes")
def list_volumes(here: Here, catalog_name: str, schema_name: str) -> Document:
    found = here.unity.catalog.all(Volume, f"{catalog_name}.{schema_name}")
    return {"volumes": [here.unity.get_volume(volume.full_name) for volume in found]}


@router.get(f"{API}/volumes/{{name}}")
def get_volume(here: Here, name: str) -> Document:
    return here.unity.get_volume(name)


@router.patch(f"{API}/volumes/{{name}}")
def update_volume(here: Here, name: str, body: JsonBody) -> Document:
    here.unity.get_volume(name)
    here.unity.update(Volume, name, body)
    return here.unity.get_volume(name)


@router.delete(f"{API}/volumes/{{name}}")
def delete_volume(here: Here, name: str) -> Document:
    here.unity.delete_volume(name)
    return {}


@router.get(f"{API}/tables")
def list_tables(here: Here, catalog_name: str, schema_name: str) -> Document:
    found = here.unity.catalog.all(Table, f"{catalog_name}.{schema_name}")
    return {"tables": [here.unity.get_table(table.full_name) for table in found]}


@router.get(f"{API}/table-summaries")
def list_table_summaries(here: Here, catalog_name: str) -> Document:
    found = here.unity.catalog.all(Table, catalog_name)
    return {"tables": [{"full_name": t.full_name, "table_type": t.table_type} for t in found]}


@router.get(f"{API}/tables/{{name}}")
def get_table(here: Here, name: str) -> Document:
    return here.unity.get_table(name)


@router.get(f"{API}/tables/{{name}}/exists")
def table_exists(here: Here, name: str) -> Document:
    return {"table_exists": here.unity.catalog.table(name) is not None}


@router.patch(f"{API}/tables/{{name}}")
def update_table(here: Here, name: str, body: JsonBody) -> Document:
    here.unity.get_table(name)
    here.unity.update(Table, name, body)
    return {}


@router.delete(f"{API}/tables/{{name}}")
def delete_table(here: Here, name: str) -> Document:
    here.unity.delete_table(name)
    return {}


@router.get(f"{API}/functions")
def list_functions(here: Here, catalog_name: str, schema_name: str) -> Document:
    found = here.unity.catalog.all(Function, f"{catalog_name}.{schema_name}")
    return {"functions": [here.unity.get_function(function.full_name) for function in found]}


@router.get(f"{API}/functions/{{name}}")
def get_function(here: Here, name: str) -> Document:
    return here.unity.get_function(name)


@router.delete(f"{API}/functions/{{name}}")
def delete_function(here: Here, name: str) -> Document:
    here.unity.delete_function(name)
    return {}
