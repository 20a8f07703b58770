"""What the synthesized stacks declare, by the names that the workspace shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# The attributes that make up a name; another type is named by the first that it has of NAMES.
FULL_NAMES = {
    "databricks_schema": ("catalog_name", "name"),
    "databricks_volume": ("catalog_name", "schema_name", "name"),
    "databricks_sql_table": ("catalog_name", "schema_name", "name"),
    "databricks_registered_model": ("catalog_name", "schema_name", "name"),
    "databricks_quality_monitor": ("table_name",),
}
NAMES = ("path", "display_name", "name")
_REFERENCE = re.compile(r"\$\{(databricks_\w+)\.(\w+)\.(\w+)\}")


@dataclass(frozen=True)
class Declared:
    """A resource of the synthesized code."""

    stack: str
    type: str
    logical_id: str
    name: str
    """As the workspace shows it: in full for what is in a catalog."""
    folder: str = ""
    """Of a dashboard, which is named by its place too."""

    @property
    def address(self) -> str:
        return f"{self.type}.{self.logical_id}"


@dataclass(frozen=True)
class Configuration:
    """The Terraform JSON of one stack."""

    resources: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Configuration:
        text = (folder / "cdk.tf.json").read_text(encoding="utf-8")
        return cls(json.loads(text).get("resource", {}))

    def declared(self, stack: str) -> Iterator[Declared]:
        """All resources that have a name which is known before anything is applied."""
        for type_, bodies in self.resources.items():
            for logical_id, body in bodies.items():
                name = self._name(type_, body)
                if name is not None:
                    folder = self._text(body.get("parent_path"))
                    yield Declared(stack, type_, logical_id, name, folder or "")

    def _name(self, type_: str, body: Mapping[str, Any]) -> str | None:
        if type_ in FULL_NAMES:
            parts = [self._text(body.get(part)) for part in FULL_NAMES[type_]]
            return None if None in parts else ".".join(str(part) for part in parts)
        return self._text(next((body[key] for key in NAMES if key in body), None))

    def _text(self, value: object) -> str | None:
        """A text with its references followed; None where one leads out of the stack's code."""
        if not isinstance(value, str):
            return None
        for type_, logical_id, attribute in _REFERENCE.findall(value):
            found = self.resources.get(type_, {}).get(logical_id, {}).get(attribute)
            text = self._text(found)
            if text is None:
                return None
            value = value.replace(f"${{{type_}.{logical_id}.{attribute}}}", text)
        return None if "${" in value.replace("$${", "") else value
