"""A resource kind by its row in the table; kinds with a will of their own override a method."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

from emulator.provider.bundle import is_legacy
from emulator.provider.client import Api, ApiFault, quoted, quoted_path
from emulator.provider.planning import PlanRules
from emulator.provider.schema import Node
from emulator.provider.translate import Names, from_api, to_api
from emulator.provider.values import UNKNOWN, changed_fields

State = dict[str, Any]
Body = dict[str, Any]

_POLL_SECONDS = 0.2
_POLL_LIMIT_SECONDS = 600
# Set when Terraform asks to stop: calls are finished, nothing is waited for.
INTERRUPTED = threading.Event()
_PLACEHOLDER = re.compile(r"\{(\+?)(\w+)\}")


class UserError(Exception):
    """A configuration that cannot work; ``path`` leads to the attribute."""

    def __init__(self, summary: str, detail: str, path: list[str | int]) -> None:
        super().__init__(summary)
        self.summary = summary
        self.detail = detail
        self.path = path


class Incomplete(Exception):
    """The resource was made, but what had to follow failed; the cause says why."""

    def __init__(self, identity: str, cause: Exception) -> None:
        super().__init__(str(cause))
        self.identity = identity
        self.cause = cause


class Resource:
    """Create, read, update and delete one kind through the workspace's REST API."""

    def __init__(self, kind: str, node: Node, rules: dict[str, Any]) -> None:
        self.kind = kind
        self.node = node
        self.rules = rules
        self.names = Names(rules)
        self.legacy = is_legacy(node)
        self.plan_rules = PlanRules(
            legacy=self.legacy,
            force_new=rules.get("force_new", ()),
            defaults=rules.get("defaults", {}),
            volatile=rules.get("volatile", ()),
            keep_if_unset=rules.get("keep_if_unset", ()),
        )

    # -- identity ------------------------------------------------------------------------------

    def identify(self, state: State) -> str:
        """The id of a resource in the state."""
        template = self.rules.get("id")
        if "id" in self.node.fields and state.get("id"):
            return str(state["id"])
        return _format(template, state) if template else ""

    def import_state(self, identity: str) -> State:
        """What an id alone says about a resource; the rest comes by reading it."""
        fields = self.rules.get("import")
        state: State = {"id": identity} if "id" in self.node.fields else {}
        if fields:
            parts = identity.split(",", len(fields) - 1)
            if len(parts) != len(fields):
                raise UserError(
                    "wrong import id", f"Expected {','.join(fields)}, got {identity!r}.", []
                )
            state.update(zip(fields, parts, strict=True))
        return state

    # -- planning ------------------------------------------------------------------------------

    def validate(self, config: State) -> None:
        """Raise UserError for a configuration that can never work."""

    def customize(self, planned: State, prior: State | None, config: State) -> None:
        """Adjust planned values before they are compared with the prior ones."""

    def replaces(self, prior: State, planned: State) -> list[str]:
        """Fields whose change needs a new resource, beside those of the table."""
        return []

    # -- life ----------------------------------------------------------------------------------

    def create(self, api: Api, planned: State) -> str:
        call = self.rules["create"]
        later = set(call.get("later", ()))
        body = {k: v for k, v in self.body(planned).items() if k not in later}
        answer = self._call(api, call, planned, self._wrapped(call, body))
        identity = self._created_id(call, planned, answer)
        after = {k: v for k, v in self.body(planned).items() if k in later}
        try:
            if after:
                self._call(api, self.rules["update"], {**planned, "id": identity}, after)
            self.finish(api, identity, planned)
            self.settle(api, identity, planned)
        except (ApiFault, UserError) as error:
            raise Incomplete(identity, error) from error
        return identity

    def finish(self, api: Api, identity: str, planned: State) -> None:
        """What else a new or changed resource needs."""

    def _created_id(self, call: dict[str, Any], planned: State, answer: Body) -> str:
        if "id" in call:
            return str(_dig(answer, call["id"]))
        return _format(self.rules["id"], {**answer, **_known(planned)})

    def read(self, api: Api, identity: str, state: State) -> Body | None:
        """The API's answer; None when the resource is gone (the caller turns 404 into it too)."""
        call = self.rules["read"]
        answer = self._call(api, call, {**_known(state), "id": identity}, None)
        body = answer
        for step in call.get("unwrap", ()):
            body = {**body, **(body.get(step) or {})}
        gone = call.get("gone", {})
        return None if any(body.get(k) == v for k, v in gone.items()) else body

    def observe(self, body: Body, identity: str, api: Api) -> State:
        """The API's answer in the schema's terms."""
        observed = from_api(self.names, self.node, body)
        if "id" in self.node.fields:
            observed["id"] = identity
        observed.update(self.computed(body, identity, api))
        return observed

    def computed(self, body: Body, identity: str, api: Api) -> State:
        """Values that this kind derives from others."""
        return {
            name: _format(template, {**body, "id": identity, "host": api.host})
            for name, template in self.rules.get("computed", {}).items()
        }

    def drift(self, api: Api, state: State, before: State, observed: State) -> None:
        """Adjust a refreshed state where the answer tells of a change that no field holds."""

    def update(self, api: Api, identity: str, prior: State, planned: State) -> str:
        """Send what changed; returns the id, which a rename may change."""
        call = self.rules.get("update")
        changed = [n for n in changed_fields(self.node, prior, planned) if self._travels(n)]
        if call is None or not changed:
            return identity
        body = self.body(planned)
        if call.get("only_changed"):
            names = {self.names.api_name(f".{name}", name): name for name in changed}
            body = {api_name: body.get(api_name) for api_name in names}
            renamed = body.pop(str(self.rules.get("renames")), None)
            if renamed is not None:
                body["new_name"] = renamed
        if call.get("mask"):
            call = {**call, "query": {"update_mask": ",".join(sorted(body))}}
        self._call(api, call, {**planned, "id": identity}, self._wrapped(call, body))
        if "new_name" in body:
            identity = _format(self.rules["id"], planned)
        self.finish(api, identity, planned)
        self.settle(api, identity, planned)
        return identity

    def _travels(self, name: str) -> bool:
        return self.node.fields[name].settable and self.names.sends(f".{name}")

    def delete(self, api: Api, identity: str, state: State) -> None:
        self._call(api, self.rules["delete"], {**state, "id": identity}, None)

    def settle(self, api: Api, identity: str, planned: State) -> None:
        """Wait until the API has done what it was asked."""
        wait = self.rules.get("wait")
        if wait is None or planned.get("no_wait") is True:
            return
        until = {str(value) for value in wait["until"]}

        def settled() -> bool:
            body = self.read(api, identity, planned) or {}
            value = str(_dig(body, wait["field"]))
            if value in wait.get("failed", ()):
                raise UserError(f"{self.kind} {identity} is {value}", str(body), [])
            return value in until

        wait_for(settled, f"{self.kind} {identity}")

    # -- help ----------------------------------------------------------------------------------

    def body(self, planned: State) -> Body:
        return to_api(self.names, self.node, planned)

    def _wrapped(self, call: dict[str, Any], body: Body) -> Body:
        return {call["wrap"]: body} if "wrap" in call else body

    def _call(self, api: Api, call: dict[str, Any], values: State, body: Body | None) -> Body:
        query = {k: _format(str(v), values) for k, v in call.get("query", {}).items()}
        extra = {k: _typed(_format(v, values), v, values) for k, v in call.get("body", {}).items()}
        if extra:
            body = {**extra, **(body or {})}
        query = {k: v for k, v in query.items() if v != ""}
        return api.call(call["verb"], _format(call["path"], values, quote=True), body, query)


