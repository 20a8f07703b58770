"""``databricks_dashboard``: a draft with an etag, published at each change."""

from __future__ import annotations

from pathlib import Path

from emulator.provider.client import Api, ApiFault, quoted
from emulator.provider.kinds.base import Body, Resource, State, UserError
from emulator.provider.kinds.files import md5
from emulator.provider.values import UNKNOWN

_API = "/api/2.0/lakeview/dashboards"


class Dashboard(Resource):
    """The content may be rewritten by the service; the etag tells whether somebody changed it."""

    def validate(self, config: State) -> None:
        if config.get("file_path") is not None and config.get("serialized_dashboard") is not None:
            raise UserError("two contents", "Set file_path or serialized_dashboard.", ["file_path"])

    def customize(self, planned: State, prior: State | None, config: State) -> None:
        if UNKNOWN in (config.get("file_path"), config.get("serialized_dashboard")):
            planned["md5"] = UNKNOWN
        else:
            planned["md5"] = md5(_content(config).encode())
        if prior is not None and prior.get("dashboard_change_detected"):
            planned["dashboard_change_detected"] = False

    def body(self, planned: State) -> Body:
        return {**super().body(planned), "serialized_dashboard": _content(planned)}

    def create(self, api: Api, planned: State) -> str:
        try:
            return super().create(api, planned)
        except ApiFault as fault:
            if not fault.gone:
                raise
        api.post("/api/2.0/workspace/mkdirs", {"path": planned["parent_path"]})
        return super().create(api, planned)

    def update(self, api: Api, identity: str, prior: State, planned: State) -> str:
        body = {k: v for k, v in self.body(planned).items() if k != "parent_path"}
        api.call("PATCH", f"{_API}/{quoted(identity)}", body)
        self.finish(api, identity, planned)
        return identity

    def finish(self, api: Api, identity: str, planned: State) -> None:
        body = {
            "embed_credentials": planned["embed_credentials"],
            "warehouse_id": planned["warehouse_id"],
        }
        api.post(f"{_API}/{quoted(identity)}/published", body)

    def drift(self, api: Api, state: State, before: State, observed: State) -> None:
        if before.get("etag") != observed.get("etag"):
            state["dashboard_change_detected"] = True


def _content(values: State) -> str:
    path = values.get("file_path")
    if path is None:
        return str(values.get("serialized_dashboard") or "")
    try:
        return Path(path).expanduser().read_text()
    except OSError as error:
        raise UserError(
            "cannot read the dashboard file", f"{path}: {error.strerror}", ["file_path"]
        ) from error
