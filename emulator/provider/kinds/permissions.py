"""``databricks_permissions``: the access control list of one workspace object."""

from __future__ import annotations

from typing import Any

from emulator.provider.client import Api, quoted_path
from emulator.provider.kinds.base import Body, Resource, State, UserError

_PRINCIPALS = ("user_name", "group_name", "service_principal_name")
# Attribute: type in the object's path. Objects named by path are looked up for their number.
_TYPES = {
    "alert_v2_id": "alertsv2",
    "authorization": "authorization",
    "cluster_id": "clusters",
    "cluster_policy_id": "cluster-policies",
    "dashboard_id": "dashboards",
    "directory_id": "directories",
    "directory_path": "directories",
    "experiment_id": "experiments",
    "instance_pool_id": "instance-pools",
    "job_id": "jobs",
    "notebook_id": "notebooks",
    "notebook_path": "notebooks",
    "pipeline_id": "pipelines",
    "registered_model_id": "registered-models",
    "repo_id": "repos",
    "repo_path": "repos",
    "serving_endpoint_id": "serving-endpoints",
    "sql_alert_id": "sql/alerts",
    "sql_dashboard_id": "sql/dashboards",
    "sql_endpoint_id": "sql/warehouses",
    "sql_query_id": "sql/queries",
    "workspace_file_id": "files",
    "workspace_file_path": "files",
}


class Permissions(Resource):
    """The id is the object's path, as in ``/jobs/123``."""

    def validate(self, config: State) -> None:
        if len([name for name in _TYPES if config.get(name) is not None]) != 1:
            raise UserError("one object", f"Set exactly one of {', '.join(_TYPES)}.", [])

    def create(self, api: Api, planned: State) -> str:
        field = next(name for name in _TYPES if planned.get(name) is not None)
        name = str(planned[field])
        if field.endswith("_path"):
            name = str(api.get("/api/2.0/workspace/get-status", {"path": name})["object_id"])
        identity = f"/{_TYPES[field]}/{name}"
        self._put(api, identity, planned["access_control"])
        return identity

    def update(self, api: Api, identity: str, prior: State, planned: State) -> str:
        self._put(api, identity, planned["access_control"])
        return identity

    def delete(self, api: Api, identity: str, state: State) -> None:
        self._put(api, identity, [])

    def read(self, api: Api, identity: str, state: State) -> Body | None:
        answer = api.get(_path(identity))
        me = api.user_name
        wanted = {_principal(entry) for entry in state.get("access_control") or ()}
        entries = [
            entry
            for raw in answer.get("access_control_list", [])
            for entry in _direct(raw)
            if _principal(entry) in wanted or not _implied(entry, me)
        ]
        return {"access_control": entries, "object_type": answer.get("object_type")}

    def import_state(self, identity: str) -> State:
        kind, _, name = identity.strip("/").rpartition("/")
        fields = [f for f, type_name in _TYPES.items() if type_name == kind]
        if not fields:
            raise UserError("wrong import id", f"{identity!r} is not /<type>/<id>.", [])
        return {"id": f"/{kind}/{name}", fields[0]: name}

    def _put(self, api: Api, identity: str, entries: list[dict[str, Any]]) -> None:
        """Replace the list; an object that has an owner keeps one."""
        sent = [{k: v for k, v in entry.items() if v} for entry in entries]
        owned = any(entry.get("permission_level") == "IS_OWNER" for entry in sent)
        if identity.startswith(("/jobs/", "/pipelines/", "/sql/warehouses/")) and not owned:
            sent.append({"user_name": api.user_name, "permission_level": "IS_OWNER"})
        api.call("PUT", _path(identity), {"access_control_list": sent})


def _path(identity: str) -> str:
    return f"/api/2.0/permissions{quoted_path(identity)}"


def _principal(entry: dict[str, Any]) -> str:
    return next((str(entry[name]) for name in _PRINCIPALS if entry.get(name)), "")


def _direct(raw: dict[str, Any]) -> list[dict[str, Any]]:
    """What is set on the object itself, without what it inherits."""
    principal = {name: raw[name] for name in _PRINCIPALS if raw.get(name)}
    return [
        {**principal, "permission_level": held["permission_level"]}
        for held in raw.get("all_permissions", [])
        if not held.get("inherited")
    ]


def _implied(entry: dict[str, Any], me: str) -> bool:
    """Who deployed an object and the administrators always have it."""
    owner = entry.get("user_name") == me
    return owner or entry.get("group_name") == "admins"
