"""A serving endpoint's configuration: checked, completed, and as Databricks gives it back."""

from __future__ import annotations

import time
from typing import Any

from emulator.errors import invalid_parameter
from emulator.settings import USER_NAME

Document = dict[str, Any]
_UNKNOWN_ENTITIES = ("external_model", "foundation_model_name")


def complete(body: Document, version: int) -> Document:
    """The configuration of an update; INVALID_PARAMETER_VALUE says what is wrong with it."""
    if (body.get("auto_capture_config") or {}).get("enabled", False):
        raise invalid_parameter("auto_capture_config: inference tables are not available here.")
    sent = body.get("served_entities") or body.get("served_models") or []
    if not sent:
        raise invalid_parameter("served_entities: a configuration serves at least one entity.")
    entities = [_entity(entity) for entity in sent]
    names = [entity["name"] for entity in entities]
    if len(set(names)) != len(names):
        raise invalid_parameter(f"served_entities: the names {names} are not unique.")
    routes = _routes(body.get("traffic_config") or {}, names)
    return {
        "served_entities": entities,
        "traffic_config": {"routes": routes},
        "config_version": version,
    }


def check_gateway(body: Document) -> None:
    """Inference tables are the one part of AI Gateway that would have to do something."""
    table = (body.get("ai_gateway") or body).get("inference_table_config") or {}
    if table.get("enabled"):
        raise invalid_parameter(
            "ai_gateway.inference_table_config: inference tables are not available here."
        )


def _entity(sent: Document) -> Document:
    for field in _UNKNOWN_ENTITIES:
        if sent.get(field):
            raise invalid_parameter(f"{field}: only registered models are served here.")
    name = sent.get("entity_name") or sent.get("model_name")
    version = sent.get("entity_version") or sent.get("model_version")
    if not name or not version:
        raise invalid_parameter("served_entities: entity_name and entity_version are required.")
    if not str(version).isdigit():
        raise invalid_parameter(f"entity_version {version!r} is not a version number.")
    kept = {k: v for k, v in sent.items() if k not in ("model_name", "model_version") and v != ""}
    return {
        **kept,
        "name": sent.get("name") or f"{str(name).split('.')[-1]}-{version}",
        "entity_name": name,
        "entity_version": str(version),
        "creator": USER_NAME,
        "creation_timestamp": int(time.time() * 1000),
        "state": {"deployment": "DEPLOYMENT_CREATING"},
    }


def _routes(traffic: Document, names: list[str]) -> list[Document]:
    routes = traffic.get("routes") or []
    if not routes and len(names) == 1:
        return [{"served_model_name": names[0], "traffic_percentage": 100}]
    total = 0
    for route in routes:
        target = route.get("served_model_name") or route.get("served_entity_name")
        if target not in names:
            raise invalid_parameter(f"traffic_config: {target!r} is not one of {names}.")
        total += int(route.get("traffic_percentage", 0))
    if total != 100:
        raise invalid_parameter(f"traffic_config: the percentages add up to {total}, not 100.")
    return [dict(route) for route in routes]
