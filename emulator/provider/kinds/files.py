"""Files whose content Terraform manages: in volumes, and in the workspace."""

from __future__ import annotations

import base64
import binascii
import hashlib
from email.utils import parsedate_to_datetime
from pathlib import Path
from posixpath import dirname
from typing import Any

from emulator.provider.client import Api, ApiFault, base64_text, quoted_path
from emulator.provider.kinds.base import Body, Resource, State, UserError
from emulator.provider.values import UNKNOWN

_FILES = "/api/2.0/fs/files"
_WORKSPACE = "/api/2.0/workspace"
_NOTEBOOK_HEADS = (b"# Databricks notebook source", b"-- Databricks notebook source")
_LANGUAGES = {".py": "PYTHON", ".sql": "SQL", ".scala": "SCALA", ".r": "R", ".ipynb": "PYTHON"}


class _Content(Resource):
    """What these kinds share: content from ``source`` or ``content_base64``, known by its MD5."""

    def validate(self, config: State) -> None:
        given = [name for name in ("source", "content_base64") if config.get(name) is not None]
        if len(given) == 2:
            raise UserError(
                "two contents", "Set source or content_base64, not both.", ["content_base64"]
            )

    def customize(self, planned: State, prior: State | None, config: State) -> None:
        if config.get("md5") is not None:
            return
        if UNKNOWN in (config.get("source"), config.get("content_base64")):
            planned["md5"] = UNKNOWN
        else:
            planned["md5"] = md5(content_of(config))

    def update(self, api: Api, identity: str, prior: State, planned: State) -> str:
        if self._content_changed(prior, planned):
            self.upload(api, planned)
        return identity

    def _content_changed(self, prior: State, planned: State) -> bool:
        return any(
            prior.get(n) != planned.get(n) for n in ("md5", "remote_file_modified", "language")
        )

    def create(self, api: Api, planned: State) -> str:
        self.upload(api, planned)
        return str(planned["path"])

    def upload(self, api: Api, planned: State) -> None:
        raise NotImplementedError

    def import_state(self, identity: str) -> State:
        return {"id": identity, "path": identity}


class File(_Content):
    """``databricks_file``: the Files API; a change from outside shows in size or time."""

    def upload(self, api: Api, planned: State) -> None:
        path = f"{_FILES}{quoted_path(planned['path'])}"
        api.put_bytes(path, content_of(planned), {"overwrite": "true"})

    def read(self, api: Api, identity: str, state: State) -> Body | None:
        headers = api.head(f"{_FILES}{quoted_path(identity)}")
        modified = parsedate_to_datetime(headers["last-modified"])
        return {
            "path": identity,
            "file_size": int(headers["content-length"]),
            "modification_time": modified.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        }

    def drift(self, api: Api, state: State, before: State, observed: State) -> None:
        marks = ("file_size", "modification_time")
        if any(before.get(mark) != observed.get(mark) for mark in marks):
            state["remote_file_modified"] = True

    def customize(self, planned: State, prior: State | None, config: State) -> None:
        super().customize(planned, prior, config)
        if prior is not None and prior.get("remote_file_modified"):
            planned["remote_file_modified"] = False

    def delete(self, api: Api, identity: str, state: State) -> None:
        api.call("DELETE", f"{_FILES}{quoted_path(identity)}")


class WorkspaceFile(_Content):
    """``databricks_workspace_file``: imported as it is; compared when its time has changed."""

    export_format = "AUTO"

    def upload(self, api: Api, planned: State) -> None:
        body = {
            "path": planned["path"],
            "content": base64_text(content_of(planned)),
            "overwrite": True,
            **self.import_fields(planned),
        }
        try:
            api.post(f"{_WORKSPACE}/import", body)
        except ApiFault as fault:
            if fault.error_code not in ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"):
                raise
            api.post(f"{_WORKSPACE}/mkdirs", {"path": dirname(planned["path"])})
            api.post(f"{_WORKSPACE}/import", body)

    def import_fields(self, planned: State) -> Body:
        return {"format": "RAW"}

    def read(self, api: Api, identity: str, state: State) -> Body | None:
        return api.get(f"{_WORKSPACE}/get-status", {"path": identity})

    def observe(self, body: Body, identity: str, api: Api) -> State:
        return {**super().observe(body, identity, api), "#modified_at": body.get("modified_at")}

    def computed(self, body: Body, identity: str, api: Api) -> State:
        return {
            "workspace_path": f"/Workspace{identity.removeprefix('/Workspace')}",
            "url": f"{api.host}/#workspace{identity}",
            "md5": None,
        }

    def drift(self, api: Api, state: State, before: State, observed: State) -> None:
        if before.get("#modified_at") == observed.get("#modified_at"):
            return
        query = {"path": state["path"], "format": self.export_format}
        answer = api.get(f"{_WORKSPACE}/export", query)
        remote = base64.b64decode(answer.get("content", ""))
        if self.differs(state, remote):
            state["md5"] = md5(remote)

    def differs(self, state: State, remote: bytes) -> bool:
        return state.get("md5") != md5(remote)

    def delete(self, api: Api, identity: str, state: State) -> None:
        api.post(f"{_WORKSPACE}/delete", {"path": identity, "recursive": False})


class Notebook(WorkspaceFile):
    """``databricks_notebook``: source code with a language; exports may add the first line."""

    export_format = "SOURCE"

    def customize(self, planned: State, prior: State | None, config: State) -> None:
        super().customize(planned, prior, config)
        suffix = Path(str(config.get("source") or "")).suffix.lower()
        if config.get("language") is None and suffix in _LANGUAGES:
            planned["language"] = _LANGUAGES[suffix]
        if config.get("format") is None:
            default = "JUPYTER" if suffix == ".ipynb" else "SOURCE"
            planned["format"] = prior.get("format") if prior else default

    def import_fields(self, planned: State) -> Body:
        fields = {"format": planned.get("format") or "SOURCE"}
        return {**fields, "language": planned["language"]} if planned.get("language") else fields

    def differs(self, state: State, remote: bytes) -> bool:
        if state.get("md5") == md5(remote):
            return False
        try:
            local = content_of(state)
        except UserError:
            return True
        same_as_deployed = md5(local) == state.get("md5")
        return not (same_as_deployed and _without_head(local) == _without_head(remote))


def _without_head(source: bytes) -> bytes:
    for head in _NOTEBOOK_HEADS:
        source = source.removeprefix(head)
    return source.strip()


def md5(content: bytes) -> str:
    """The fingerprint that the resource shows; not a matter of security."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def content_of(values: dict[str, Any]) -> bytes:
    """The bytes that the configuration names; UserError when they cannot be had."""
    source, encoded = values.get("source"), values.get("content_base64")
    if source is not None:
        try:
            return Path(source).expanduser().read_bytes()
        except OSError as error:
            raise UserError(
                "cannot read the source file", f"{source}: {error.strerror}", ["source"]
            ) from error
    try:
        return base64.b64decode(encoded or "", validate=True)
    except (ValueError, binascii.Error) as error:
        raise UserError("not base64", str(error), ["content_base64"]) from error
