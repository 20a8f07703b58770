"""Starts, replaces and asks the scoring processes of all serving endpoints."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from emulator.errors import ApiError, not_found
from emulator.services.serving.metrics import KIND as METRICS
from emulator.services.serving.metrics import Metrics
from emulator.settings import Settings
from emulator.store import Store
from emulator.workspace.child import Child, ChildError

log = logging.getLogger(__name__)
KIND = "serving_endpoint"  # document: as GET gives it, with pending_config while it changes
ANSWER_SECONDS = 297
Document = dict[str, Any]


class ServingManager:
    """One scoring process a served entity; a dead one is started again by the next request."""

    def __init__(self, settings: Settings, store: Store, url: str, token: str) -> None:
        self._settings = settings
        self._store = store
        self._environment = {
            "MLFLOW_TRACKING_URI": url,
            "MLFLOW_REGISTRY_URI": url,
            "MLFLOW_TRACKING_TOKEN": token,
        }
        self._lock = threading.RLock()
        self._scorers: dict[str, Child] = {}
        self._starting: dict[str, threading.Lock] = {}
        self._metrics: dict[str, Metrics] = {}
        self._client = httpx.AsyncClient(timeout=ANSWER_SECONDS)
        self._stopped = False

    def apply(self, name: str) -> None:
        """Bring the pending configuration of an endpoint into service, in the background."""
        threading.Thread(target=self._apply, args=(name,), daemon=True).start()

    def scorer(self, name: str) -> str:
        """Where the next request of this endpoint goes; starts the process if it is not there."""
        document = self._store.get(KIND, name)
        if document is None:
            raise not_found(f"The endpoint with name '{name}' does not exist.")
        config = document.get("config")
        if not config:
            raise ApiError(
                400, "BAD_REQUEST", f"The endpoint '{name}' serves nothing yet: it has no config."
            )
        entity = _choose(config)
        try:
            return self._running(name, entity).url
        except ChildError as error:
            raise ApiError(503, "TEMPORARILY_UNAVAILABLE", str(error)) from error

    async def ask(self, name: str, url: str, content: bytes, content_type: str) -> httpx.Response:
        """Send a request to a scoring process, and count it."""
        begin = time.perf_counter()
        failed = True
        try:
            response = await self._client.post(
                f"{url}/invocations", content=content, headers={"content-type": content_type}
            )
            failed = response.is_error
            return response
        except httpx.TransportError as error:
            raise ApiError(
                503, "TEMPORARILY_UNAVAILABLE", f"The endpoint '{name}' stopped answering: {error}"
            ) from error
        finally:
            self._metrics_of(name).add((time.perf_counter() - begin) * 1000, failed=failed)

    def remove(self, name: str) -> None:
        """End an endpoint's processes and forget its figures."""
        self._stop_all(name, keep=set())
        self._metrics.pop(name, None)
        self._store.delete(METRICS, name)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for metrics in self._metrics.values():
                metrics.save()
            for child in self._scorers.values():
                child.stop()
            self._scorers.clear()

    def logs(self, name: str, entity: str) -> str:
        path = self._log(name, entity)
        return path.read_text(errors="replace") if path.exists() else ""

    def _apply(self, name: str) -> None:
        document = self._store.get(KIND, name)
        if document is None or "pending_config" not in document:
            return
        config = document["pending_config"]
        failure = None
        for entity in config["served_entities"]:
            try:
                self._running(name, entity)
            except ChildError as error:
                failure = str(error)
                log.warning("endpoint %s: %s", name, error)
                break
        self._finish(name, config, failure)

    def _finish(self, name: str, config: Document, failure: str | None) -> None:
        with self._lock:
            document = self._store.get(KIND, name)
            if document is None:  # deleted while its configuration was brought into service
                self._stop_all(name, keep=set())
                return
            if document.get("pending_config") != config:
                return
            del document["pending_config"]
            if failure is None:
                ready = {
                    "deployment": "DEPLOYMENT_READY",
                    "deployment_state_message": "",
                }
                document["config"] = _with_state(config, ready)
            served = (document.get("config") or {}).get("served_entities", [])
            document["state"] = {
                "ready": "READY" if served else "NOT_READY",
                "config_update": "UPDATE_FAILED" if failure else "NOT_UPDATING",
            }
            if failure:
                document["update_failure"] = failure
            else:
                document.pop("update_failure", None)
            self._store.put(KIND, name, document)
            self._stop_all(name, keep={_key(name, entity) for entity in served})

    def _running(self, name: str, entity: Document) -> Child:
        key = _key(name, entity)
        child = self._scorers.get(key)
        if child is not None and child.is_running():
            return child
        with self._lock:
            starting = self._starting.setdefault(key, threading.Lock())
        with starting:
            child = self._scorers.get(key)
            if child is None or not child.is_running():
                if self._stopped:
                    raise ChildError("the workspace is stopping")
                child = self._new(name, entity)
                child.start()
                with self._lock:
                    self._scorers[key] = child
        return child

    def _new(self, name: str, entity: Document) -> Child:
        model = f"{entity['entity_name']}/{entity['entity_version']}"
        return Child(
            name=f"endpoint {name}, model {model}",
            module="emulator.services.serving.scorer",
            log=self._log(name, entity["name"]),
            health="/ping",
            arguments=[f"models:/{model}"],
            environment={**self._environment, **(entity.get("environment_vars") or {})},
        )

    def _log(self, name: str, entity: str) -> Path:
        return self._settings.logs / f"serving-{name}-{entity}.log"

    def _stop_all(self, name: str, keep: set[str]) -> None:
        with self._lock:
            gone = [k for k in self._scorers if k.startswith(f"{name}\n") and k not in keep]
            children = [self._scorers.pop(key) for key in gone]
        for child in children:
            child.stop()

    def _metrics_of(self, name: str) -> Metrics:
        with self._lock:
            if name not in self._metrics:
                self._metrics[name] = Metrics(self._store, name)
            return self._metrics[name]


def _key(name: str, entity: Document) -> str:
    what = [entity["entity_name"], entity["entity_version"], entity.get("environment_vars")]
    return f"{name}\n{json.dumps(what, sort_keys=True)}"


def _choose(config: Document) -> Document:
    """An entity, by chance in the proportions of the traffic split."""
    routes = config["traffic_config"]["routes"]
    weights = [int(route.get("traffic_percentage", 0)) for route in routes]
    route = random.choices(routes, weights)[0]  # noqa: S311 - traffic, not secrets
    name = route.get("served_model_name") or route.get("served_entity_name")
    entities: dict[str, Document] = {e["name"]: e for e in config["served_entities"]}
    return entities[name]


def _with_state(config: Document, state: Document) -> Document:
    entities = [{**entity, "state": state} for entity in config["served_entities"]]
    return {**config, "served_entities": entities}
