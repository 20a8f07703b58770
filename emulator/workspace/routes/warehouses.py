"""What SQL warehouses do besides being created: start, stop, and their workspace settings."""

from __future__ import annotations

from fastapi import APIRouter

from emulator.workspace.context import Here, Workspace
from emulator.workspace.values import Document

router = APIRouter()


@router.post("/api/2.0/sql/warehouses/{id}/start")
def start(here: Here, id: str) -> Document:
    return _set_state(here, id, "RUNNING", clusters=1)


@router.post("/api/2.0/sql/warehouses/{id}/stop")
def stop(here: Here, id: str) -> Document:
    return _set_state(here, id, "STOPPED", clusters=0)


def _set_state(here: Workspace, identity: str, state: str, *, clusters: int) -> Document:
    document = here.resources("warehouses").get(identity)
    here.store.put("warehouses", identity, {**document, "state": state, "num_clusters": clusters})
    return {}


@router.get("/api/2.0/sql/config/warehouses")
def workspace_settings() -> Document:
    return {"security_policy": "DATA_ACCESS_CONTROL", "enable_serverless_compute": True}


@router.get("/api/2.0/preview/sql/data_sources")
def data_sources(here: Here) -> list[Document]:
    return [
        {
            "id": f"source-{warehouse['id']}",
            "warehouse_id": warehouse["id"],
            "name": warehouse["name"],
            "type": "databricks_internal",
        }
        for warehouse in here.resources("warehouses").list()
    ]
