"""The part of Terraform's plan JSON (format 1.2) that a review reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

MAJOR = 1
HOW = "write one with: terraform show -json <plan file>"
ZIP = b"PK"
# A plan has at least one of these, a state none: a refresh-only plan has no resource_changes.
PLAN_KEYS = {"resource_changes", "resource_drift", "planned_values", "configuration"}


class PlanError(Exception):
    """The file is no plan that can be reviewed; the message says what it is instead."""


class _Part(BaseModel):
    # A later minor version may say more; the format promises that the rest keeps its meaning.
    model_config = ConfigDict(extra="ignore", frozen=True)


class PlannedChange(_Part):
    """Values before and after; what is unknown or sensitive is marked in shadows of the same form.

    A mark is ``true`` for all below it, or a structure with marks inside.
    """

    actions: list[str]
    before: Any = None
    after: Any = None
    after_unknown: Any = False
    before_sensitive: Any = False
    after_sensitive: Any = False
    replace_paths: list[list[str | int]] = []
    importing: dict[str, Any] | None = None


class ChangedResource(_Part):
    """One object of one resource; an address with a deposed object appears twice."""

    address: str
    previous_address: str | None = None
    mode: str = "managed"
    type: str
    name: str
    deposed: str | None = None
    change: PlannedChange
    action_reason: str | None = None


class Variable(_Part):
    """The value of an input variable."""

    value: Any = None


class Plan(_Part):
    """A whole plan."""

    format_version: str
    terraform_version: str = ""
    # Absent in a refresh-only plan.
    resource_changes: list[ChangedResource] = []
    resource_drift: list[ChangedResource] = []
    output_changes: dict[str, PlannedChange] = {}
    configuration: dict[str, Any] = {}
    variables: dict[str, Variable] = {}
    # What is deployed; the search for what is in no state reads it.
    prior_state: dict[str, Any] = {}
    deferred_changes: list[Any] = []
    checks: list[dict[str, Any]] = []
    errored: bool = False
    complete: bool = True


def read_plan(path: Path) -> Plan:
    """The plan in a file; PlanError names the file and says what is wrong with it."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PlanError(f"{path}: cannot be read: {error.strerror}") from error
    if content.startswith(ZIP):
        raise PlanError(f"{path}: a binary plan, not its JSON; {HOW}")
    try:
        document = json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: {_not_json(content, error)}") from error
    return _plan(path, document)


def _not_json(content: bytes, error: ValueError) -> str:
    if content.startswith(b'{"@level"'):
        return f"the messages of `terraform plan -json`, not a plan; {HOW}"
    where = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
    return f"not JSON: {where or 'not UTF-8'}; {HOW}"


def _plan(path: Path, document: Any) -> Plan:
    if not isinstance(document, dict) or "format_version" not in document:
        raise PlanError(f"{path}: not a Terraform plan: no 'format_version'; {HOW}")
    version = str(document["format_version"])
    if version.partition(".")[0] != str(MAJOR):
        raise PlanError(f"{path}: plan format {version}; this review reads format {MAJOR}.x")
    if not document.keys() & PLAN_KEYS:
        raise PlanError(f"{path}: a state or another document, not a plan; {HOW}")
    try:
        return Plan.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise PlanError(
            f"{path}: not a plan of format {version}: {place}: {first['msg']}"
        ) from error
