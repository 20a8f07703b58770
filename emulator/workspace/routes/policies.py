"""Attribute-based policies; SQL's CREATE POLICY writes to the same place."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from fastapi import APIRouter

from emulator.errors import already_exists, invalid_parameter, not_found
from emulator.sql.records import Policy
from emulator.workspace.context import Here, Workspace
from emulator.workspace.values import Document, JsonBody, required

router = APIRouter()
PATH = "/api/2.1/unity-catalog/policies"
PLACE = f"{PATH}/{{kind}}/{{full_name}}"
TYPES = ("POLICY_TYPE_ROW_FILTER", "POLICY_TYPE_COLUMN_MASK")
SENT = {item.name for item in fields(Policy)} - {
    "id", "created_at", "created_by", "updated_at", "updated_by",
}  # fmt: skip
FIXED = ("name", "on_securable_type", "on_securable_fullname")


@router.post(PATH)
def create(here: Here, body: JsonBody) -> Document:
    for field in (*FIXED, "policy_type", "for_securable_type", "to_principals"):
        required(body, field)
    policy = Policy(**{name: value for name, value in body.items() if name in SENT})
    _require_securable(here, policy)
    _require_function(here, policy)
    if here.catalog.policies.get(policy.identity) is not None:
        raise already_exists(f"The policy {policy.name!r} already exists.")
    here.catalog.policies.put(policy)
    return _shown(policy)


@router.get(PLACE)
def list_all(here: Here, kind: str, full_name: str) -> Document:
    wanted = (kind.upper(), full_name.lower())
    found = [p for p in here.catalog.policies.all() if p.identity[:2] == wanted]
    return {"policies": [_shown(policy) for policy in found]}


@router.get(f"{PLACE}/{{name}}")
def get(here: Here, kind: str, full_name: str, name: str) -> Document:
    return _shown(_policy(here, kind, full_name, name))


@router.patch(f"{PLACE}/{{name}}")
def update(
    here: Here, kind: str, full_name: str, name: str, body: JsonBody, update_mask: str | None = None
) -> Document:
    policy = _policy(here, kind, full_name, name)
    wanted = update_mask.split(",") if update_mask and update_mask != "*" else list(body)
    for field in wanted:
        if field in SENT and field not in FIXED:
            setattr(policy, field, body.get(field))
    _require_function(here, policy)
    here.catalog.policies.put(policy)
    return _shown(policy)


@router.delete(f"{PLACE}/{{name}}")
def delete(here: Here, kind: str, full_name: str, name: str) -> Document:
    here.catalog.policies.drop(_policy(here, kind, full_name, name).identity)
    return {}


def _policy(here: Workspace, kind: str, full_name: str, name: str) -> Policy:
    found = here.catalog.policies.get((kind, full_name, name))
    if found is None:
        raise not_found(f"The policy {name!r} does not exist on {kind} {full_name!r}.")
    return found


def _require_securable(here: Workspace, policy: Policy) -> None:
    kind, name = policy.on_securable_type.upper(), policy.on_securable_fullname
    looked_up: dict[str, Any] = {
        "CATALOG": here.unity.get_catalog,
        "SCHEMA": here.unity.get_schema,
        "TABLE": here.unity.get_table,
    }
    if kind not in looked_up:
        raise invalid_parameter(f"on_securable_type {kind!r} is not one of {list(looked_up)}.")
    looked_up[kind](name)


def _require_function(here: Workspace, policy: Policy) -> None:
    """Each type has its own part, and a function that exists."""
    if policy.policy_type not in TYPES:
        raise invalid_parameter(f"policy_type {policy.policy_type!r} is not one of {list(TYPES)}.")
    field = policy.policy_type.removeprefix("POLICY_TYPE_").lower()
    part = getattr(policy, field)
    if not isinstance(part, dict):
        raise invalid_parameter(f"{field} is missing.")
    here.unity.get_function(str(required(part, "function_name")))


def _shown(policy: Policy) -> Document:
    return {key: value for key, value in asdict(policy).items() if value not in (None, [])}
