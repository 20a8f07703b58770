"""From the address of a resource to the line of the definition that it comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from infra.naming import logical_id
from infra.review.assets import Asset, Assets
from infra.review.changes import Action, Change
from infra.review.differences import Difference

OURS = "databricks_"
UPLOADED = "/definitions/"
# What the stacks name after a definition, by its kind; else it is the singular of the kind.
NAMED_AFTER = {
    "gold": ("table",),
    "models": ("model", "experiment", "endpoint"),
    "monitors": ("monitor",),
}
# How a job's definition names what it makes, where that is one job for each domain or model.
MAKES = re.compile(r"^makes: *['\"]?(\w*)\{(domain|model)\}(\w*)", re.MULTILINE)
# Attributes that a definition calls otherwise.
KEYS = {
    "subscriptions": "destinations",
    "comparison_operator": "operator",
    "empty_result_state": "when_empty",
    "custom_metrics": "metrics",
    "slicing_exprs": "slices",
    "column": "columns",
    "principal": "groups",
    "task": "tasks",
    "depends_on": "after",
    "entry_point": "wheel",
    "named_parameters": "parameters",
    "notebook_path": "notebook",
    "timeout_seconds": "timeout_minutes",
    "quartz_cron_expression": "cron",
}
QUERIES = ("query_text", "content_base64", "serialized_dashboard")


@dataclass(frozen=True)
class Source:
    """A line of a file of the repository."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass
class Sources:
    """Finds the definition of a resource; knows none for the resources of others."""

    assets: Assets

    @cached_property
    def _by_name(self) -> dict[str, Asset]:
        return {name: asset for asset in self.assets.assets for name in self._names(asset)}

    @cached_property
    def _by_file(self) -> dict[str, Asset]:
        return {file: asset for asset in self.assets.assets for file in asset.files}

    def asset(self, change: Change) -> Asset | None:
        """The definition that a resource is made from."""
        if not change.type.startswith(OURS):
            return None
        file = uploaded_file(change)
        if file is not None:
            return self._by_file.get(file)
        return self._by_name.get(change.address.rpartition(".")[2])

    def source(self, change: Change) -> Source | None:
        """Where the change was written, as near as can be told."""
        asset = self.asset(change)
        if asset is None or change.action is Action.FORGET:
            return None
        file = uploaded_file(change) or asset.files[0]
        if change.action is Action.UPDATE:
            for difference in change.differences:
                found = self._line(asset, file, difference)
                if found is not None:
                    return Source(f"{self.assets.shown}/{found[0]}", found[1])
        return Source(f"{self.assets.shown}/{file}", 1)

    def _names(self, asset: Asset) -> Iterator[str]:
        """What the stacks call the resources of a definition."""
        made = MAKES.search(self.assets.text(asset.files[0])) if asset.kind == "jobs" else None
        if made is not None:
            for item in self._items(made[2]):
                yield logical_id("job", f"{made[1]}{item}{made[3]}")
            return
        for kind in NAMED_AFTER.get(asset.kind, (asset.kind.removesuffix("s"),)):
            yield logical_id(kind, asset.name)

    def _items(self, each: str) -> set[str]:
        """The models, or the domains of bronze."""
        if each == "model":
            return {asset.name for asset in self.assets.assets if asset.kind == "models"}
        bronze = (asset for asset in self.assets.assets if asset.kind == "bronze")
        return {asset.files[0].split("/")[1] for asset in bronze}

    def _line(self, asset: Asset, file: str, difference: Difference) -> tuple[str, int] | None:
        if difference.names[-1:] and difference.names[0] in QUERIES:
            return self._line_of_text(asset, file, difference)
        lines = self.assets.text(file).splitlines()
        for name in reversed(difference.names):
            number = _line_of_key(lines, KEYS.get(name, name))
            if number is not None:
                return file, number
        return None

    def _line_of_text(
        self, asset: Asset, file: str, difference: Difference
    ) -> tuple[str, int] | None:
        if difference.attribute == "query_text":
            file = next((name for name in asset.files if name.endswith(".sql")), file)
        labels = [part[1:-1] for part in difference.path if part.startswith("[")]
        if labels:
            wanted = f'"name": {json.dumps(labels[-1])}'
            lines = self.assets.text(file).splitlines()
            return file, next((n for n, line in enumerate(lines, 1) if wanted in line), 1)
        if isinstance(difference.before, str) and isinstance(difference.after, str):
            return file, _first_change(difference.before, difference.after)
        return None


def uploaded_file(change: Change) -> str | None:
    """The path of a definition that is uploaded as it is, below the folder of definitions."""
    path = change.values.get("path")
    if change.type != "databricks_workspace_file" or not isinstance(path, str):
        return None
    return path.partition(UPLOADED)[2] or None


def _line_of_key(lines: list[str], key: str) -> int | None:
    pattern = re.compile(rf"^\s*(- )?['\"]?{re.escape(key)}['\"]?\s*:")
    return next((n for n, line in enumerate(lines, 1) if pattern.match(line)), None)


def _first_change(before: str, after: str) -> int:
    old, new = before.splitlines(), after.splitlines()
    for number, (was, now) in enumerate(zip(old, new, strict=False), 1):
        if was != now:
            return number
    # Lines that are gone from the end leave the last one to point at.
    return max(1, min(len(new), min(len(old), len(new)) + 1))
