"""Which workspaces are bound to a catalog, location or credential."""

from __future__ import annotations

from emulator.settings import WORKSPACE_ID
from emulator.store import Store
from emulator.workspace.values import Document

KIND = "workspace_bindings"
READ_WRITE = "BINDING_TYPE_READ_WRITE"
BINDING_TYPES = (READ_WRITE, "BINDING_TYPE_READ_ONLY")
# A catalog calls it otherwise than locations and credentials do.
ISOLATED = ("ISOLATED", "ISOLATION_MODE_ISOLATED")


def bindings_of(store: Store, securable_type: str, name: str) -> list[Document]:
    found = store.get(KIND, f"{securable_type}/{name.lower()}") or {}
    return list(found.get("bindings", []))


def keep_bindings(store: Store, securable_type: str, name: str, bindings: list[Document]) -> None:
    store.put(KIND, f"{securable_type}/{name.lower()}", {"bindings": bindings})


def bind_to_this(store: Store, securable_type: str, name: str) -> None:
    """What becomes isolated is seen from where that was asked."""
    if not bindings_of(store, securable_type, name):
        binding = {"workspace_id": int(WORKSPACE_ID), "binding_type": READ_WRITE}
        keep_bindings(store, securable_type, name, [binding])


def forget_bindings(store: Store, securable_type: str, name: str) -> None:
    """After the securable is gone."""
    store.delete(KIND, f"{securable_type}/{name.lower()}")
