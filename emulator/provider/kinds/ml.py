"""MLflow experiments and serving endpoints."""

from __future__ import annotations

from emulator.provider.client import Api, quoted
from emulator.provider.kinds.base import Body, Resource, State
from emulator.provider.values import changed_fields

_EXPERIMENTS = "/api/2.0/mlflow/experiments"
_ENDPOINTS = "/api/2.0/serving-endpoints"


class Experiment(Resource):
    """``databricks_mlflow_experiment``; tags that MLflow itself sets are not Terraform's."""

    def read(self, api: Api, identity: str, state: State) -> Body | None:
        body = super().read(api, identity, state)
        if body is None:
            return None
        own = {tag.get("key") for tag in state.get("tags") or ()}
        tags = [
            tag
            for tag in body.get("tags", [])
            if tag["key"] in own or not tag["key"].startswith("mlflow.")
        ]
        return {**body, "tags": tags}

    def update(self, api: Api, identity: str, prior: State, planned: State) -> str:
        if prior["name"] != planned["name"]:
            body = {"experiment_id": identity, "new_name": planned["name"]}
            api.post(f"{_EXPERIMENTS}/update", body)
        old = {tag["key"]: tag["value"] for tag in prior["tags"]}
        new = {tag["key"]: tag["value"] for tag in planned["tags"]}
        for key, value in new.items():
            if old.get(key) != value:
                tag = {"experiment_id": identity, "key": key, "value": value}
                api.post(f"{_EXPERIMENTS}/set-experiment-tag", tag)
        for key in old.keys() - new.keys():
            api.post(
                f"{_EXPERIMENTS}/delete-experiment-tag", {"experiment_id": identity, "key": key}
            )
        return identity


class ServingEndpoint(Resource):
    """``databricks_model_serving``: each part of an endpoint is changed by a call of its own."""

    def update(self, api: Api, identity: str, prior: State, planned: State) -> str:
        changed = set(changed_fields(self.node, prior, planned))
        body = self.body(planned)
        path = f"{_ENDPOINTS}/{quoted(identity)}"
        if "config" in changed and body.get("config"):
            api.call("PUT", f"{path}/config", body["config"])
        if "ai_gateway" in changed:
            api.call("PUT", f"{path}/ai-gateway", body.get("ai_gateway", {}))
        if "rate_limits" in changed:
            api.call("PUT", f"{path}/rate-limits", {"rate_limits": body.get("rate_limits", [])})
        if "email_notifications" in changed:
            notices = {"email_notifications": body.get("email_notifications", {})}
            api.call("PATCH", f"{path}/notifications", notices)
        if "tags" in changed:
            api.call("PATCH", f"{path}/tags", _tag_changes(prior, planned))
        self.settle(api, identity, planned)
        return identity


def _tag_changes(prior: State, planned: State) -> Body:
    kept = {tag["key"] for tag in planned["tags"]}
    gone = sorted(tag["key"] for tag in prior["tags"] if tag["key"] not in kept)
    added = [{k: v for k, v in tag.items() if v is not None} for tag in planned["tags"]]
    changes = {"add_tags": added, "delete_tags": gone}
    return {name: value for name, value in changes.items() if value}
