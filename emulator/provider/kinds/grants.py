"""Privileges on Unity Catalog securables: all of one securable, or those of one principal."""

from __future__ import annotations

from typing import Any

from emulator.provider.client import Api, quoted
from emulator.provider.kinds.base import Body, Resource, State, UserError
from emulator.provider.planning import PlanRules
from emulator.provider.schema import Node

# What the API calls a securable where it differs from the attribute.
_API_TYPES = {"foreign_connection": "connection", "model": "function"}
_SECURABLES = (
    "catalog",
    "credential",
    "external_location",
    "foreign_connection",
    "function",
    "metastore",
    "model",
    "pipeline",
    "recipient",
    "schema",
    "share",
    "storage_credential",
    "table",
    "volume",
)
Privileges = dict[str, set[str]]


class Grants(Resource):
    """``databricks_grants``: what is not listed is taken away."""

    def __init__(self, kind: str, node: Node, rules: dict[str, Any]) -> None:
        super().__init__(kind, node, rules)
        force_new = (*_SECURABLES, *rules.get("force_new", ()))
        self.plan_rules = PlanRules(legacy=True, force_new=force_new)

    def validate(self, config: State) -> None:
        if len([name for name in _SECURABLES if config.get(name) is not None]) != 1:
            raise UserError("one securable", f"Set exactly one of {', '.join(_SECURABLES)}.", [])

    def create(self, api: Api, planned: State) -> str:
        field = next(name for name in _SECURABLES if planned.get(name) is not None)
        identity = f"{field}/{planned[field]}"
        self._reconcile(api, identity, self.wanted(planned))
        return identity

    def update(self, api: Api, identity: str, prior: State, planned: State) -> str:
        self._reconcile(api, identity, self.wanted(planned))
        return identity

    def delete(self, api: Api, identity: str, state: State) -> None:
        self._reconcile(api, identity, {})

    def read(self, api: Api, identity: str, state: State) -> Body | None:
        granted = self.relevant(identity, _granted(api, identity))
        return self.body_of(granted) if granted else None

    def observe(self, body: Body, identity: str, api: Api) -> State:
        field, name = _securable(identity)
        return {**super().observe(body, identity, api), field: name}

    def import_state(self, identity: str) -> State:
        field, name = _securable(identity)
        return {"id": identity, field: name}

    def wanted(self, planned: State) -> Privileges:
        return {grant["principal"]: set(grant["privileges"]) for grant in planned["grant"]}

    def relevant(self, identity: str, granted: Privileges) -> Privileges:
        """Which of the securable's privileges this resource speaks of."""
        return granted

    def body_of(self, granted: Privileges) -> Body:
        grants = [{"principal": p, "privileges": sorted(held)} for p, held in granted.items()]
        return {"grant": grants}

    def _reconcile(self, api: Api, identity: str, wanted: Privileges) -> None:
        """Change the securable's privileges, within this resource's part of them."""
        granted = self.relevant(identity, _granted(api, identity))
        changes = []
        for principal in sorted({*wanted, *granted}):
            want = {_privilege(p) for p in wanted.get(principal, set())}
            held = granted.get(principal, set())
            change = {"add": sorted(want - held), "remove": sorted(held - want)}
            if want != held:
                changes.append({"principal": principal, **{k: v for k, v in change.items() if v}})
        if changes:
            api.call("PATCH", _path(identity), {"changes": changes})


class Grant(Grants):
    """``databricks_grant``: one principal; the others' privileges are left alone."""

    def create(self, api: Api, planned: State) -> str:
        field = next(name for name in _SECURABLES if planned.get(name) is not None)
        identity = f"{field}/{planned[field]}/{planned['principal']}"
        self._reconcile(api, identity, self.wanted(planned))
        return identity

    def wanted(self, planned: State) -> Privileges:
        return {planned["principal"]: set(planned["privileges"])}

    def relevant(self, identity: str, granted: Privileges) -> Privileges:
        principal = identity.split("/", 2)[2]
        return {principal: granted[principal]} if principal in granted else {}

    def body_of(self, granted: Privileges) -> Body:
        ((principal, privileges),) = granted.items()
        return {"principal": principal, "privileges": sorted(privileges)}

    def import_state(self, identity: str) -> State:
        if identity.count("/") < 2:
            raise UserError("wrong import id", "Expected <securable>/<name>/<principal>.", [])
        return {**super().import_state(identity), "principal": identity.split("/", 2)[2]}


def _privilege(text: str) -> str:
    return text.upper().replace(" ", "_")


def _securable(identity: str) -> tuple[str, str]:
    field, _, rest = identity.partition("/")
    if field not in _SECURABLES or not rest:
        raise UserError("wrong import id", f"{identity!r} is not <securable>/<name>.", [])
    return field, rest.partition("/")[0]


def _path(identity: str) -> str:
    field, name = _securable(identity)
    return f"/api/2.1/unity-catalog/permissions/{_API_TYPES.get(field, field)}/{quoted(name)}"


def _granted(api: Api, identity: str) -> Privileges:
    answer = api.get(_path(identity))
    entries = answer.get("privilege_assignments", [])
    return {e["principal"]: {_privilege(p) for p in e.get("privileges", [])} for e in entries}
