"""The table of resource kinds (kinds.yml), and the one implementation of all their routes.

A request's fields are kept as sent; what was not sent appears only where ``fill`` says that the
server fills it in. Documents lie in the Store under the kind's name, by id.
"""

from __future__ import annotations

import copy
import secrets
import uuid
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field

from emulator.errors import ApiError, already_exists, invalid_parameter, not_found
from emulator.settings import METASTORE_ID, USER_NAME, WORKSPACE_ID
from emulator.store import Store
from emulator.workspace.values import Document, now_ms, now_text, required

TABLE = Path(__file__).with_name("kinds.yml")


class Update(BaseModel):
    """How a kind is changed: verb, path below the item, and what the body means."""

    model_config = ConfigDict(extra="forbid")
    verb: Literal["POST", "PUT", "PATCH"]
    path: str
    how: Literal["merge", "mask", "replace"]
    answer: Literal["document", "empty"] = "document"


class Variant(BaseModel):
    """A field that says which one of several settings was sent."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    of: str
    as_: str = Field(alias="as")
    names: dict[str, str]


class Kind(BaseModel):
    """One row of the table."""

    model_config = ConfigDict(extra="forbid")
    name: str
    path: str
    id: list[str]  # the fields that make the id; several are path segments in this order
    make_id: Literal["hex", "uuid", "number"] | None = None  # None: the id is sent
    unique: list[str] = []  # a second one with this value is refused
    noun: str
    wrap: str | None = None  # the request's body holds the document under this key
    scim: str | None = None
    list_key: str
    list_fields: list[str] | None = None
    answer: Literal["document", "id"] = "document"
    fill: Document  # what the server sets where the request did not
    touch: Document = {}  # what the server sets at every change
    required: list[str] = []
    refers: dict[str, str] = {}  # field -> kind that must have a document with this id
    variant: Variant | None = None
    secret: list[str] = []  # dotted paths that are never given back
    update: Update
    trash: Document | None = None  # a deleted one stays, with these fields, out of lists
    keep: list[str] = []  # fields (dotted paths) that an update cannot change


@cache
def load_kinds() -> dict[str, Kind]:
    rows = yaml.safe_load(TABLE.read_text())
    return {name: Kind(name=name, **row) for name, row in rows.items()}


class Resources:
    """Create, read, change, delete and list the documents of one kind."""

    def __init__(self, kind: Kind, store: Store, url: str) -> None:
        self.kind = kind
        self._store = store
        self._url = url

    def create(self, body: Document) -> Document:
        document = copy.deepcopy(self._unwrap(body))
        for field in self.kind.required:
            required(document, field)
        self._check_references(document)
        if self.kind.make_id:
            document[self.kind.id[0]] = self._new_id()
        _fill(document, self._resolve(self.kind.fill, document))
        self._name_variant(document)
        self._check_free(document)
        identity = self._identity(document)
        self._store.put(self.kind.name, identity, document)
        if self.kind.answer == "id":
            return {"id": identity}
        return self.public(document)

    def get(self, identity: str) -> Document:
        """The whole document, with its secrets: for the workspace itself."""
        document = self._store.get(self.kind.name, identity)
        if document is None:
            raise not_found(f"The {self.kind.noun} {identity!r} does not exist.")
        return document

    def list(self) -> list[Document]:
        documents = self._store.find(self.kind.name)
        if self.kind.trash:
            gone = self.kind.trash.items()
            documents = [d for d in documents if not gone <= d.items()]
        return documents

    def update(self, identity: str, body: Document, mask: str | None = None) -> Document:
        before = self.get(identity)
        change = self._unwrap(body)
        after = self._changed(before, change, mask or body.get("update_mask"))
        for path in (*self.kind.id, *self.kind.keep):
            _keep(after, before, path.split("."))
        self._check_references(after)
        self._name_variant(after)
        _fill(after, self._resolve(self.kind.touch, after), overwrite=True)
        self._check_free(after, besides=identity)
        self._store.put(self.kind.name, identity, after)
        return self.public(after) if self.kind.update.answer == "document" else {}

    def delete(self, identity: str) -> None:
        document = self.get(identity)
        if self.kind.trash is None:
            self._store.delete(self.kind.name, identity)
        else:
            self._store.put(self.kind.name, identity, {**document, **self.kind.trash})

    def public(self, document: Document) -> Document:
        """The document as a client may see it."""
        shown = copy.deepcopy(document)
        for path in self.kind.secret:
            _redact(shown, path.split("."))
        return shown

    def summary(self, document: Document) -> Document:
        """The document as lists show it."""
        shown = self.public(document)
        fields = self.kind.list_fields
        return shown if fields is None else {f: shown[f] for f in fields if f in shown}

    def _changed(self, before: Document, change: Document, mask: str | None) -> Document:
        how = self.kind.update.how
        if how == "replace":
            return _filled(change, self._resolve(self.kind.fill, before))
        if how == "mask" and mask and mask != "*":
            return _masked(before, change, [field.strip() for field in mask.split(",")])
        sent = {key: value for key, value in change.items() if key != "update_mask"}
        return {**copy.deepcopy(before), **sent}

    def _unwrap(self, body: Document) -> Document:
        if self.kind.wrap is None:
            return body
        inner = required(body, self.kind.wrap)
        if not isinstance(inner, dict):
            raise invalid_parameter(f"{self.kind.wrap} must be an object.")
        return inner

    def _identity(self, document: Document) -> str:
        return "/".join(str(document[field]) for field in self.kind.id)

    def _new_id(self) -> str:
        if self.kind.make_id == "hex":
            return secrets.token_hex(8)
        if self.kind.make_id == "uuid":
            return str(uuid.uuid4())
        return str(10**12 + self._store.next_id(self.kind.name))

    def _check_references(self, document: Document) -> None:
        for field, kind in self.kind.refers.items():
            value = document.get(field)
            if value is not None and self._store.get(kind, str(value)) is None:
                noun = load_kinds()[kind].noun
                raise not_found(f"{field}: the {noun} {value!r} does not exist.")

    def _check_free(self, document: Document, besides: str | None = None) -> None:
        if not self.kind.make_id and besides is None:
            identity = self._identity(document)
            if self._store.get(self.kind.name, identity) is not None:
                raise already_exists(f"The {self.kind.noun} {identity!r} already exists.")
        for field in self.kind.unique:
            for other in self._store.find(self.kind.name, **{field: document.get(field)}):
                if self._identity(other) != besides:
                    raise _taken(
                        self.kind, f"{self.kind.noun} with {field} {document.get(field)!r}"
                    )

    def _name_variant(self, document: Document) -> None:
        variant = self.kind.variant
        if variant is None:
            return
        sent = [name for name in variant.names if document[variant.of].get(name) is not None]
        if len(sent) != 1:
            allowed = ", ".join(variant.names)
            raise invalid_parameter(f"{variant.of} must have exactly one of: {allowed}.")
        document[variant.as_] = variant.names[sent[0]]

    def _resolve(self, template: Any, document: Document) -> Any:
        if isinstance(template, dict):
            return {key: self._resolve(value, document) for key, value in template.items()}
        if isinstance(template, list):
            return [self._resolve(value, document) for value in template]
        if not isinstance(template, str):
            return template
        if template.startswith("="):
            return _formatted(template[1:], document, self._url)
        return _server_value(template)


def _taken(kind: Kind, what: str) -> ApiError:
    if kind.scim:
        return ApiError(409, "RESOURCE_ALREADY_EXISTS", f"A {what} already exists.")
    return ApiError(400, "RESOURCE_ALREADY_EXISTS", f"A {what} already exists.")


def _server_value(template: str) -> Any:
    if template == "$now":
        return now_text()
    if template == "$now_ms":
        return now_ms()
    if template == "$uuid":
        return str(uuid.uuid4())
    known = {"$user": USER_NAME, "$workspace_id": WORKSPACE_ID, "$metastore_id": METASTORE_ID}
    return known.get(template, template)


def _formatted(template: str, document: Document, url: str) -> Any:
    parts = urlsplit(url)
    known = {"host": parts.netloc, "hostname": parts.hostname, "port": parts.port}
    if template.startswith("int:"):
        return int(template[4:].format(**known, **document))
    return template.format(**known, **document)


def _fill(document: Document, values: Document, *, overwrite: bool = False) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(document.get(key), dict):
            _fill(document[key], value, overwrite=overwrite)
        elif overwrite or document.get(key) is None:
            document[key] = value


def _filled(document: Document, values: Document) -> Document:
    result = copy.deepcopy(document)
    _fill(result, values)
    return result


def _masked(before: Document, change: Document, mask: list[str]) -> Document:
    after = copy.deepcopy(before)
    for path in mask:
        source: Any = change
        target = after
        *parents, last = path.split(".")
        for parent in parents:
            source = source.get(parent, {}) if isinstance(source, dict) else {}
            target = target.setdefault(parent, {})
        if isinstance(source, dict) and last in source:
            target[last] = copy.deepcopy(source[last])
        else:
            target.pop(last, None)
    return after


def _keep(after: Document, before: Document, path: list[str]) -> None:
    """Whatever the update said, the field is as it was."""
    field = path[0]
    if field not in before:
        return
    if len(path) == 1:
        after[field] = before[field]
    elif isinstance(before[field], dict) and isinstance(after.get(field), dict):
        _keep(after[field], before[field], path[1:])


def _redact(document: Any, path: list[str]) -> None:
    for field in path[:-1]:
        if not isinstance(document, dict):
            return
        document = document.get(field)
    if isinstance(document, dict) and document.get(path[-1]) is not None:
        del document[path[-1]]
        document[f"{path[-1]}_set"] = True
