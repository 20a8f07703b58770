"""Reads the provider's schemas out of the installed cdktf binding.

The binding's package holds, for each resource, its generated TypeScript as the source map of
``index.js``; there every field says whether it is computed, optional or required.
"""

from __future__ import annotations

import base64
import json
import re
import tarfile
from collections.abc import Iterable
from importlib import metadata, util
from pathlib import Path

from emulator.provider.schema import Node

DISTRIBUTION = "cdktf-cdktf-provider-databricks"
_MODULE = "cdktf_cdktf_provider_databricks"
_SOURCE_MAP = re.compile(r"sourceMappingURL=data:application/json;base64,(\S+)")
_CLASS = re.compile(r"^export class (\w+) extends cdktf\.(\w+) \{$(.*?)^\}", re.M | re.S)
_INTERFACE = re.compile(r"^export interface (\w+)[^{]*\{$(.*?)^\}", re.M | re.S)
_BLOCK_COMMENT = re.compile(r"^\s*\* (\w+) block$", re.M)
_MEMBER = re.compile(
    r"// (\w+) - computed: (\w+), optional: (\w+), required: (\w+)\n"
    r"(.*?)(?=\n  // \w+ - computed|\Z)",
    re.S,
)
_GETTER = re.compile(r"get(String|Number|Boolean)(List|Map)?Attribute\(|getListAttribute\(")
_CHILD = re.compile(r"= new ([\w.]+)\(this, \"\w+\"(?:, (true|false))?\)")
_DECLARED = re.compile(r"private _\w+\??: (string|number|boolean)\b")
_SCALAR = {"String": "string", "Number": "number", "Boolean": "bool"}


def binding_version() -> str:
    return metadata.version(DISTRIBUTION)


def binding_archive() -> Path:
    """The binding's jsii archive; FileNotFoundError when the package is not installed."""
    spec = util.find_spec(_MODULE)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the package {DISTRIBUTION} is not installed")
    archives = sorted((Path(spec.origin).parent / "_jsii").glob("*.jsii.tgz"))
    if not archives:
        raise FileNotFoundError(f"{DISTRIBUTION} has no jsii archive")
    return archives[0]


def read_schemas(archive: Path, folders: Iterable[str]) -> dict[str, Node]:
    """The schema of each ``lib/<folder>`` of the archive."""
    wanted = set(folders)
    sources: dict[str, list[str]] = {folder: [] for folder in wanted}
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = member.name.split("/")
            if member.name.endswith(".js") and len(parts) > 3 and parts[2] in wanted:
                content = tar.extractfile(member)
                if content is not None:
                    sources[parts[2]].extend(_typescript(content.read().decode()))
    missing = sorted(folder for folder, texts in sources.items() if not texts)
    if missing:
        raise LookupError(f"the binding has no {', '.join(missing)}")
    return {folder: _Reader("\n".join(texts)).root() for folder, texts in sources.items()}


def _typescript(script: str) -> list[str]:
    found = _SOURCE_MAP.search(script)
    if found is None:
        return []
    texts: list[str] = json.loads(base64.b64decode(found.group(1)))["sourcesContent"]
    return texts


class _Reader:
    """The classes of one resource, by name."""

    def __init__(self, source: str) -> None:
        self._classes = {name: (base, body) for name, base, body in _CLASS.findall(source)}
        self._blocks = {
            name: set(_BLOCK_COMMENT.findall(body)) for name, body in _INTERFACE.findall(source)
        }

    def root(self) -> Node:
        bases = ("TerraformResource", "TerraformDataSource", "TerraformProvider")
        for name, (base, body) in self._classes.items():
            if base in bases:
                return self._object(body, self._blocks.get(f"{name}Config", set()))
        raise LookupError("no resource class in the binding's source")

    def _object(self, body: str, blocks: set[str]) -> Node:
        node = Node("object")
        for name, computed, optional, required, text in _MEMBER.findall(body):
            child = self._member(text, name in blocks)
            child.computed = computed == "true"
            child.optional = optional == "true" and required == "false"
            child.required = required == "true"
            if child.block and child.required and child.kind == "object":
                child.required = False
            node.fields[name] = child
        return node

    def _member(self, text: str, block: bool) -> Node:
        child = _CHILD.search(text)
        if child is not None:
            return self._complex(child.group(1).split(".")[-1], child.group(2) == "true", block)
        getter = _GETTER.search(text)
        declared = _DECLARED.search(text)
        if getter is None and declared is not None:
            return Node(_SCALAR[declared.group(1).capitalize()])
        if getter is None:
            raise LookupError(f"cannot read this member of the binding: {text[:120]!r}")
        scalar = Node(_SCALAR[getter.group(1) or "String"])
        if getter.group(2) == "Map":
            return Node("map", scalar)
        if getter.group(2) == "List" or getter.group(1) is None:
            return Node("set" if "Fn.tolist(" in text else "list", scalar)
        return scalar

    def _complex(self, name: str, is_set: bool, block: bool) -> Node:
        if name.endswith("Map") and name not in self._classes:
            return Node("map", Node("number" if name.startswith("Number") else "string"))
        many = name.endswith("List") and self._classes.get(name, ("",))[0] == "ComplexList"
        struct = name.removesuffix("List") if many else name.removesuffix("OutputReference")
        body = self._classes[f"{struct}OutputReference"][1]
        inner = self._object(body, self._blocks.get(struct, set()))
        single = bool(re.search(r"super\(terraformResource, terraformAttribute, \w+, 0\)", body))
        computed_only = not block and not any(f.settable for f in inner.fields.values())
        if many:
            return Node("set" if is_set else "list", inner, block=block, nested=not block)
        if single:
            return Node("list", inner, block=block, single=True, nested=not block)
        inner.block, inner.nested = block, not block
        inner.computed = computed_only
        return inner
