"""The provider's answers to Terraform, one method for each call of the protocol."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emulator.provider import bundle, messages, planning, refresh, values
from emulator.provider.client import Api, ApiFault
from emulator.provider.configuration import ConfigurationError, connect
from emulator.provider.kinds import registry
from emulator.provider.kinds.base import INTERRUPTED, Incomplete, Resource, State, UserError
from emulator.provider.schema import Node
from emulator.provider.wire import Message

_ERROR = 1


class Provider:
    """State of one provider process: schemas, and the workspace once it is configured."""

    def __init__(self, cache: Path) -> None:
        self._bundle = bundle.load(cache)
        self._api: Api | None = None
        self._resources: dict[str, Resource] = {}

    def answer(self, method: str, data: bytes) -> bytes:
        """Encode the reply to an encoded request."""
        request_name, reply_name = messages.METHODS[method]
        if method == "GetProviderSchema":
            return self._bundle.reply
        request = messages.decode(request_name, data)
        handler: Callable[[Message], Message] = getattr(self, f"_{_snake(method)}")
        try:
            reply = handler(request)
        except Exception as error:  # noqa: BLE001 - each fault is told to Terraform, none is lost
            reply = {"diagnostics": [self._diagnostic(method, request, error)]}
            if method == "ApplyResourceChange":
                # As before; without its private part the next refresh would start from nothing.
                reply["new_state"] = request.get("prior_state")
                reply["private"] = request.get("planned_private", b"")
        return messages.encode(reply_name, reply)

    # -- provider ------------------------------------------------------------------------------

    def _get_metadata(self, request: Message) -> Message:
        return {
            "data_sources": [{"type_name": name} for name in self._bundle.data_schemas],
            "resources": [{"type_name": name} for name in self._bundle.schemas],
        }

    def _get_functions(self, request: Message) -> Message:
        return {}

    def _stop_provider(self, request: Message) -> Message:
        INTERRUPTED.set()
        return {}

    def _validate_provider_config(self, request: Message) -> Message:
        return {}

    def _configure_provider(self, request: Message) -> Message:
        config = values.decode(self._bundle.provider, request["config"]["msgpack"])
        self._api = connect(config)
        return {}

    # -- resources -----------------------------------------------------------------------------

    def _validate_resource_config(self, request: Message) -> Message:
        resource = self._resource(request["type_name"])
        resource.validate(_value(resource.node, request, "config"))
        return {}

    def _upgrade_resource_state(self, request: Message) -> Message:
        node = self._resource(request["type_name"]).node
        stored = json.loads(request["raw_state"]["json"])
        return {"upgraded_state": _dynamic(node, values.from_plain(node, stored))}

    def _plan_resource_change(self, request: Message) -> Message:
        resource = self._resource(request["type_name"])
        node, rules = resource.node, resource.plan_rules
        private = request.get("prior_private", b"")
        reply: Message = {"planned_private": private, "legacy_type_system": resource.legacy}
        proposed = _value(node, request, "proposed_new_state")
        if proposed is None:
            return {**reply, "planned_state": request["proposed_new_state"]}
        config = _value(node, request, "config")
        prior = _value(node, request, "prior_state")
        resource.customize(proposed, prior, config)
        if prior is None:
            planned = planning.plan_create(node, rules, proposed, config)
        else:
            planned, replaced = planning.plan_update(node, rules, prior, proposed, config)
            replaced += resource.replaces(prior, planned)
            reply["requires_replace"] = [messages.attribute_path([name]) for name in replaced]
        return {**reply, "planned_state": _dynamic(node, planned)}

    def _apply_resource_change(self, request: Message) -> Message:
        resource = self._resource(request["type_name"])
        node = resource.node
        prior, planned = (
            _value(node, request, "prior_state"),
            _value(node, request, "planned_state"),
        )
        reply: Message = {"legacy_type_system": resource.legacy}
        if planned is None:
            self._delete(resource, prior)
            return {**reply, "new_state": _dynamic(node, None)}
        identity = resource.identify(prior) if prior else ""
        try:
            if prior is None:
                identity = resource.create(self.api, planned)
            else:
                identity = resource.update(self.api, identity, prior, planned)
            new_state, private = self._after_apply(resource, identity, planned)
        except Incomplete as incomplete:
            return self._incomplete(request, resource, incomplete.identity, incomplete.cause)
        except (ApiFault, UserError) as error:
            if prior is not None or not identity:
                raise
            return self._incomplete(request, resource, identity, error)
        return {**reply, "new_state": _dynamic(node, new_state), "private": private}

    def _incomplete(
        self, request: Message, resource: Resource, identity: str, error: Exception
    ) -> Message:
        """Keep the id of what was made: without it nobody would ever delete it."""
        planned = _value(resource.node, request, "planned_state")
        state = refresh.fill(resource.node, planned, {"id": identity})
        return {
            "new_state": _dynamic(resource.node, state),
            "diagnostics": [self._diagnostic("ApplyResourceChange", request, error)],
            "legacy_type_system": resource.legacy,
        }

    def _delete(self, resource: Resource, prior: State) -> None:
        try:
            resource.delete(self.api, resource.identify(prior), prior)
        except ApiFault as fault:
            if not fault.gone:
                raise

    def _after_apply(
        self, resource: Resource, identity: str, planned: State
    ) -> tuple[State, bytes]:
        body = resource.read(self.api, identity, planned)
        if body is None:
            raise UserError(
                f"{resource.kind} {identity} is not there",
                "The workspace accepted it, but a read right after did not find it.",
                [],
            )
        observed = resource.observe(body, identity, self.api)
        state = refresh.fill(resource.node, planned, observed)
        for name in ("id", *resource.rules.get("derived", ())):
            if name in resource.node.fields:
                state[name] = observed[name]
        return state, _private(resource.node, observed)

    def _read_resource(self, request: Message) -> Message:
        resource = self._resource(request["type_name"])
        node = resource.node
        state = _value(node, request, "current_state")
        identity = resource.identify(state)
        try:
            body = resource.read(self.api, identity, state)
        except ApiFault as fault:
            if not fault.gone:
                raise
            body = None
        if body is None:
            return {"new_state": _dynamic(node, None)}
        observed = resource.observe(body, identity, self.api)
        private = _private(node, observed)
        before = json.loads(request.get("private") or b"{}").get("observed")
        if before is None:
            new_state = _adopt(node, state, observed)
        elif request["private"] == private:
            new_state = state
        else:
            new_state = refresh.merge(node, state, before, refresh.redact(node, observed))
            resource.drift(self.api, new_state, before, observed)
        return {"new_state": _dynamic(node, new_state), "private": private}

    def _import_resource_state(self, request: Message) -> Message:
        resource = self._resource(request["type_name"])
        state = {**values.blank(resource.node), **resource.import_state(request["id"])}
        imported = {"type_name": request["type_name"], "state": _dynamic(resource.node, state)}
        return {"imported_resources": [imported]}

    # -- data sources --------------------------------------------------------------------------

    def _validate_data_resource_config(self, request: Message) -> Message:
        return {}

    def _read_data_source(self, request: Message) -> Message:
        kind = request["type_name"]
        node = self._bundle.data_source(kind)
        config = _value(node, request, "config")
        found = registry.DATA_SOURCES[kind](self.api, config)
        state = {n: found[n] if config.get(n) is None else config[n] for n in node.fields}
        return {"state": _dynamic(node, state)}

    # -- help ----------------------------------------------------------------------------------

    @property
    def api(self) -> Api:
        """The configured workspace."""
        if self._api is None:
            raise ConfigurationError(
                "provider is not configured", "Terraform did not configure it."
            )
        return self._api

    def _resource(self, kind: str) -> Resource:
        if kind not in self._resources:
            node, rules = self._bundle.resource(kind), self._bundle.rules[kind]
            self._resources[kind] = registry.CODE.get(kind, Resource)(kind, node, rules)
        return self._resources[kind]

    def _diagnostic(self, method: str, request: Message, error: Exception) -> Message:
        path: list[str | int] = []
        kind = str(request.get("type_name", ""))
        if isinstance(error, ConfigurationError):
            summary, detail = error.summary, error.detail
            path = [error.attribute] if error.attribute else []
        elif isinstance(error, UserError):
            summary, detail, path = error.summary, error.detail, error.path
        elif isinstance(error, ApiFault):
            summary = f"cannot {_verb(method, request)} {kind.removeprefix('databricks_')}"
            # The first line for the headline; the rest of a long message follows as detail.
            headline = error.message.partition("\n")[0]
            summary = f"{summary.replace('_', ' ')}: {headline}"
            detail = f"{error.error_code}: {error.message}"
            path = self._fault_path(kind, error)
        else:
            summary = f"{kind or 'provider'}: {type(error).__name__}"
            detail = f"{error} (in {method}; this is a defect of the offline provider)"
        diagnostic: Message = {"severity": _ERROR, "summary": summary, "detail": detail}
        if path:
            diagnostic["attribute"] = messages.attribute_path(path)
        return diagnostic

    def _fault_path(self, kind: str, fault: ApiFault) -> list[str | int]:
        """The attribute that the API names, when it names one."""
        if kind not in self._bundle.schemas:
            return []
        fields = self._resource(kind).node.fields
        violations = [v for d in fault.details for v in d.get("field_violations", ())]
        named = [str(v.get("field", "")).split(".")[0] for v in violations]
        named += re.findall(r"['\"`](\w+)['\"`]", fault.message)
        return next(([name] for name in named if name in fields and name != "id"), [])


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _verb(method: str, request: Message) -> str:
    if method != "ApplyResourceChange":
        return {"ReadResource": "read", "ReadDataSource": "read"}.get(method, "plan")
    if request["planned_state"]["msgpack"] == b"\xc0":
        return "delete"
    return "create" if request["prior_state"]["msgpack"] == b"\xc0" else "update"


def _value(node: Node, request: Message, name: str) -> Any:
    return values.decode(node, request[name]["msgpack"])


def _dynamic(node: Node, value: Any) -> Message:
    return {"msgpack": values.encode(node, value)}


def _adopt(node: Node, state: State, observed: State) -> State:
    """The first read of a resource: all that the API says, and what only Terraform knows."""
    return {
        name: state.get(name) if observed.get(name) in (None, []) else observed[name]
        for name in node.fields
    }


def _private(node: Node, observed: State) -> bytes:
    extra = {name: value for name, value in observed.items() if name not in node.fields}
    redacted = values.canonical(node, refresh.redact(node, observed))
    kept = {**_pruned(redacted), **extra}
    # Terraform takes a private state with other bytes for a change: keep the order of everything.
    return json.dumps({"observed": kept}, separators=(",", ":"), sort_keys=True).encode()


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _pruned(v) for k, v in value.items() if v not in (None, [], {})}
    return [_pruned(item) for item in value] if isinstance(value, list) else value
