"""What no environment file may hold, and what production refuses beyond that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from health_monitor.spec.documents import Document, Place
from health_monitor.spec.problems import Problem

from infra.sensitive_text import is_address, secret_in


class Demand(NamedTuple):
    """The only value that production takes for a key, and why."""

    place: Place
    value: Any
    reason: str


DEMANDS = (
    Demand(("force_destroy",), False, "a destroy must never take data along"),
    Demand(("prevent_destroy",), True, "data must outlive a mistake in the code"),
    Demand(("workspace", "loopback_only"), False, "a workspace on this machine is no production"),
    Demand(("backend", "endpoint_variable"), None, "state lies in S3 itself, never on a machine"),
)
LITERALS = ("addresses", "url", "integration_key")


def refusals(document: Document) -> list[Problem]:
    """What is refused in this file."""
    problems = list(_secrets(document))
    if document.data.get("production") is True:
        checks = (_demands, _local_state, _service_principal, _budget_policy, _literals, _persons)
        for refused in checks:
            problems += refused(document)
    return problems


def _secrets(document: Document) -> Iterator[Problem]:
    for place, text in _texts(document.data):
        found = secret_in(text)
        if found:
            yield document.problem(
                place, f"{_last(place)}: {found} in plain text; name a variable that holds it"
            )


def _demands(document: Document) -> Iterator[Problem]:
    for demand in DEMANDS:
        found = _at(document.data, demand.place)
        if demand.place in document.lines and found != demand.value:
            name = ".".join(str(part) for part in demand.place)
            message = f"production takes '{_yaml(demand.value)}' only for {name}: {demand.reason}"
            yield document.problem(demand.place, message)


def _local_state(document: Document) -> Iterator[Problem]:
    backend = document.data.get("backend", {})
    if "backend" in document.data and not (isinstance(backend, dict) and backend.get("bucket")):
        message = "production keeps its state in S3, never on a machine; name it: backend.bucket"
        yield document.problem(("backend",), message)


def _service_principal(document: Document) -> Iterator[Problem]:
    if "run_as" in document.data and not document.data["run_as"]:
        message = (
            "production runs as a service principal; "
            "name its variable: run_as.service_principal_variable"
        )
        yield document.problem(("run_as",), message)


def _budget_policy(document: Document) -> Iterator[Problem]:
    key = "budget_policy_id_variable"
    if key in document.data and not document.data[key]:
        message = (
            f"production bills serverless compute to a budget policy; name its variable: {key}"
        )
        yield document.problem((key,), message)


def _literals(document: Document) -> Iterator[Problem]:
    """Even a placeholder: production would tell nobody."""
    destinations = document.data.get("destinations")
    for index, item in enumerate(destinations if isinstance(destinations, list) else []):
        for key in LITERALS:
            if isinstance(item, dict) and item.get(key):
                message = f"production takes no literal '{key}'; use '{key}_variable'"
                yield document.problem(("destinations", index, key), message)


def _persons(document: Document) -> Iterator[Problem]:
    for place, text in _texts(document.data):
        if is_address(text):
            message = (
                f"{_last(place)}: production names no e-mail address; use a group, or a variable"
            )
            yield document.problem(place, message)


def _texts(value: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*place, index))
    elif isinstance(value, str):
        yield place, value


def _at(value: Any, place: Place) -> Any:
    for part in place:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _last(place: Place) -> str:
    """The innermost key of a place; an element of a list goes by the list's key."""
    return next(str(part) for part in reversed(place) if isinstance(part, str))


def _yaml(value: Any) -> str:
    return {None: "null", True: "true", False: "false"}[value]
