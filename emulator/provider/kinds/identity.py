"""Groups, and who is deploying."""

from __future__ import annotations

import re
from typing import Any

from emulator.provider.client import Api, quoted
from emulator.provider.kinds.base import Body, Resource, State

_ENTITLEMENTS = {
    "allow_cluster_create": "allow-cluster-create",
    "allow_instance_pool_create": "allow-instance-pool-create",
    "databricks_sql_access": "databricks-sql-access",
    "workspace_access": "workspace-access",
    "workspace_consume": "workspace-consume",
}
_GROUPS = "/api/2.0/preview/scim/v2/Groups"


class Group(Resource):
    """``databricks_group``: SCIM, where entitlements are a list of names."""

    def body(self, planned: State) -> Body:
        names = [name for field, name in _ENTITLEMENTS.items() if planned.get(field)]
        entitlements = {"entitlements": [{"value": name} for name in names]}
        return {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            **super().body(planned),
            **(entitlements if names else {}),
        }

    def update(self, api: Api, identity: str, prior: State, planned: State) -> str:
        body = self.body(planned)
        values = {"displayName": body["displayName"], "entitlements": body.get("entitlements", [])}
        if planned.get("external_id"):
            values["externalId"] = planned["external_id"]
        operations = [{"op": "replace", "path": k, "value": v} for k, v in values.items()]
        schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]
        path = f"{_GROUPS}/{quoted(identity)}"
        api.call("PATCH", path, {"schemas": schemas, "Operations": operations})
        return identity

    def computed(self, body: Body, identity: str, api: Api) -> State:
        held = {entry.get("value") for entry in body.get("entitlements", [])}
        entitled = {field: True for field, name in _ENTITLEMENTS.items() if name in held}
        return {**super().computed(body, identity, api), **entitled}


def current_user(api: Api, config: dict[str, Any]) -> dict[str, Any]:
    """``data.databricks_current_user``."""
    me = api.get("/api/2.0/preview/scim/v2/Me")
    name = str(me["userName"])
    return {
        "id": str(me["id"]),
        "user_name": name,
        "external_id": me.get("externalId") or "",
        "home": f"/Users/{name}",
        "repos": f"/Repos/{name}",
        "alphanumeric": re.sub(r"[^a-z0-9]", "_", name.partition("@")[0].lower()),
        "workspace_url": api.host,
        "acl_principal_id": f"users/{name}",
    }