def wait_for(done: Callable[[], bool], what: str) -> None:
    """Ask until it is so; UserError when it takes too long."""
    deadline = time.monotonic() + _POLL_LIMIT_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise UserError(f"{what} did not get ready", f"Waited {_POLL_LIMIT_SECONDS} s.", [])
        if INTERRUPTED.wait(_POLL_SECONDS):
            raise UserError("interrupted", f"{what} was not ready yet.", [])


def _known(state: State) -> State:
    return {k: v for k, v in state.items() if v is not None and v is not UNKNOWN}


def _dig(body: Any, path: str) -> Any:
    for step in path.split("."):
        body = (body or {}).get(step)
    return body


def _format(template: str, values: State, quote: bool = False) -> str:
    """Fill ``{name}``; in a path each value is one segment, or several with ``{+name}``."""

    def put(match: re.Match[str]) -> str:
        value = values.get(match.group(2))
        text = (
            "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        )
        if not quote:
            return text
        return quoted_path(text) if match.group(1) else quoted(text)

    return _PLACEHOLDER.sub(put, template)


def _typed(text: str, template: str, values: State) -> Any:
    """A body value that is a lone placeholder keeps the type of its value."""
    match = _PLACEHOLDER.fullmatch(template)
    if match is None:
        return text
    value = values.get(match.group(2))
    return int(text) if match.group(1) and text.isdigit() else value
