"""MLflow of the workspace: experiments, runs, artifacts and the model registry, in a child."""

from __future__ import annotations

import threading
from typing import Any

import httpx

from emulator.errors import ApiError, not_found
from emulator.settings import Settings
from emulator.store import Store
from emulator.workspace.child import Child, ChildError
from emulator.workspace.values import Document

API = "/api/2.0/mlflow"
SECONDS = 60


class MlflowServer:
    """Starts MLflow when it is first needed, and again when it has died."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._lock = threading.Lock()
        self._child = Child(
            name="MLflow",
            module="emulator.workspace.mlflow_child",
            log=settings.logs / "mlflow.log",
            health="/health",
            arguments=[str(settings.mlflow)],
        )

    def was_used(self) -> bool:
        """Whether there is anything to ask MLflow about."""
        return self._settings.mlflow.exists()

    def ensure_started(self) -> str:
        """MLflow's address; it knows all models of Unity Catalog when this returns."""
        with self._lock:
            if not self._child.is_running():
                self._settings.mlflow.mkdir(parents=True, exist_ok=True)
                try:
                    self._child.start()
                except ChildError as error:
                    raise ApiError(503, "TEMPORARILY_UNAVAILABLE", str(error)) from error
                for model in self._store.find("registered_model"):
                    self._create(model["full_name"])
            return self._child.url

    def stop(self) -> None:
        with self._lock:
            self._child.stop()

    def call(self, verb: str, path: str, **arguments: Any) -> Document:
        """One call of MLflow's REST API; its error becomes ours."""
        self.ensure_started()
        return self._call(verb, path, **arguments)

    def add_model(self, full_name: str) -> None:
        """Make the model in the registry, at once if MLflow runs, else when it starts."""
        with self._lock:
            if self._child.is_running():
                self._create(full_name)

    def remove_model(self, full_name: str) -> None:
        if self.was_used() and self.find_model(full_name) is not None:
            self.call("DELETE", "registered-models/delete", json={"name": full_name})

    def find_model(self, full_name: str) -> Document | None:
        try:
            found = self.call("GET", "registered-models/get", params={"name": full_name})
        except ApiError as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        model: Document = found["registered_model"]
        return model

    def versions(self, full_name: str) -> list[Document]:
        escaped = full_name.replace("'", "")
        found = self.call("GET", "model-versions/search", params={"filter": f"name='{escaped}'"})
        return list(found.get("model_versions", []))

    def version(self, full_name: str, number: str) -> Document:
        try:
            found = self.call(
                "GET", "model-versions/get", params={"name": full_name, "version": number}
            )
        except ApiError as error:
            raise not_found(f"Version {number} of '{full_name}' does not exist.") from error
        version: Document = found["model_version"]
        return version

    def _create(self, full_name: str) -> None:
        try:
            self._call("POST", "registered-models/create", json={"name": full_name})
        except ApiError as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _call(self, verb: str, path: str, **arguments: Any) -> Document:
        response = httpx.request(
            verb, f"{self._child.url}{API}/{path}", timeout=SECONDS, **arguments
        )
        body = response.json() if response.content else {}
        if response.is_error:
            code = body.get("error_code", "INTERNAL_ERROR")
            raise ApiError(response.status_code, code, body.get("message", response.text))
        found: Document = body
        return found
