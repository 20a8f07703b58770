"""What the provider needs at each start, made once for a binding and a kind table, then cached."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.provider.schema import Node

PROVIDER_VERSION = "1.99.0"
_TABLE = Path(__file__).with_name("kinds.yml")
_SOURCES = ("binding.py", "bundle.py", "schema.py", "messages.py", "wire.py")


@dataclass
class Bundle:
    """Schemas (as JSON until first used), the kind table, and the encoded schema reply."""

    provider: Node
    schemas: dict[str, dict[str, Any]]
    data_schemas: dict[str, dict[str, Any]]
    rules: dict[str, dict[str, Any]]
    reply: bytes
    _nodes: dict[str, Node] = field(default_factory=dict)

    def resource(self, kind: str) -> Node:
        """The schema of a resource kind; KeyError for one that this provider does not have."""
        return self._node(kind, self.schemas[kind])

    def data_source(self, kind: str) -> Node:
        return self._node(f"data.{kind}", self.data_schemas[kind])

    def _node(self, key: str, data: dict[str, Any]) -> Node:
        if key not in self._nodes:
            self._nodes[key] = Node.from_json(data)
        return self._nodes[key]


def load(cache: Path) -> Bundle:
    """The bundle of the installed binding, from ``cache`` when it is there."""
    folder = cache / f"bundle-{_fingerprint()}"
    document, reply = folder / "bundle.json", folder / "schema.bin"
    if not reply.is_file():
        _write(folder, _generate())
    data = json.loads(document.read_text())
    return Bundle(
        provider=Node.from_json(data["provider"]),
        schemas=data["schemas"],
        data_schemas=data["data_schemas"],
        rules=data["rules"],
        reply=reply.read_bytes(),
    )


def _fingerprint() -> str:
    """Changes with the binding, the kind table and the code that reads them."""
    from emulator.provider.binding import binding_archive

    digest = hashlib.sha256(binding_archive().name.encode())
    digest.update(str(binding_archive().stat().st_size).encode())
    for path in (_TABLE, *(_TABLE.with_name(name) for name in _SOURCES)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _generate() -> tuple[dict[str, Any], bytes]:
    import yaml

    from emulator.provider import messages
    from emulator.provider.binding import binding_archive, read_schemas
    from emulator.provider.schema import block_message

    table: dict[str, dict[str, Any]] = yaml.safe_load(_TABLE.read_text())
    resources = {f"databricks_{name}": rules for name, rules in table["resources"].items()}
    folders = {kind: kind.removeprefix("databricks_").replace("_", "-") for kind in resources}
    data_folders = {
        f"databricks_{name}": f"data-databricks-{name.replace('_', '-')}"
        for name in table["data_sources"]
    }
    wanted = ["provider", *folders.values(), *data_folders.values()]
    read = read_schemas(binding_archive(), wanted)
    provider = read["provider"]
    del provider.fields["alias"]
    nodes = {kind: _prepare(read[folder], resources[kind]) for kind, folder in folders.items()}
    data_nodes = {kind: _prepare(read[folder], {}) for kind, folder in data_folders.items()}
    reply = messages.encode(
        "SchemaReply",
        {
            "provider": {"block": block_message(provider)},
            "resource_schemas": {k: {"block": block_message(n)} for k, n in nodes.items()},
            "data_source_schemas": {k: {"block": block_message(n)} for k, n in data_nodes.items()},
        },
    )
    document = {
        "provider": provider.to_json(),
        "schemas": {kind: node.to_json() for kind, node in nodes.items()},
        "data_schemas": {kind: node.to_json() for kind, node in data_nodes.items()},
        "rules": resources,
    }
    return document, reply


def is_legacy(node: Node) -> bool:
    """Whether the official provider builds this kind on its older SDK (an id that may be set)."""
    identity = node.fields.get("id")
    return identity is not None and identity.optional


def _prepare(node: Node, rules: dict[str, Any]) -> Node:
    """Add what the binding lacks: the older SDK's plain objects, and secrets."""
    if is_legacy(node):
        for _, child in walk(node):
            child.nested = False
    secrets = {f".{path}" for path in rules.get("sensitive", ())}
    for path, child in walk(node):
        child.sensitive = path in secrets
    return node


def walk(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Every field below a node, with its dotted path (``.config.slack.url``)."""
    for name, child in node.fields.items():
        yield f"{path}.{name}", child
        inner = child if child.kind == "object" else child.element
        if inner is not None and inner.fields:
            yield from walk(inner, f"{path}.{name}")


def _write(folder: Path, made: tuple[dict[str, Any], bytes]) -> None:
    """Write both files, each at once, so that another provider starting now reads whole ones."""
    document, reply = made
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in (("bundle.json", json.dumps(document).encode()), ("schema.bin", reply)):
        handle, temporary = tempfile.mkstemp(dir=folder)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(folder / name)
