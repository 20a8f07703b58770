"""Which definition reads which: read from the files' text, not from the validated definitions.

A review must be quick, must work while a definition is wrong, and must take kinds that the wheel's
models do not have yet. So it looks for two-part names where a definition speaks of tables.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

LAYERS = ("bronze", "silver", "gold", "gold_monitoring", "ml", "platform")
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NAME = re.compile(rf"\b({'|'.join(LAYERS)})`?\.`?([a-z_][a-z0-9_]*)", re.IGNORECASE)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/|(?<=COMMENT )'(?:[^']|'')*'", re.DOTALL)
# Keys whose text is for people, and those that name what is not read.
WORDS = frozenset(
    {
        "comment",
        "custom_description",
        "custom_summary",
        "description",
        "display_name",
        "displayName",
        "grain",
        "references",
        "scores",
        "synonyms",
    }
)


@dataclass(frozen=True)
class Asset:
    """One definition: what its path says, and its files."""

    kind: str
    name: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """What a definition makes and reads."""

    asset: Asset
    makes: frozenset[str]
    reads: frozenset[str]
    told: tuple[str, ...] = ()
    """The destinations that an alert names, or its severity, which stands for them."""


@dataclass
class Assets:
    """All definitions of a folder; none, where there is no folder."""

    root: Path
    shown: str = ""
    """The folder as messages name it."""
    assets: list[Asset] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """The files that could not be read for ``readings``."""

    @cached_property
    def readings(self) -> list[Reading]:
        """What every definition reads: nothing is parsed before somebody asks."""
        return [_reading(self, asset) for asset in self.assets]

    @cached_property
    def _readers(self) -> Mapping[str, list[Reading]]:
        readers: defaultdict[str, list[Reading]] = defaultdict(list)
        for reading in self.readings:
            for name in reading.reads:
                readers[name].append(reading)
        return readers

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for reading in self.readings for name in reading.makes)

    def downstream(self, names: Iterable[str]) -> list[Reading]:
        """All that reads these tables, functions and models, directly or through others."""
        waiting = list(names)
        seen = set(waiting)
        found: dict[Asset, Reading] = {}
        while waiting:
            for reading in self._readers.get(waiting.pop(), ()):
                found.setdefault(reading.asset, reading)
                waiting += reading.makes - seen
                seen |= reading.makes
        return list(found.values())

    def text(self, file: str) -> str:
        return (self.root / file).read_text(encoding="utf-8")


def find_assets(root: Path, shown: str) -> Assets:
    """The definitions below a folder, ``<kind>/<domain>/<name>.<suffix>``."""
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for path in sorted(root.glob("*/*/*")) if root.is_dir() else []:
        if path.is_file() and not path.name.startswith("."):
            relative = path.relative_to(root).as_posix()
            groups[(relative.split("/")[0], path.name.partition(".")[0])].append(relative)
    # The file with the keys first: it is where most of a definition stands.
    assets = [
        Asset(kind, name, tuple(sorted(files, key=lambda file: file.endswith(".sql"))))
        for (kind, name), files in groups.items()
    ]
    return Assets(root, shown, assets)


def _reading(assets: Assets, asset: Asset) -> Reading:
    reads: set[str] = set()
    body: Any = {}
    for file in asset.files:
        try:
            text = assets.text(file)
            if file.endswith(".sql"):
                reads |= names_in(_COMMENT.sub(" ", text))
                continue
            body = json.loads(text) if file.endswith(".json") else yaml.load(text, LOADER)  # noqa: S506
        except (OSError, ValueError, yaml.YAMLError) as error:
            first = str(error).splitlines()[0]
            assets.problems.append(f"{assets.shown}/{file}: lineage not read: {first}")
            continue
        reads |= {found for text in _texts(body) for found in names_in(text)}
    body = body if isinstance(body, dict) else {}
    makes = made_by(asset.kind, asset.name, body)
    reads |= _named_otherwise(asset.kind, body)
    return Reading(asset, makes, frozenset(reads - makes), _told(asset.kind, body))


def _told(kind: str, body: Mapping[str, Any]) -> tuple[str, ...]:
    named = body.get("destinations")
    if isinstance(named, list) and named:
        return tuple(map(str, named))
    return (f"severity {body['severity']}",) if kind == "alerts" and "severity" in body else ()


def names_in(text: str) -> set[str]:
    """The two-part names of tables and functions in a text."""
    return {f"{schema}.{name}".lower() for schema, name in _NAME.findall(text)}


def made_by(kind: str, name: str, body: Mapping[str, Any]) -> frozenset[str]:
    """The two-part names that a definition gives to what it makes."""
    if kind in ("bronze", "silver"):
        table = f"{kind}.{kind}_{name}"
        return frozenset({table, f"{table}__expectations"} if kind == "silver" else {table})
    if kind in ("gold", "functions", "metric_views"):
        return frozenset({f"gold.{name}"})
    if kind == "models":
        return frozenset({f"ml.{name}"})
    if kind == "monitors":
        return monitored(str(body.get("table", name)))
    return frozenset()


def monitored(table: str) -> frozenset[str]:
    """The tables that a monitor of this table writes."""
    last = table.rpartition(".")[2]
    return frozenset(f"gold_monitoring.{last}_{what}_metrics" for what in ("profile", "drift"))


def _named_otherwise(kind: str, body: Mapping[str, Any]) -> set[str]:
    if kind == "silver" and body.get("reads"):
        return {f"bronze.{body['reads']}"}
    if kind == "gold" and body.get("filled_by"):
        return {f"ml.{body['filled_by']}"}
    return set()


def _texts(value: Any) -> Iterator[str]:
    """The texts of a definition in which a table can be named."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in ("queryLines", "query_lines") and isinstance(item, list):
                yield _COMMENT.sub(" ", "".join(map(str, item)))
            elif key not in WORDS:
                yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
