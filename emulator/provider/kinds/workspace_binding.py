"""A workspace that a securable is bound to; the API knows lists of them only."""

from __future__ import annotations

from emulator.provider.client import Api, quoted
from emulator.provider.kinds.base import Body, Resource, State

_PATH = "/api/2.1/unity-catalog/bindings"


class WorkspaceBinding(Resource):
    """``databricks_workspace_binding``: every change is a new one."""

    def create(self, api: Api, planned: State) -> str:
        kind, name = planned["securable_type"], planned["securable_name"]
        self._change(api, str(kind), str(name), "add", planned)
        return f"{int(planned['workspace_id'])}|{kind}|{name}"

    def read(self, api: Api, identity: str, state: State) -> Body | None:
        workspace, kind, name = identity.split("|")
        for binding in api.get(_place(kind, name)).get("bindings", []):
            if str(binding["workspace_id"]) == workspace:
                return {**binding, "securable_type": kind, "securable_name": name}
        return None

    def delete(self, api: Api, identity: str, state: State) -> None:
        _, kind, name = identity.split("|")
        self._change(api, kind, name, "remove", state)

    def _change(self, api: Api, kind: str, name: str, how: str, values: State) -> None:
        binding = {
            "workspace_id": int(values["workspace_id"]),
            "binding_type": values["binding_type"],
        }
        api.call("PATCH", _place(kind, name), {how: [binding]})


def _place(kind: str, name: str) -> str:
    return f"{_PATH}/{quoted(kind)}/{quoted(name)}"
